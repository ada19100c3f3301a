use super::*;

const TREES: &str = "tag,species,planted,height_m,keeper\nT-101,pear,2019-03-04,4.2,Ada Moe\nT-102,apple,2020-04-11,3.9,Bo Lind\n\
    T-103,apple,2021-10-02,2.1,Ada Moe\nT-104,plum,2019-11-20,4.2,Cy Ek\nT-105,\"quince, Vranja\",2022-05-30,1.7,Bo Lind\n";
const BILLS: &str = "month;item;amount_eur\n2026-03;water;1.204,50\n2026-03;heating;881,00\n2026-04;water;97,10\n2026-04;heating;310,00\n\
    2026-04;hot water;55,00\n";
const SPRINGS: &str =
    "spring\tfirst_bloom\tdays_in_bloom\n2023\t2023-04-02\t21\n2024\t2024-03-20\t17\n2025\t2025-04-09\t26\n";

fn orchard() -> Vec<Sheet> {
    vec![
        sheet("orchard/trees.csv", Format::Csv, None, TREES),
        sheet("money/bills.csv", Format::Csv, None, BILLS),
        sheet("orchard/springs.tsv", Format::Tsv, None, SPRINGS),
    ]
}

#[test]
fn a_cell_is_named_by_its_row_and_its_column() {
    check(
        &orchard(),
        &[
            ("What species is T-103?", "T-103,apple,2021-10-02,2.1,Ada Moe"),
            ("When was T-104 planted?", "T-104,plum,2019-11-20,4.2,Cy Ek"),
            ("What height does tree T-101 have in metres?", "T-101,pear,2019-03-04,4.2,Ada Moe"),
            ("How much was heating in March 2026?", "2026-03;heating;881,00"),
            ("What did heating cost in April 2026?", "2026-04;heating;310,00"),
            ("What did heating cost in 2026-04?", "2026-04;heating;310,00"),
            ("Which item cost 1,204.50 EUR?", "2026-03;water;1.204,50"),
            ("What did hot water cost in April 2026?", "2026-04;hot water;55,00"),
            ("When was the first bloom in 2024?", "2024 2024-03-20 17"),
            ("Who is the keeper of T-102?", "T-102,apple,2020-04-11,3.9,Bo Lind"),
            ("What is T-105?", "T-105,\"quince, Vranja\",2022-05-30,1.7,Bo Lind"),
            ("Which tree was planted on 20 November 2019?", "T-104,plum,2019-11-20,4.2,Cy Ek"),
        ],
    );
}

#[test]
fn what_no_row_holds_is_not_answered_by_another_row() {
    check(
        &orchard(),
        &[
            ("What species is T-109?", "missing T-109"),
            ("What did heating cost in May 2026?", "missing May 2026"),
            ("What did heating cost in April 2025?", "missing April 2025"),
            ("Which fertiliser does T-103 get?", "nothing"),
            ("Who planted T-103?", "nothing"),
            ("What did electricity cost in March 2026?", "missing electricity"),
            ("How long are apples kept?", "nothing"),
            ("Is T-103 an apple?", "nothing"),
            ("Which trees are not apples?", "nothing"),
            ("Why was T-103 planted?", "nothing"),
            ("What happened on 4 March 2026?", "nothing"),
            ("What is the weather in spring?", "nothing"),
        ],
    );
}

#[test]
fn rows_are_listed_and_counted_by_their_values() {
    check(
        &orchard(),
        &[
            (
                "How many trees are apple?",
                "2 of 5 rows of orchard/trees.csv have species `apple`: T-102,apple,2020-04-11,3.9,Bo Lind / T-103,apple,2021-10-02,2.1,Ada Moe",
            ),
            (
                "Which trees have the keeper Ada Moe?",
                "2 of 5 rows of orchard/trees.csv have keeper `Ada Moe`: T-101,pear,2019-03-04,4.2,Ada Moe / T-103,apple,2021-10-02,2.1,Ada Moe",
            ),
            (
                "Which trees have a height above 4 m?",
                "2 of 5 rows of orchard/trees.csv have height_m above 4: T-101,pear,2019-03-04,4.2,Ada Moe / T-104,plum,2019-11-20,4.2,Cy Ek",
            ),
            (
                "Which trees were planted after 1 January 2021?",
                "2 of 5 rows of orchard/trees.csv have planted after 1 January 2021: T-103,apple,2021-10-02,2.1,Ada Moe / \
                 T-105,\"quince, Vranja\",2022-05-30,1.7,Bo Lind",
            ),
            (
                "Which springs had more than 20 days in bloom?",
                "2 of 3 rows of orchard/springs.tsv have days_in_bloom more than 20: 2023 2023-04-02 21 / 2025 2025-04-09 26",
            ),
            ("How many trees are cherry?", "nothing"),
            ("How many trees need water?", "nothing"),
        ],
    );
    assert!(told("How many trees are there?", &orchard()).starts_with("5 trees, each a row of orchard/trees.csv"));
}

