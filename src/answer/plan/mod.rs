//! How a question is answered: by retrieval, or by going through the files in scope, newest first.
//!
//! A question about time or the whole ("what changed since Monday?", "summarize recent outputs") has no nearest neighbours: it
//! is answered from the change log and a digest of each file. Which it is, is decided by its words alone, so the same
//! question at the same `now` has the same plan; the plan is in the reply, and a request can force another.
//!
//! # Not here
//! Which files are in scope (`digest::scope`), and anything that reads files. The phrases are English; in other languages
//! the plan is forced by the request.

mod deeds;
mod kinds;
mod phrases;
mod time;
mod words;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) use self::kinds::{MENTIONS, defined, is_yes_or_no};
use self::phrases::Cues;
pub use self::time::Window;
pub(super) use self::words::Words;
use crate::search::SearchError;

/// How far back "recent" goes where a question says no more, in days.
pub const RECENT_DAYS: i64 = 7;

/// Which plan is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PlanChoice {
    /// The one that the question's words call for.
    #[default]
    Auto,
    /// The nearest passages.
    Retrieval,
    /// What was changed lately or in the question's time, newest first.
    Recent,
    /// The whole of the scope.
    Overview,
    /// The members of a list, from all files in scope.
    List,
    /// How many there are, with the members.
    Count,
    /// Cells of tables and records.
    Table,
    /// The same facts of two things side by side.
    Compare,
    /// The version that holds now.
    Current,
    /// The people and agents behind something.
    Who,
    /// What a word means.
    Define,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlanKind {
    /// From the passages that fit it best.
    Retrieval,
    /// From the files that were changed in a time, newest first, each with its key sentences.
    Recent,
    /// From all files in scope, each with its key sentences.
    Overview,
    /// By naming the files, rows, sections or items that it asks for.
    List,
    /// By counting the files, rows, sections or items that it asks for.
    Count,
    /// By the cells of tables or records that its words name.
    Table,
    /// By the same facts of the things that it names, side by side.
    Compare,
    /// From the passages that fit it best, of the newest of several versions.
    Current,
    /// By who is named as author, owner, or responsible.
    Who,
    /// By the sentence that defines the word.
    Define,
}

impl PlanKind {
    /// The plan's name in requests and replies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::Recent => "recent",
            Self::Overview => "overview",
            Self::List => "list",
            Self::Count => "count",
            Self::Table => "table",
            Self::Compare => "compare",
            Self::Current => "current",
            Self::Who => "who",
            Self::Define => "define",
        }
    }

    /// Whether the answer is a digest of the files in scope.
    #[must_use]
    pub const fn goes_through_files(self) -> bool {
        matches!(self, Self::Recent | Self::Overview)
    }
}

/// Which runs of agents a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// So many of the newest.
    Last(usize),
    /// The one before the newest.
    Previous,
    /// The newest, or the newest file where that is of no run.
    Newest,
}

/// Whose files, or which kind of files, a question is about, as its words have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Who made or changed them: an agent, a run, a tag, without titles and articles.
    pub doer: Vec<String>,
    /// Which files they are: `keps` in `which KEPs changed in July?`.
    pub kind_of_file: Vec<String>,
    /// Whether the doer may be looked for in the paths of files, too.
    pub is_writer: bool,
    /// Whether the question names no time, so that all that the doer ever did is in scope.
    pub is_of_all_times: bool,
}

/// The plan of an answer, as the reply tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Plan {
    /// How the question is answered.
    pub kind: PlanKind,
    /// Why so, for a person.
    pub why: String,
    /// The time that counts as now, in an answer by files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub now: Option<Timestamp>,
    /// The time zone in which days begin: an IANA name, or an offset where the system says no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Changes at this time or later are in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Changes before this time are in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The runs that are in scope, where the question names them by their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Runs>,
    /// The topic that the question asks about, in an answer by files.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Words of the question that name files, folders, agents, runs or tags, by which the scope was narrowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How the plan differs from the words of the question, for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whose files the question is about. The plan stands where the workspace knows that name, else [`Plan::otherwise`].
    #[serde(skip)]
    pub subject: Option<Subject>,
    /// The plan of a question whose [`Plan::subject`] the workspace does not know.
    #[serde(skip)]
    pub otherwise: Option<Box<Plan>>,
}

/// When and where a question is asked.
#[derive(Debug, Clone)]
pub struct Moment {
    now: ZonedDateTime,
    /// Whether the request says so: what was changed later is not there yet.
    is_given: bool,
}

impl Moment {
    /// At `now`, else at this moment, in the zone of this IANA name, else in the system's.
    ///
    /// # Errors
    /// [`SearchError::Invalid`] for a zone that is not known.
    pub fn at(now: Option<Timestamp>, time_zone: Option<&str>) -> Result<Self, SearchError> {
        let zone = match time_zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                let hint = "give a name of the IANA database, for example `Europe/Berlin` or `UTC`";
                SearchError::invalid(format!("there is no time zone `{name}`"), hint)
            })?,
        };
        Ok(Self { now: now.unwrap_or_else(Timestamp::now).to_zoned_datetime(zone), is_given: now.is_some() })
    }

    fn zone_name(&self) -> String {
        let zone = self.now.time_zone();
        zone.iana_name().map_or_else(|| zone.to_offset(self.now.timestamp()).to_string(), str::to_owned)
    }
}

