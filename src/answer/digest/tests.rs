//! Digests of made-up files.

use proptest::prelude::*;

use super::*;
use crate::answer::plan::{Moment, PlanChoice, plan};
use crate::workspace::Provenance;

pub(super) fn touched(path: &str, at: &str) -> Touched {
    Touched {
        path: path.parse().unwrap(),
        change: ChangeKind::Created,
        at: at.parse().unwrap(),
        created: None,
        state: Some(FileState::Ready),
        reason: None,
        title: None,
        content_hash: None,
        provenance: Provenance::default(),
    }
}

pub(super) fn planned(question: &str) -> Plan {
    let asked = Moment::at(Some("2026-11-19T12:00:00Z".parse().unwrap()), Some("UTC")).unwrap();
    plan(question, PlanChoice::Auto, &asked)
}

fn paths(files: &[Touched]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

fn some() -> Vec<Touched> {
    vec![
        touched("runs/2026-11-18-bench-08/report.md", "2026-11-18T10:00:00Z"),
        touched("runs/2026-11-18-bench-08/events.jsonl", "2026-11-18T12:00:00Z"),
        touched("runs/2026-11-11-bench-07/report.md", "2026-11-11T10:00:00Z"),
        touched("plans/roadmap.md", "2026-11-17T10:00:00Z"),
        touched("README.md", "2026-10-05T10:00:00Z"),
    ]
}

#[test]
fn the_last_run_is_the_one_with_the_newest_file() {
    let mut plan = planned("what did the last run say about latency?");
    let files = in_scope(some(), &mut plan);
    assert_eq!(paths(&files), ["runs/2026-11-18-bench-08/report.md", "runs/2026-11-18-bench-08/events.jsonl"]);
    assert_eq!(plan.topic, "latency");
    let mut plan = planned("summarize the previous run");
    assert_eq!(paths(&in_scope(some(), &mut plan)), ["runs/2026-11-11-bench-07/report.md"]);
}

#[test]
fn recent_goes_back_a_week_and_says_so_where_nothing_was_changed_for_longer() {
    let mut plan = planned("summarize recent outputs");
    assert_eq!(in_scope(some(), &mut plan).len(), 3);
    let mut old = some();
    old.retain(|file| file.path.as_str() == "README.md");
    let mut plan = planned("summarize recent outputs");
    assert_eq!(paths(&in_scope(old, &mut plan)), ["README.md"]);
    assert!(plan.notes[0].contains("nothing was changed in the 7 days"), "{:?}", plan.notes);
}

#[test]
fn words_that_name_folders_or_files_narrow_the_scope_and_leave_the_topic() {
    let mut plan = planned("summarize bench-07 about mutual TLS");
    assert_eq!(paths(&in_scope(some(), &mut plan)), ["runs/2026-11-11-bench-07/report.md"]);
    assert_eq!((plan.names.join(" "), plan.topic), ("bench-07".to_owned(), "mutual tls".to_owned()));
    let mut plan = planned("summarize the plans");
    assert_eq!(paths(&in_scope(some(), &mut plan)), ["plans/roadmap.md"]);
    let mut plan = planned("what is new on the roadmap and the plans of the pilot this week?");
    assert_eq!(in_scope(some(), &mut plan).len(), 3, "words of a topic may stand anywhere");
    assert_eq!(plan.topic, "roadmap plans pilot");
}

#[test]
fn what_comes_after_a_given_now_is_not_there_yet() {
    let asked = |now: &str, question: &str| {
        let moment = Moment::at(Some(now.parse().unwrap()), Some("UTC")).unwrap();
        paths(&in_scope(some(), &mut plan(question, PlanChoice::Auto, &moment))).len()
    };
    assert_eq!(asked("2026-11-18T11:00:00Z", "summarize recent outputs"), 2);
    assert_eq!(asked("2026-11-18T11:00:00Z", "what changed this week?"), 2);
    assert_eq!(asked("2026-11-17T09:00:00Z", "what changed since 2026-11-11?"), 1);
    assert_eq!(asked("2026-11-17T09:00:00Z", "what is in here?"), 5, "the whole has no time");
}

#[test]
fn deleted_files_are_news_and_no_part_of_the_whole() {
    let mut files = some();
    files[3] = Touched { change: ChangeKind::Deleted, state: None, ..files[3].clone() };
    let mut plan = planned("what changed since Monday?");
    let digest = Grouped::of(in_scope(files.clone(), &mut plan), &plan).into_digest(&BTreeMap::new(), &plan);
    let deleted = digest.groups.iter().flat_map(|group| &group.files).find(|file| file.change == ChangeKind::Deleted);
    assert_eq!(deleted.unwrap().path.as_str(), "plans/roadmap.md");
    let mut plan = planned("what is in here?");
    assert_eq!(in_scope(files, &mut plan).len(), 4);
}

#[test]
fn files_are_grouped_by_the_runs_that_wrote_them_and_runs_and_agents_are_names() {
    let mut files = some();
    let by = |agent: &str, run: &str| Provenance {
        agent: Some(agent.to_owned()),
        run: Some(run.to_owned()),
        ..Provenance::default()
    };
    files[0].provenance = by("coder-1", "r1");
    files[3].provenance = by("coder-2", "r1");
    files[2].provenance = by("coder-1", "r2");
    let asked = planned("what changed?");
    let digest = Grouped::of(files.clone(), &asked).into_digest(&BTreeMap::new(), &asked);
    let groups: Vec<(&str, usize)> = digest.groups.iter().map(|group| (group.name.as_str(), group.num_files)).collect();
    assert_eq!(digest.group_by, GroupBy::Run);
    assert_eq!(groups, [("runs/2026-11-18-bench-08", 1), ("r1", 2), ("r2", 1), ("", 1)]);
    let mut plan = planned("what has coder-1 written since Monday?");
    assert_eq!(paths(&in_scope(files.clone(), &mut plan)), ["runs/2026-11-18-bench-08/report.md"]);
    let mut plan = planned("summarize the last two runs");
    let last = in_scope(files, &mut plan);
    assert_eq!(
        paths(&last),
        ["runs/2026-11-18-bench-08/report.md", "runs/2026-11-18-bench-08/events.jsonl", "plans/roadmap.md"]
    );
}

#[test]
fn each_group_has_a_file_quoted_before_one_has_two_and_reports_go_first() {
    let grouped = Grouped::of(some(), &planned("what changed?"));
    let chosen: Vec<&str> = grouped.to_be_quoted(4).iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        chosen,
        ["runs/2026-11-18-bench-08/report.md", "plans/roadmap.md", "runs/2026-11-11-bench-07/report.md", "README.md"]
    );
    let places = grouped.places();
    let place = |path: &str| places[&path.parse::<RelPath>().unwrap()];
    assert_eq!((place("runs/2026-11-18-bench-08/events.jsonl"), place("runs/2026-11-18-bench-08/report.md")), (0, 1));
    assert_eq!(place("README.md"), 4);
}