#[test]
fn the_greatest_and_the_least_are_told_with_ties() {
    check(
        &orchard(),
        &[
            (
                "Which tree has the greatest height?",
                "the greatest value of `height_m` in orchard/trees.csv is 4.2, in 2 rows: T-101,pear,2019-03-04,4.2,Ada Moe / T-104,plum,2019-11-20,4.2,Cy Ek",
            ),
            (
                "In which spring were there the most days in bloom?",
                "the greatest value of `days_in_bloom` in orchard/springs.tsv is 26: 2025 2025-04-09 26",
            ),
            (
                "Which spring had the fewest days in bloom?",
                "the least value of `days_in_bloom` in orchard/springs.tsv is 17: 2024 2024-03-20 17",
            ),
            (
                "Which apple tree has the lowest height?",
                "the least value of `height_m` in orchard/trees.csv is 2.1 of the rows that have species `apple`: T-103,apple,2021-10-02,2.1,Ada Moe",
            ),
            (
                "Which item was the cheapest in April 2026?",
                "the least value of `amount_eur` in money/bills.csv is 55,00 of the rows that have month `2026-04`: 2026-04;hot water;55,00",
            ),
            (
                "Which item was the most expensive in April 2026?",
                "the greatest value of `amount_eur` in money/bills.csv is 310,00 of the rows that have month `2026-04`: 2026-04;heating;310,00",
            ),
            (
                "In which month did water cost the most?",
                "the greatest value of `amount_eur` in money/bills.csv is 1.204,50 of the rows that have item `water`: 2026-03;water;1.204,50",
            ),
            ("Which tree is the highest paid?", "nothing"),
            ("Which tree is the tallest in the county?", "nothing"),
        ],
    );
}

#[test]
fn sums_are_not_computed() {
    check(
        &orchard(),
        &[
            (
                "What is the total amount of March 2026?",
                "not added up: these 2 rows of money/bills.csv would be, by the column `amount_eur`: 2026-03;water;1.204,50 / 2026-03;heating;881,00",
            ),
            (
                "What is the average height of the apple trees?",
                "not added up: these 2 rows of orchard/trees.csv would be, by the column `height_m`: T-102,apple,2020-04-11,3.9,Bo Lind / T-103,apple,2021-10-02,2.1,Ada Moe",
            ),
            ("What is the total rainfall of March 2026?", "nothing"),
        ],
    );
    let stock = [sheet("stock.csv", Format::Csv, None, "part,total\nbolt,12\nnut,40\n")];
    check(&stock, &[("What is the total of bolt?", "bolt,12")]);
}

#[test]
fn several_things_are_several_rows() {
    check(
        &orchard(),
        &[
            ("Compare T-101 and T-104", "T-101,pear,2019-03-04,4.2,Ada Moe / T-104,plum,2019-11-20,4.2,Cy Ek"),
            (
                "What species are T-101 and T-105?",
                "2 of 5 rows of orchard/trees.csv have tag `T-101` or `T-105`: T-101,pear,2019-03-04,4.2,Ada Moe / T-105,\"quince, Vranja\",2022-05-30,1.7,Bo Lind",
            ),
        ],
    );
}

#[test]
fn sheets_are_tables_under_their_names() {
    let text = "Fleet\nVehicles of the depot\nplate\tmodel\tseats\nAB 12\tBus L\t51\nCD 34\tVan S\t9\n\nDrivers\nname\tlicence\nUna Holt\tD1\nPer Vik\tB\n";
    let book = [sheet("depot.xlsx", Format::Spreadsheet, None, text)];
    check(
        &book,
        &[
            ("How many seats does the Van S have?", "CD 34 Van S 9"),
            ("What licence does Una Holt have?", "Una Holt D1"),
            ("What licence does Una Berg have?", "nothing"),
            (
                "Which vehicle has the most seats?",
                "the greatest value of `seats` in depot.xlsx (Fleet) is 51: AB 12 Bus L 51",
            ),
        ],
    );
}

