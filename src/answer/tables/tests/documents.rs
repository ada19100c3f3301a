use super::*;

const BENCH: &str = "# Second trial\n\nText first.\n\n## Figures\n\n| Measure | trial-1 | trial-2 |\n|---|---|---|\n| Yield, kg | 1,200 | 1,350 |\n\
    | Loss p99, % | 3.1 | **2.4** |\n| Loss p99.9, % | 9 | 7 |\n\nMore text.\n\n## Whom to ask\n\n| What | Who | When |\n|---|---|---|\n\
    | Pumps, valves | Una Holt, desk 4 | always |\n| Gates | Per Vik | by day |\n";
const CODES: &str = "# Exit codes of the importer\n\n| Code | Description |\n|---|---|\n| 1-40 | reserved |\n| 41 | Disk is full |\n\
    | 42 | Authentication failure, no token |\n| 43 | Authorization failure, token without rights |\n";
const OFFERS: &str = "# Offers\n\n| Product | Price | Seats |\n|---|---|---|\n| Kite | 0.4 EUR a seat | 10 |\n| Heron | 95 EUR a month | 20 |\n\
    | Swift | free, support 900 EUR | 5 |\n";
const FRAMES: &str = "Frame\n=====\n\nLayout\n------\n\n======  =====  =======================\nOffset  Bytes  Meaning\n======  =====  =======================\n\
    0       2      magic number\n2       1      flags: bit 0 late\n4       4      sender\n======  =====  =======================\n\nText.\n";
const GRID: &str = "Limits\n======\n\n+---------+-------+\n| Name    | Value |\n+=========+=======+\n| retries | 5     |\n+---------+-------+\n| waits   | 30 s  |\n+---------+-------+\n";
const TIDES: &str = "Tides of Port Elm\n\nFirst week of December 2026.\n\nDay | High water | Low water\nTue 1 Dec | 00:48 | 07:02\nWed 2 Dec | 01:40 | 07:55\n";

fn documents() -> Vec<Sheet> {
    vec![
        sheet("trials/trial-2.md", Format::Markdown, Some("Second trial"), BENCH),
        sheet("docs/codes.md", Format::Markdown, Some("Exit codes of the importer"), CODES),
        sheet("docs/offers.md", Format::Markdown, Some("Offers"), OFFERS),
        sheet("docs/frame.rst", Format::Rst, Some("Frame"), FRAMES),
        sheet("docs/limits.rst", Format::Rst, None, GRID),
        sheet("tides.html", Format::Html, Some("Tides of Port Elm, December 2026"), TIDES),
    ]
}

#[test]
fn cells_of_tables_in_documents_are_found() {
    check(
        &documents(),
        &[
            ("What was the yield in trial-1?", "| Yield, kg | 1,200 | 1,350 |"),
            ("What was the p99 loss in trial-2?", "| Loss p99, % | 3.1 | **2.4** |"),
            ("What does exit code 41 mean?", "| 41 | Disk is full |"),
            ("Which exit code stands for an authentication failure?", "| 42 | Authentication failure, no token |"),
            ("What does exit code 44 mean?", "missing 44"),
            ("What does exit code 20 mean?", "missing 20"),
            ("What was the yield in trial-3?", "missing trial-3"),
            ("Who is responsible for gates?", "| Gates | Per Vik | by day |"),
            ("Who is responsible for gardens?", "nothing"),
            ("What is the meaning of offset 2 in the frame?", "2 1 flags: bit 0 late"),
            ("What is the value of retries?", "| retries | 5 |"),
            ("When is low water on 2 December 2026?", "Wed 2 Dec | 01:40 | 07:55"),
            ("When is low water on 3 December 2026?", "missing 3 December 2026"),
            ("When is low water on 2 December 2025?", "missing 2 December 2025"),
            ("Which exit code is returned when a quota is exceeded?", "nothing"),
        ],
    );
}

#[test]
fn two_columns_are_compared_row_by_row() {
    check(
        &documents(),
        &[
            (
                "Compare trial-1 and trial-2",
                "| Yield, kg | 1,200 | 1,350 | / | Loss p99, % | 3.1 | **2.4** | / | Loss p99.9, % | 9 | 7 |",
            ),
            (
                "What changed between trial-1 and trial-2?",
                "| Yield, kg | 1,200 | 1,350 | / | Loss p99, % | 3.1 | **2.4** | / | Loss p99.9, % | 9 | 7 |",
            ),
            ("What is the difference in yield between trial-1 and trial-2?", "| Yield, kg | 1,200 | 1,350 |"),
            ("What is the difference in price between trial-1 and trial-2?", "nothing"),
            ("Compare trial-1 and trial-7", "missing trial-7"),
            ("Compare Kite and Heron", "| Kite | 0.4 EUR a seat | 10 | / | Heron | 95 EUR a month | 20 |"),
        ],
    );
    let Answer::Found(found) = look_up("Compare trial-1 and trial-2", &documents()) else { panic!() };
    let fields: Vec<&str> = found.lines[0].fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(fields, ["Measure", "trial-1", "trial-2"]);
    assert_eq!(found.lines[0].place, ["Second trial", "Figures"]);
}

#[test]
fn prices_in_different_units_are_shown_and_not_compared() {
    let told = told("Which product is cheapest?", &documents());
    assert!(
        told.starts_with("not compared: the 3 rows of docs/offers.md (Offers) have different units in `Price`"),
        "{told}"
    );
    assert!(told.contains("| Swift | free, support 900 EUR | 5 |"), "{told}");
    check(
        &documents(),
        &[(
            "Which product has the most seats?",
            "the greatest value of `Seats` in docs/offers.md (Offers) is 20: | Heron | 95 EUR a month | 20 |",
        )],
    );
}

#[test]
fn tables_in_code_and_pictures_of_tables_are_none() {
    let text = "# Sample\n\n```\n| Key | Value |\n|---|---|\n| depth | 9 |\n```\n";
    check(&[sheet("a.md", Format::Markdown, None, text)], &[("What is the value of depth?", "nothing")]);
}

#[test]
fn settings_above_a_document_are_a_record() {
    let text = "---\ntitle: Keep the gates\nstatus: superseded\nagent: planner\n---\n# Keep the gates\n\nWords.\n";
    let decisions = [
        sheet("plans/decisions/0002-gates.md", Format::Markdown, Some("Keep the gates"), text),
        sheet(
            "plans/decisions/0003-doors.md",
            Format::Markdown,
            Some("Doors"),
            &text.replace("superseded", "accepted"),
        ),
    ];
    check(
        &decisions,
        &[
            ("What is the status of decision 2?", "status: superseded"),
            ("What is the status of decision 3?", "status: accepted"),
            ("What is the status of decision 5?", "missing 5"),
            ("Who wrote the decision on gates?", "agent: planner"),
        ],
    );
}
