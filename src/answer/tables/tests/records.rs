use super::*;

const CREW: &str = "# Who does what.\ndefaults:\n  zone: UTC\n  max_minutes: 90\n\ncrew:\n  cook:\n    lead: una.holt\n    paths: [meals/, lists/]\n    \
    daily_budget: 1200000\n  smith:\n    lead: per.vik\n    daily_budget: 4500000\n    network: mirror\n\nalarm:\n  contact: front desk, extension 12\n";
const RESULT: &str = "{\n \"run\": \"2026-03-08-trial-2\",\n \"build\": \"mill 0.9.9\",\n \"wait_ms\": {\n  \"p50\": 2.6,\n  \"p99\": 11.8\n },\n \"frames\": 118500,\n \
    \"per_mill\": [\n  {\"mill\": \"M-01\", \"frames\": 41, \"p99_ms\": 12.1},\n  {\"mill\": \"M-02\", \"frames\": 77, \"p99_ms\": 11.5}\n ]\n}\n";
const PLAN: &str = "title: suspend-mills\nplan-number: 2232\nauthors:\n  - \"@ada\"\n  - \"@bo\"\nstatus: rejected\ncreation-date: 2020-10-22\nmilestone:\n  \
    alpha: \"v1.21\"\n  stable: \"v1.23\"\nfeature-gates: []\n";
const MANIFEST: &str = "[package]\nname = \"mill\"\nversion = \"0.4.1\"\n\n[dependencies]\nrotor = \"2.3\"\nbelt = { version = \"1.9\", features = [\"soft\"] }\n\n\
    [[target]]\nname = \"north\"\nport = 7010\n\n[[target]]\nname = \"south\"\nport = 7020\n";
const EVENTS: &str = "{\"ts\": \"2026-03-08T08:00:03Z\", \"event\": \"batch\", \"mill\": \"M-13\", \"us\": 1665}\n\
    {\"ts\": \"2026-03-08T08:00:07Z\", \"event\": \"expired\", \"mill\": \"M-53\", \"detail\": \"valid until 2026-03-07\"}\n\
    {\"ts\": \"2026-03-08T08:00:09Z\", \"event\": \"batch\", \"mill\": \"M-14\", \"us\": 900}\n";
const REPORT: &str = "{\"start_time\": \"2023-08-24T08:13:33\", \"metrics\": {\"run_time\": \"1360.5 seconds\", \"highest_level\": \"advanced: 5\"}, \"tests\": {\
    \"TestReadFile\": {\"task\": \"read\", \"metrics\": {\"cost\": 0.33, \"success\": true}},\
    \"TestSortFile\": {\"task\": \"sort\", \"metrics\": {\"cost\": 0.5, \"success\": false}, \"fail_reason\": \"depends on TestReadFile\"}}}";

fn records() -> Vec<Sheet> {
    vec![
        sheet("crew.yaml", Format::Yaml, None, CREW),
        sheet("runs/2026-03-08-trial-2/results.json", Format::Json, None, RESULT),
        sheet("plans/sig-mill/2232-suspend-mills/plan.yaml", Format::Yaml, None, PLAN),
        sheet("mill.toml", Format::Toml, None, MANIFEST),
        sheet("runs/2026-03-08-trial-2/events.jsonl", Format::Jsonl, None, EVENTS),
        sheet("reports/20230824T081333_full_run/report.json", Format::Json, None, REPORT),
    ]
}