#[test]
fn numbers_are_the_same_with_and_without_separators() {
    let text = "city,people\nAmar,\"1,250,000\"\nBelt,12 345\nCorr,4'200\nDune,990\n";
    let cities = [sheet("cities.csv", Format::Csv, None, text)];
    check(
        &cities,
        &[
            ("Which city has 1250000 people?", "Amar,\"1,250,000\""),
            ("Which city has 12345 people?", "Belt,12 345"),
            ("Which city has 4200 people?", "Corr,4'200"),
            ("Which city has 1.25 million people?", "Amar,\"1,250,000\""),
            ("Which city has 4201 people?", "missing 4201"),
        ],
    );
}

#[test]
fn places_and_versions_are_told_apart() {
    let masts = "mast,lat,lon,release,note\nK-7,58.1,9.4,2.0.1,near the mill\nK-8,58.2,9.5,2.0.10,\nK-9,58.3,9.6,2.1.0,from 2.0.1\n";
    let pings = "mast,ms\nK-7,12\nK-8,14\n";
    let sheets = [sheet("pings/masts.csv", Format::Csv, None, pings), sheet("masts.csv", Format::Csv, None, masts)];
    check(
        &sheets,
        &[
            ("Where is mast K-7?", "K-7,58.1,9.4,2.0.1,near the mill"),
            ("Which mast runs release 2.0.1?", "K-7,58.1,9.4,2.0.1,near the mill"),
            ("Which mast runs release 2.0?", "missing 2.0"),
            ("Which masts run release 2.0.10?", "1 of 3 rows of masts.csv have release `2.0.10`: K-8,58.2,9.5,2.0.10,"),
            ("Where is mast K-6?", "missing K-6"),
        ],
    );
}

#[test]
fn words_are_written_as_one_or_two_and_columns_say_yes_or_no() {
    let staff = "name,e-mail,timezone,on call,max shift hours\nAda Moe,ada@x.org,UTC,yes,8\nBo Lind,bo@x.org,CET,no,12\nCy Ek,cy@x.org,CET,yes,6\n";
    let staff = [sheet("staff.csv", Format::Csv, None, staff)];
    check(
        &staff,
        &[
            ("What is the email of Bo Lind?", "Bo Lind,bo@x.org,CET,no,12"),
            ("What e-mail address does Bo Lind have?", "nothing"),
            ("Which time zone does Ada Moe have?", "Ada Moe,ada@x.org,UTC,yes,8"),
            ("What are the max shift hours of Cy Ek?", "Cy Ek,cy@x.org,CET,yes,6"),
            ("What is the phone number of Bo Lind?", "nothing"),
            (
                "How many staff are on call?",
                "2 of 3 rows of staff.csv have on call true: Ada Moe,ada@x.org,UTC,yes,8 / Cy Ek,cy@x.org,CET,yes,6",
            ),
            (
                "Which staff are in time zone CET?",
                "2 of 3 rows of staff.csv have timezone `CET`: Bo Lind,bo@x.org,CET,no,12 / Cy Ek,cy@x.org,CET,yes,6",
            ),
        ],
    );
}

#[test]
fn two_readings_are_both_told_and_many_are_none() {
    let one = sheet("north/rates.csv", Format::Csv, None, "grade,rate\nA,10\nB,20\n");
    let other = sheet("south/rates.csv", Format::Csv, None, "grade,rate\nA,11\nB,20\n");
    check(
        &[one.clone(), other.clone()],
        &[
            ("What is the rate of grade \"A\"?", "A,10 / A,11"),
            ("What is the rate of grade \"B\"?", "B,20"),
            ("What is the rate of grade \"A\" in the south?", "A,11"),
        ],
    );
    let more: Vec<Sheet> = (0..6)
        .map(|n| sheet(&format!("n{n}/rates.csv"), Format::Csv, None, &format!("grade,rate\nA,{n}\nB,2\n")))
        .collect();
    check(&more, &[("What is the rate of grade \"A\"?", "nothing")]);
    let wide = [sheet("w.csv", Format::Csv, None, "site,peak load,base load\nOak,9,4\nElm,8,3\n")];
    let Answer::Found(found) = look_up("What is the load of site \"Oak\"?", &wide) else { panic!() };
    assert!(
        found.notes.iter().any(|note| note.contains("peak load") && note.contains("base load")),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_quote_that_is_never_closed_and_rows_of_other_lengths_are_read() {
    let text = "id,note\n7,\"open\n8,fine,extra\n9,ok\n";
    let notes = [sheet("notes.csv", Format::Csv, None, text)];
    check(&notes, &[("Which note does id 9 have?", "9,ok")]);
    let above = "exported 2026-01-01\nid;grade\n7;A\n8;B\n";
    let grades = [sheet("grades.csv", Format::Csv, None, above)];
    check(&grades, &[("What grade does id 8 have?", "8;B")]);
}
