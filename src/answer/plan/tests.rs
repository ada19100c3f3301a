//! Questions and the plans that they call for.

use proptest::prelude::*;

use super::*;

/// Thursday, 19 November 2026, 15:30 in Oslo (14:30 UTC).
fn asked() -> Moment {
    Moment::at(Some("2026-11-19T14:30:00Z".parse().unwrap()), Some("Europe/Oslo")).unwrap()
}

fn planned(question: &str) -> Plan {
    plan(question, PlanChoice::Auto, &asked())
}

/// As asked at this very moment, which no request names.
fn planned_now(question: &str) -> Plan {
    plan(question, PlanChoice::Auto, &Moment { is_given: false, ..asked() })
}

/// Since, until: in the zone of the question.
fn window(question: &str) -> (String, String) {
    let plan = planned_now(question);
    let civil = |at: Option<Timestamp>| {
        let zoned = at.map(|at| at.to_zoned_datetime(TimeZone::get("Europe/Oslo").unwrap()));
        zoned.map_or_else(|| "-".to_owned(), |zoned| zoned.strftime("%a %F %H:%M").to_string())
    };
    (civil(plan.since), civil(plan.until))
}

#[test]
fn questions_about_time_go_through_the_log() {
    for question in [
        "summarize recent outputs",
        "What changed since Monday?",
        "what's new?",
        "What has been added this week",
        "show me the latest results",
        "What happened today?",
        "what did the last run say about latency?",
        "summarise what was done in the past three days",
        "Which files have changed in November?",
        "anything new since yesterday?",
        "catch me up on the last 24 hours",
        "recap of last week",
        "What was written on 2026-11-18?",
        "most recent files",
        "What did coder-03 do lately?",
        "what did the builder agent write recently",
        "list the changes",
    ] {
        assert_eq!(planned(question).kind, PlanKind::Recent, "{question}");
    }
}

#[test]
fn questions_about_the_whole_go_through_all_files() {
    for question in [
        "What is in here?",
        "summarize the workspace",
        "Summarise the incident reports",
        "give me an overview of plans",
        "what is this project about?",
        "what files do we have?",
        "sum up docs/protocol.rst",
        "what is in plans/decisions?",
    ] {
        assert_eq!(planned(question).kind, PlanKind::Overview, "{question}");
    }
}

#[test]
fn questions_for_something_in_particular_are_looked_for() {
    for question in [
        "How long was the gateway down on 2 November?",
        "What is the latest version of the protocol?",
        "What is the current p99 acknowledgement latency?",
        "What caused the outage of 2 November?",
        "What happened on 2 November?",
        "What did coder-03 say about the latest protocol?",
        "Does Foot Locker's new CEO have previous CEO experience?",
        "Has AMCOR's quick ratio improved or declined between FY2023 and FY2022?",
        "What changed in the wire format after decision 4?",
        "Which May regulations apply?",
        "Why may the march of time be new to us in the run-up?",
        "SLU-4417",
        "what is a run?",
        "",
        "???",
    ] {
        assert!(!planned(question).kind.goes_through_files(), "{question}");
    }
}

/// Who and which kind of file a question is about, the plan where the workspace knows them, and else.
fn subject(question: &str) -> (String, String, PlanKind, PlanKind) {
    let plan = planned(question);
    let subject = plan.subject.clone().unwrap_or_default();
    let otherwise = plan.otherwise.as_ref().map_or(plan.kind, |otherwise| otherwise.kind);
    (subject.doer.join(" "), subject.kind_of_file.join(" "), plan.kind, otherwise)
}