/// The plan of a question: by `choice`, else by its words.
#[must_use]
pub fn plan(question: &str, choice: PlanChoice, moment: &Moment) -> Plan {
    let plan = plan_of(question, choice, moment, true);
    if plan.kind != PlanKind::Recent {
        return plan_of(question, choice, moment, false);
    }
    let otherwise = plan.subject.is_some().then(|| Box::new(plan_of(question, choice, moment, false)));
    Plan { otherwise, ..plan }
}

/// The plan by the words; without `with_deeds` as if they named nobody who did something.
fn plan_of(question: &str, choice: PlanChoice, moment: &Moment, with_deeds: bool) -> Plan {
    let words = Words::of(question);
    let cues = Cues::of(&words, &moment.now, with_deeds);
    let asked_for = |kind| (kind, "the request asks for it".to_owned());
    let (kind, why) = match choice {
        PlanChoice::Auto => match by_words(&cues) {
            (PlanKind::Retrieval, why) => kinds::of(&words).unwrap_or((PlanKind::Retrieval, why)),
            planned => planned,
        },
        PlanChoice::Retrieval => asked_for(PlanKind::Retrieval),
        PlanChoice::Recent => asked_for(PlanKind::Recent),
        PlanChoice::Overview => asked_for(PlanKind::Overview),
        PlanChoice::List => asked_for(PlanKind::List),
        PlanChoice::Count => asked_for(PlanKind::Count),
        PlanChoice::Table => asked_for(PlanKind::Table),
        PlanChoice::Compare => asked_for(PlanKind::Compare),
        PlanChoice::Current => asked_for(PlanKind::Current),
        PlanChoice::Who => asked_for(PlanKind::Who),
        PlanChoice::Define => asked_for(PlanKind::Define),
    };
    let mut plan = Plan {
        kind,
        why,
        now: None,
        time_zone: None,
        since: None,
        until: None,
        runs: None,
        topic: String::new(),
        names: Vec::new(),
        notes: Vec::new(),
        subject: None,
        otherwise: None,
    };
    if !kind.goes_through_files() {
        return plan;
    }
    (plan.now, plan.time_zone) = (Some(moment.now.timestamp()), Some(moment.zone_name()));
    plan.topic = cues.topic.join(" ");
    if let Some(window) = &cues.window {
        (plan.since, plan.until) = (window.since, window.until);
    }
    if kind == PlanKind::Recent {
        plan.runs = cues.runs;
        let is_of_all_times = cues.time_phrase.is_none();
        let subject = cues.deed.map(|deed| Subject {
            doer: deed.doer,
            kind_of_file: deed.kind_of_file,
            is_writer: deed.is_writing,
            is_of_all_times,
        });
        plan.subject = subject.filter(|subject| !subject.doer.is_empty() || !subject.kind_of_file.is_empty());
        if moment.is_given {
            let now = moment.now.timestamp();
            plan.until = Some(plan.until.map_or(now, |until| until.min(now)));
        }
    }
    plan
}

/// What the words call for, and which they are.
fn by_words(cues: &Cues) -> (PlanKind, String) {
    let found = |what: &str, phrase: &str| format!("the question asks {what}: `{phrase}`");
    let has_topic = !cues.topic.is_empty();
    let time = cues.time_phrase.as_deref();
    if let Some(deed) = &cues.deed {
        return (
            PlanKind::Recent,
            found(if deed.doer.is_empty() { "what has changed" } else { "what somebody did" }, &deed.phrase),
        );
    }
    // `The newest change of the protocol` is looked for like anything else; `what was changed last in src/sluice` names a place.
    let is_of_place = cues.topic.iter().all(|word| word.contains('/'));
    let runs = cues.runs.filter(|runs| *runs != Runs::Newest || is_of_place);
    let is_recent = cues.is_relative || runs.is_some();
    if let Some(summary) = &cues.summary {
        return match time {
            Some(time) => (PlanKind::Recent, found("for a summary of what was changed in a time", time)),
            None => (PlanKind::Overview, found("for the whole", summary)),
        };
    }
    // `What happened on 2 November` is in what was written later.
    let is_of_then = |change: &str| cues.window.is_some() && !is_recent && change.ends_with("happened");
    if let Some(change) = &cues.change
        && (!has_topic || is_recent)
        && !is_of_then(change)
    {
        return (PlanKind::Recent, found("what has changed", change));
    }
    match time {
        Some(time) if runs.is_some() => (PlanKind::Recent, found("about runs by their order", time)),
        // `The latest version of the protocol` is looked for like anything else.
        Some(time) if is_recent && (!has_topic || !cues.is_vague) => {
            (PlanKind::Recent, found("about a time that ends now", time))
        }
        _ => (PlanKind::Retrieval, "the question asks for something in particular".to_owned()),
    }
}

#[cfg(test)]
mod tests;