#[test]
fn files_of_data_are_quoted_after_those_for_people() {
    let files = vec![
        touched("run/results.json", "2026-11-18T12:00:00Z"),
        touched("run/plan.md", "2026-11-18T10:00:00Z"),
        touched("run/report.md", "2026-11-18T09:00:00Z"),
    ];
    let chosen: Vec<String> = Grouped::of(files, &planned("what changed?"))
        .to_be_quoted(9)
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    assert_eq!(chosen, ["run/report.md", "run/plan.md", "run/results.json"]);
}

proptest! {
    #[test]
    fn every_file_is_counted_in_one_group(
        places in prop::collection::vec((0_u8..4, 0_u16..400, 0_i64..1_000, prop::option::of(0_u8..3)), 0..60),
        num_quoted in 0_usize..10,
        is_whole in any::<bool>(),
    ) {
        let mut names = HashSet::new();
        let mut files = Vec::new();
        for (folder, number, minute, hash) in places {
            let path = format!("f{folder}/n{number}");
            if names.insert(path.clone()) {
                let at = Timestamp::from_second(minute * 60).unwrap();
                let content_hash = hash.map(|hash| crate::workspace::ContentHash([hash; 32]));
                files.push(Touched { at, content_hash, ..touched(&path, "2026-11-18T10:00:00Z") });
            }
        }
        let num_files = files.len();
        let plan = planned(if is_whole { "what is in here?" } else { "what changed?" });
        let grouped = Grouped::of(files, &plan);
        let shown = Shown { sentences: vec![0], about: None };
        let quoted: BTreeMap<RelPath, Shown> =
            grouped.to_be_quoted(num_quoted).iter().map(|file| (file.path.clone(), shown.clone())).collect();
        prop_assert!(quoted.len() <= num_quoted);
        let digest = grouped.into_digest(&quoted, &plan);
        prop_assert_eq!(digest.num_files, num_files);
        let counted: usize = digest.groups.iter().map(|group| group.files.len() + group.num_not_listed).sum();
        prop_assert_eq!(counted, num_files);
        prop_assert!(digest.groups.windows(2).all(|pair| pair[0].newest >= pair[1].newest));
        for group in &digest.groups {
            prop_assert_eq!(group.num_files, group.files.len() + group.num_not_listed);
            prop_assert!(group.files.windows(2).all(|pair| pair[0].at >= pair[1].at));
        }
    }
}

