//! The phrases that make a question one about time or the whole, and what is left of it without them.

use jiff::ZonedDateTime;

use super::Runs;
use super::deeds::{self, Deed};
use super::time::{self, Window};
use super::words::Words;

/// They ask what has happened.
const CHANGES: [&str; 13] = [
    "what has|have been changed|added|updated|written|created|modified|deleted|removed|done",
    "what has|have|is|was|were changed|new|happened|added|updated|modified|deleted|removed|written|created",
    "what changed|happened",
    "which|what files|documents|things changed|are|have|were",
    "what new",
    "anything|something new",
    "list|show|give me all|the changes",
    "list|show|give all|the changes",
    "list|show changes",
    "changes|change since|today|yesterday",
    "catch|bring me|us up",
    "catch me up",
    "did|has anything|something change|changed",
];

/// They ask for the whole of something.
const SUMMARIES: [&str; 12] = [
    "what is|are in here|this|these",
    "what is|are in the workspace|folder",
    "what is this|the workspace|folder|project|repository about",
    "what is here",
    "what files|documents|data are|do",
    "what do|did we|you have",
    "give|write me|us a|an summary|overview|digest|recap",
    "a|an|the summary|overview|digest|recap of",
    "summary|overview|digest|recap of",
    "summarize|summarise|recap|tldr|tl;dr|summary|overview|digest",
    "sum up",
    "table of contents",
];

/// What somebody may have done to files.
const DEEDS: &str = "do|write|produce|make|create|add|change|update|modify|delete|remove";
/// Words that name who did, at the most.
const MAX_NAME_WORDS: usize = 3;

/// They name runs of agents by their order.
const RUNS: [(&str, Runs); 3] = [
    ("last|latest|newest|recent run", Runs::Last(1)),
    ("most recent|new run", Runs::Last(1)),
    ("previous run", Runs::Previous),
];

/// Words that say nothing of what is asked about the files in scope.
const EMPTY: &str = " a about above actually agent agents all an and any anything are as at back be been briefly by can changed \
    changes come contain contents could current day days did do document documents does doing done entire event events every \
    everything file files folder for from get give go going had happened has have here how i in into is it its just kind latest \
    let list main me most my new news newest of on one ones or our out output outputs overall please produce produced project \
    recent recently repository results result run runs said say says short should show since so some stuff tell than that the \
    their them there these they thing things this those time to until up update updated updates us was way we were what when \
    where which while who whole why will with work workspace would write written you your key points point quick brief concise \
    content information activity progress state status far ";

/// What a question's words say of how it is to be answered.
#[derive(Debug)]
pub(super) struct Cues {
    /// The phrase that asks what has changed.
    pub change: Option<String>,
    /// The phrase that asks for the whole.
    pub summary: Option<String>,
    /// The phrase that names a time or runs.
    pub time_phrase: Option<String>,
    /// The time that it names, where it names one.
    pub window: Option<Window>,
    /// Whether the time is told from now: `yesterday`, `recent`, and not `on 3 November`.
    pub is_relative: bool,
    /// Whether it only says that it is to be new: `latest`, `recent`.
    pub is_vague: bool,
    /// The runs that it names.
    pub runs: Option<Runs>,
    /// Whose deeds, or which kind of files, it asks for.
    pub deed: Option<Deed>,
    /// What is left of the question: words that say something.
    pub topic: Vec<String>,
}

impl Cues {
    /// The cues of a question; without `with_deeds` as if it named nobody who did something.
    pub(super) fn of(question: &Words, now: &ZonedDateTime, with_deeds: bool) -> Self {
        let mut words = Words::of(&(0..question.len()).filter_map(|at| question.get(at)).collect::<Vec<_>>().join(" "));
        let (mut time_phrase, mut window, mut is_relative, mut is_vague) = (None, None, false, false);
        let of_run = deeds::of_run(&words).filter(|_| with_deeds);
        let named_runs = last_runs(&words).or_else(|| {
            let named = |(pattern, runs): &(&str, Runs)| Some((words.find(&[pattern])?, *runs));
            RUNS.iter().find_map(named)
        });
        let mut runs = named_runs.map(|((at, len), runs)| {
            time_phrase = Some(words.take(at, len));
            runs
        });
        if runs.is_none()
            && let Some(found) = time::find(&words, now)
        {
            time_phrase = Some(words.take(found.at, found.num_words));
            (window, is_relative, is_vague) = (found.window, found.is_relative, found.is_vague);
        }
        if runs.is_none()
            && window.is_none()
            && let Some((at, len)) = time::newest(&words)
        {
            time_phrase = Some(words.take(at, len));
            runs = Some(Runs::Newest);
        }
        let has_time = time_phrase.is_some();
        let deed = deeds::of_somebody(&words, now).or_else(|| deeds::of_files(&words).filter(|_| has_time));
        let deed = deed.filter(|_| with_deeds);
        let deed = match of_run {
            Some((deed, named)) => {
                (time_phrase, runs) = (Some(deed.phrase.clone()), Some(named));
                Some(deed)
            }
            None => deed,
        };
        if let Some(deed) = &deed {
            deed.take_from(&mut words);
        }
        let mut phrase = |patterns: &[&str]| words.find(patterns).map(|(at, len)| words.take(at, len));
        let change = phrase(&CHANGES);
        let summary = phrase(&SUMMARIES);
        let change = change.or_else(|| deeds_of_somebody(&mut words));
        let summary = summary.or_else(|| contents_of_a_place(&mut words));
        let is_empty = |word: &str| EMPTY.contains(&format!(" {word} "));
        let topic = words.rest().filter(|word| !is_empty(word)).map(str::to_owned).collect();
        Self { change, summary, time_phrase, window, is_relative, is_vague, runs, deed, topic }
    }
}

/// `What did the coder write?`: who it is stays in the topic.
fn deeds_of_somebody(words: &mut Words) -> Option<String> {
    let (at, _) = words.find(&["what did"])?;
    let who = at + 2;
    let verb = (who + 1..=who + MAX_NAME_WORDS).find(|&at| words.are(at, DEEDS))?;
    let (did, verb) = (words.take(at, 2), words.take(verb, 1));
    Some(format!("{did} … {verb}"))
}

/// `What is in plans/decisions?`: the place stays in the topic.
fn contents_of_a_place(words: &mut Words) -> Option<String> {
    let (at, len) = words.find(&["what is|are in|inside|under"])?;
    let is_place = at + len + 1 == words.len() && words.get(at + len).is_some_and(|word| word.contains('/'));
    is_place.then(|| words.take(at, len))
}

/// `The last three runs`.
fn last_runs(words: &Words) -> Option<((usize, usize), Runs)> {
    (0..words.len()).find_map(|at| {
        let number = words.are(at, "last|latest|newest|past").then(|| time::number(words.get(at + 1)?)).flatten()?;
        let is_runs = words.are(at + 2, "runs");
        is_runs.then(|| ((at, 3), Runs::Last(usize::try_from(number).unwrap_or(1).max(1))))
    })
}