#[test]
fn values_are_found_by_the_keys_that_lead_to_them() {
    check(
        &records(),
        &[
            ("What is the daily budget of smith?", "daily_budget: 4500000"),
            ("Which lead does cook have?", "lead: una.holt"),
            ("What was the p99 in trial-2?", "\"p99\": 11.8"),
            ("Which build did trial-2 use?", "\"build\": \"mill 0.9.9\""),
            ("What is the status of PLAN-2232?", "status: rejected"),
            ("Who are the authors of PLAN-2232?", "authors: - \"@ada\" - \"@bo\""),
            ("Who wrote the plan on suspending mills?", "authors: - \"@ada\" - \"@bo\""),
            ("Which port does target south have?", "port = 7020"),
            ("How many frames did mill M-02 have?", "{\"mill\": \"M-02\", \"frames\": 77, \"p99_ms\": 11.5}"),
            (
                "What was the highest level reached in the run of 24 August 2023 at 08:13?",
                "\"highest_level\": \"advanced: 5\"",
            ),
            ("How long did the full run of 24 August 2023 take?", "\"run_time\": \"1360.5 seconds\""),
            (
                "What did TestReadFile cost in the run of 24 August 2023?",
                "\"TestReadFile\": {\"task\": \"read\", \"metrics\": {\"cost\": 0.33, \"success\": true}}",
            ),
            (
                "Why did TestSortFile fail on 24 August 2023?",
                "\"TestSortFile\": {\"task\": \"sort\", \"metrics\": {\"cost\": 0.5, \"success\": false}, \"fail_reason\": \"depends on TestReadFile\"}",
            ),
            (
                "What detail does event \"expired\" have?",
                "{\"ts\": \"2026-03-08T08:00:07Z\", \"event\": \"expired\", \"mill\": \"M-53\", \"detail\": \"valid until 2026-03-07\"}",
            ),
        ],
    );
}

#[test]
fn near_records_are_no_answers() {
    check(
        &records(),
        &[
            ("What is the daily budget of baker?", "nothing"),
            ("What was the p99 in trial-4?", "missing trial-4"),
            ("On which day was PLAN-2232 rejected?", "nothing"),
            ("What is the feature gate of PLAN-2232?", "nothing"),
            ("What is the status of PLAN-9999?", "missing PLAN-9999"),
            ("How much does the smith cost per month in euros?", "nothing"),
            ("How long did the full run of 30 August 2023 take?", "missing 30 August 2023"),
            ("What e-mail address does the author of PLAN-2232 have?", "nothing"),
            ("Which model did the full run use?", "nothing"),
            ("What happened to M-13?", "nothing"),
            ("Who approves the plan?", "nothing"),
        ],
    );
}

#[test]
fn rows_that_do_not_have_something_are_listed() {
    let shops = "shops:\n  mill:\n    sells: [flour, bran]\n    phone: 12\n  dairy:\n    sells: [milk]\n  bakery:\n    sells: [bread]\n    phone: 14\n";
    let shops = [sheet("town.yaml", Format::Yaml, None, shops)];
    check(
        &shops,
        &[
            (
                "Which shops do not sell flour?",
                "2 of 3 rows of town.yaml (shops) have sells without flour: sells: [milk] / sells: [bread]",
            ),
            ("Which shops have no phone?", "1 of 3 rows of town.yaml (shops) have phone empty: dairy: sells: [milk]"),
            ("Which shops do not sell beer?", "nothing"),
            ("Which shops are not open?", "nothing"),
            ("What does the mill not sell?", "nothing"),
        ],
    );
}

#[test]
fn two_things_of_two_files_stand_side_by_side() {
    let report = |seconds: &str| format!("{{\"metrics\": {{\n \"run_time\": \"{seconds} seconds\"\n}}}}");
    let sheets = [
        sheet("reports/20230826T081326_run/report.json", Format::Json, None, &report("1347.53")),
        sheet("reports/20230827T081254_run/report.json", Format::Json, None, &report("1438.1")),
    ];
    check(
        &sheets,
        &[
            (
                "Which run took longer, the one of 26 August or the one of 27 August 2023?",
                "\"run_time\": \"1347.53 seconds\" / \"run_time\": \"1438.1 seconds\"",
            ),
            ("Which run took longer, the one of 25 August or the one of 27 August 2023?", "nothing"),
        ],
    );
}

#[test]
fn keyed_maps_are_rows_with_a_path() {
    let Answer::Found(found) = look_up("What is the daily budget of smith?", &records()) else { panic!() };
    assert_eq!(found.lines[0].place, ["crew", "smith"]);
    let fields: Vec<(&str, &str)> =
        found.lines[0].fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    assert!(fields.contains(&("daily_budget", "4500000")), "{fields:?}");
    assert!(
        told("How many crew work here?", &records()).starts_with("2 crew, each a row of crew.yaml (crew)"),
        "{}",
        told("How many crew work here?", &records())
    );
    assert!(told("Which mill has the most frames?", &records()).contains("M-02"));
}