#[test]
fn whom_a_question_names_is_looked_for_among_writers_then_runs_then_paths() {
    let mut files = some();
    files.push(touched("drafts/analyst-notes.md", "2026-11-18T10:00:00Z"));
    let narrowed = |files: &[Touched], question: &str| {
        let mut plan = planned(question);
        let is_known = is_known(files, plan.subject.as_ref().unwrap());
        let left: Vec<String> = in_scope(files.to_vec(), &mut plan).iter().map(|file| file.path.to_string()).collect();
        (is_known, left, plan.why)
    };
    let (is_known, left, why) = narrowed(&files, "What did bench do?");
    assert!(
        is_known && left.len() == 3 && why.contains("folders of its runs") && why.ends_with("of all times"),
        "{left:?} {why}"
    );
    let (is_known, left, why) = narrowed(&files, "What did analyst write?");
    assert!(is_known && left == ["drafts/analyst-notes.md"] && why.contains("in their paths"), "{left:?} {why}");
    assert!(!narrowed(&files, "What did analyst do?").0, "a path does not say who did something");
    assert!(!narrowed(&files, "What did run bench-99 do?").0);
    files[3].provenance.agent = Some("bench".to_owned());
    let (_, left, why) = narrowed(&files, "What did bench do?");
    assert!(left == ["plans/roadmap.md"] && why.contains("what the writers"), "{left:?} {why}");
}

#[test]
fn what_somebody_did_in_a_time_is_that_of_the_time_alone() {
    let mut plan = planned("What did bench do on 2026-11-11?");
    assert_eq!(paths(&in_scope(some(), &mut plan)), ["runs/2026-11-11-bench-07/report.md"]);
    let mut plan = planned("What did bench do last?");
    assert_eq!(in_scope(some(), &mut plan).len(), 2, "the newest run of those");
    let mut plan = planned("What did bench do in January?");
    assert!(in_scope(some(), &mut plan).is_empty());
}

#[test]
fn the_newest_is_a_run_or_the_files_of_one_moment() {
    let mut plan = planned("What was changed most recently?");
    assert_eq!(in_scope(some(), &mut plan).len(), 2, "{:?}", plan.notes);
    let mut files = some();
    files.push(touched("plans/today.md", "2026-11-19T10:00:00Z"));
    files.push(touched("plans/too.md", "2026-11-19T09:55:00Z"));
    let mut plan = planned("What was changed most recently?");
    assert_eq!(paths(&in_scope(files, &mut plan)), ["plans/today.md", "plans/too.md"]);
}

#[test]
fn which_files_of_a_kind_changed_is_told_by_folders_and_paths() {
    let mut plan = planned("Which plans changed in November?");
    assert!(is_known(&some(), plan.subject.as_ref().unwrap()));
    assert_eq!(paths(&in_scope(some(), &mut plan)), ["plans/roadmap.md"]);
    let plan = planned("Which tariffs changed in November?");
    assert!(!is_known(&some(), plan.subject.as_ref().unwrap()));
}

#[test]
fn the_whole_is_told_by_folders_and_begins_with_its_readme() {
    let plan = planned("what is in here?");
    let grouped = Grouped::of(some(), &plan);
    assert_eq!(grouped.to_be_quoted(9)[0].path.as_str(), "README.md");
    let digest = grouped.into_digest(&BTreeMap::new(), &plan);
    let runs = &digest.groups[0];
    assert_eq!((runs.name.as_str(), runs.num_files, runs.folders.len()), ("runs", 3, 2));
    assert_eq!((runs.folders[0].name.as_str(), runs.folders[0].num_files), ("2026-11-18-bench-08", 2));
    assert!(digest.heading.starts_with("5 files in 3 folders"), "{}", digest.heading);
    let mut below = some();
    below.retain(|file| file.path.as_str().starts_with("runs/"));
    let digest = Grouped::of(below, &plan).into_digest(&BTreeMap::new(), &plan);
    assert_eq!(digest.groups.len(), 2, "the folder that holds all is no group");
}