#[test]
fn questions_about_what_somebody_did_need_no_word_of_time() {
    for (question, doer) in [
        ("What did analyst write?", "analyst"),
        ("What did run an-1 do?", "an-1"),
        ("What has analyst done so far?", "analyst"),
        ("How many files did analyst write?", "analyst"),
        ("Which files has the builder agent changed?", "builder"),
        ("Summarize what analyst wrote", "analyst"),
        ("list everything that coder-03 has produced", "coder-03"),
        ("What was written by the analyst?", "analyst"),
        ("files created by run an-1", "an-1"),
        ("What happened in run an-1?", "an-1"),
        ("What has scout been working on?", "scout"),
        ("What did the committee do?", "committee"),
    ] {
        let (found, kind_of_file, kind, _) = subject(question);
        assert_eq!((found.as_str(), kind_of_file.as_str(), kind), (doer, "", PlanKind::Recent), "{question}");
        let plan = planned(question);
        assert!(plan.subject.unwrap().is_of_all_times && plan.topic.is_empty(), "{question}: {}", plan.topic);
    }
    assert_eq!(subject("What did the committee do?").3, PlanKind::Retrieval, "where nobody is called so");
    for question in
        ["What did we do today?", "What did the last run do?", "What has been changed today?", "What has changed?"]
    {
        assert_eq!(subject(question), (String::new(), String::new(), PlanKind::Recent, PlanKind::Recent), "{question}");
    }
    for question in ["What does the gateway do?", "What did the audit find?", "What has the port to pay?"] {
        assert_eq!(planned(question).subject, None, "{question}");
    }
}

#[test]
fn the_time_and_the_topic_of_what_somebody_did_are_kept() {
    let plan = planned("What did scout do in October?");
    assert_eq!((plan.kind, plan.since.is_some(), plan.topic.as_str()), (PlanKind::Recent, true, ""));
    let plan = planned("What did analyst write about latency last week?");
    assert_eq!((plan.topic.as_str(), plan.until.is_some()), ("latency", true));
    assert!(!plan.subject.unwrap().is_of_all_times);
    assert_eq!(planned("What did coder do last?").runs, Some(Runs::Newest));
    assert_eq!(planned("What did coder do last week?").runs, None);
    for question in ["What did the last bench run say about latency?", "What did bench's last run say about latency?"] {
        let plan = planned(question);
        let doer = plan.subject.unwrap().doer;
        assert_eq!(
            (doer.join(" "), plan.runs, plan.topic.as_str()),
            ("bench".to_owned(), Some(Runs::Last(1)), "latency")
        );
    }
    assert_eq!(planned("what did the last run say about latency?").subject, None);
}

#[test]
fn files_of_a_kind_that_changed_in_a_time_are_a_question_about_files() {
    let of = |question: &str| subject(question);
    let recent = |kind: &str, otherwise| (String::new(), kind.to_owned(), PlanKind::Recent, otherwise);
    assert_eq!(of("Which KEPs changed in July 2026?"), recent("keps", PlanKind::List));
    assert_eq!(of("How many meeting notes were added in October?"), recent("meeting notes", PlanKind::Count));
    assert_eq!(planned("Which files changed in July 2026?").kind, PlanKind::Recent);
    assert!(!planned("Which values changed in version 2?").kind.goes_through_files());
}

#[test]
fn the_newest_is_asked_for_by_most_recently_and_last() {
    for question in ["What was changed most recently?", "Which file was changed last?", "What is the newest file?"] {
        assert_eq!(
            (planned(question).kind, planned(question).runs),
            (PlanKind::Recent, Some(Runs::Newest)),
            "{question}"
        );
    }
    for question in ["What is the latest change to the protocol?", "How long did the storm last?", "Who left last?"] {
        assert!(!planned(question).kind.goes_through_files(), "{question}");
    }
    assert_eq!(planned("most recent files").runs, None);
}

#[test]
fn times_are_told_from_now_in_the_zone_of_the_question() {
    for (question, since, until) in [
        ("what changed today", "Thu 2026-11-19 00:00", "Fri 2026-11-20 00:00"),
        ("what changed yesterday", "Wed 2026-11-18 00:00", "Thu 2026-11-19 00:00"),
        ("what changed since Monday", "Mon 2026-11-16 00:00", "-"),
        ("what changed since Thursday", "Thu 2026-11-19 00:00", "-"),
        ("what changed last Thursday", "Thu 2026-11-12 00:00", "Fri 2026-11-13 00:00"),
        ("what changed on Friday", "Fri 2026-11-13 00:00", "Sat 2026-11-14 00:00"),
        ("what changed this week", "Mon 2026-11-16 00:00", "Mon 2026-11-23 00:00"),
        ("what changed last week", "Mon 2026-11-09 00:00", "Mon 2026-11-16 00:00"),
        ("what changed in the past week", "Thu 2026-11-12 15:30", "-"),
        ("what changed in the last 3 hours", "Thu 2026-11-19 12:30", "-"),
        ("what changed two days ago", "Tue 2026-11-17 00:00", "Wed 2026-11-18 00:00"),
        ("what changed in October", "Thu 2026-10-01 00:00", "Sun 2026-11-01 00:00"),
        ("what changed in December", "Mon 2025-12-01 00:00", "Thu 2026-01-01 00:00"),
        ("what changed since November 3rd, 2026", "Tue 2026-11-03 00:00", "-"),
        ("what changed between 1 October and 15 October", "Thu 2026-10-01 00:00", "Fri 2026-10-16 00:00"),
        ("what changed before 2026-10-20", "-", "Tue 2026-10-20 00:00"),
        ("what changed after 2026-10-20", "Wed 2026-10-21 00:00", "-"),
        ("what changed this quarter", "Thu 2026-10-01 00:00", "Fri 2027-01-01 00:00"),
        ("what changed last month", "Thu 2026-10-01 00:00", "Sun 2026-11-01 00:00"),
        ("what is new", "-", "-"),
    ] {
        assert_eq!(window(question), (since.to_owned(), until.to_owned()), "{question}");
    }
}

#[test]
fn a_day_has_the_hours_that_it_has_in_its_zone() {
    // The clocks of Oslo went back in the night to 25 October 2026.
    let now = Moment::at(Some("2026-10-26T10:00:00Z".parse().unwrap()), Some("Europe/Oslo")).unwrap();
    let plan = plan("what changed yesterday?", PlanChoice::Auto, &now);
    let hours = plan.since.unwrap().until(plan.until.unwrap()).unwrap().total(jiff::Unit::Hour).unwrap();
    assert!((hours - 25.0).abs() < 1e-9);
}

#[test]
fn what_is_asked_about_the_files_in_scope_is_the_topic() {
    let topic = |question: &str| planned(question).topic;
    assert_eq!(topic("what did the last run say about latency?"), "latency");
    assert_eq!(topic("What has changed since Monday in the retention policy?"), "retention policy");
    assert_eq!(topic("summarize recent outputs"), "");
    assert_eq!(topic("Give me a summary of the incident reports, please"), "incident reports");
    assert_eq!(planned("what did the last run say about latency?").runs, Some(Runs::Last(1)));
    assert_eq!(planned("summarize the last three runs").runs, Some(Runs::Last(3)));
    assert_eq!(planned("summarize the previous run").runs, Some(Runs::Previous));
}

#[test]
fn a_request_can_force_a_plan_and_keeps_the_times_of_the_question() {
    let forced = |question: &str, choice| plan(question, choice, &asked());
    assert_eq!(forced("what changed since Monday?", PlanChoice::Retrieval).since, None);
    let recent = forced("latency since Monday", PlanChoice::Recent);
    assert_eq!((recent.kind, recent.topic.as_str(), recent.since.is_some()), (PlanKind::Recent, "latency", true));
    assert_eq!(forced("Was gibt es Neues?", PlanChoice::Recent).kind, PlanKind::Recent);
}

#[test]
fn an_unknown_time_zone_is_refused_with_a_hint() {
    use crate::error::Advice as _;
    let error = Moment::at(None, Some("Mars/Olympus")).unwrap_err();
    assert!(error.to_string().contains("Mars/Olympus") && error.hint().unwrap().contains("Europe/Berlin"));
}

proptest! {
    #[test]
    fn any_question_has_a_plan_whose_time_does_not_end_before_it_begins(
        words in prop::collection::vec(prop::sample::select(vec![
            "what", "changed", "since", "last", "monday", "3", "days", "ago", "between", "and", "may", "31", "february", "2026",
            "the", "week", "run", "runs", "summarize", "recent", "today", "9999", "yesterday", "from", "to", "'s", "2026-02-30",
        ]), 0..9),
        any in ".{0,40}",
    ) {
        for question in [words.join(" "), any] {
            for choice in [PlanChoice::Auto, PlanChoice::Recent, PlanChoice::Overview] {
                let plan = plan(&question, choice, &asked());
                let again = super::plan(&question, choice, &asked());
                prop_assert_eq!(&plan, &again);
                // `Between today and yesterday` is what was said.
                if !question.contains("between") && !question.contains("from") && let (Some(since), Some(until)) = (plan.since, plan.until) {
                    prop_assert!(since < until, "{}", question);
                }
            }
        }
    }
}
