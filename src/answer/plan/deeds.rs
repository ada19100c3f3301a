//! Questions about what somebody did: who it is, and what is left of the question without that.
//!
//! # Not here
//! Whether the workspace knows that somebody: `digest::subject` looks.

use jiff::ZonedDateTime;

use super::words::Words;
use super::{Runs, time};

/// What an agent may do to files, as it stands behind `did`.
const DO: &str = "do|write|produce|make|create|add|change|update|modify|delete|remove|generate|deliver|leave|build|commit|publish|\
                  draft|edit|touch|save|upload|finish|complete|output|contribute";
/// The same behind `has` and `was`.
const DONE: &str = "done|written|produced|made|created|added|changed|updated|modified|deleted|removed|generated|delivered|left|built|\
                    committed|published|drafted|edited|touched|saved|uploaded|finished|completed|contributed|authored";
/// The same behind the name alone.
const DID: &str = "did|wrote|produced|made|created|added|changed|updated|modified|deleted|removed|generated|delivered|left|built|\
                   committed|published|drafted|edited|touched|saved|uploaded|finished|completed|contributed|authored";
/// Words before a name that say what it names.
const TITLES: &str = " the a an our my agent agents bot user run assistant ";
/// They stand for somebody whom the question does not name, or for nobody at all.
const PRONOUNS: &str = " has have had was were is are did got you we i they he she it us people everyone everybody anyone anybody someone somebody nobody who all each others \
                        there this that these those which what been be being just already recently lately happened changed not ever new now \
                        last latest newest previous recent ";
/// Deeds by which files come about.
const WRITING: &str = "write|written|wrote|produce|produced|make|made|create|created|generate|generated|deliver|delivered|publish|published|\
                       draft|drafted|save|saved|upload|uploaded|output|contribute|contributed|authored";
/// They name files, whatever is in them.
pub(super) const FILES: &str =
    " file files document documents thing things output outputs artifact artifacts artefact artefacts ";
/// Words that name who did, at the most.
const MAX_NAME_WORDS: usize = 4;
/// Words that say which kind of file, at the most.
const MAX_KIND_WORDS: usize = 3;

/// What a question says of whose files, or which kind of files, it is about.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Deed {
    /// The words that say so.
    pub phrase: String,
    /// Who did it.
    pub doer: Vec<String>,
    /// `KEPs` in `which KEPs changed`.
    pub kind_of_file: Vec<String>,
    /// Whether the deed is one by which files come about, so that the name may stand in their paths.
    pub is_writing: bool,
    /// Words of the question that are none of a topic any more: where they begin, and how many they are.
    taken: Vec<(usize, usize)>,
}

impl Deed {
    /// Takes its words out of the question.
    pub(super) fn take_from(&self, words: &mut Words) {
        for &(at, num_words) in &self.taken {
            words.take(at, num_words);
        }
    }
}

/// Whose deeds the question asks for; `None` where it names nobody.
pub(super) fn of_somebody(words: &Words, now: &ZonedDateTime) -> Option<Deed> {
    let asked = Asked::of(words);
    // `Did the coder change the wire format?` asks whether, not what.
    if words.are(0, "did|has|have|had") && words.find(&["anything|something"]).is_none() {
        return None;
    }
    let found = asked_of_doer(words, asked.end()).or_else(|| told_of_doer(words)).or_else(|| by_doer(words, now))?;
    let (doer_at, doer_len, mut taken) = found;
    let doer = name(words, doer_at, doer_len)?;
    taken.extend([(doer_at, doer_len), (asked.at, asked.num_words)]);
    let is_taken = |at: usize| taken.iter().any(|(start, len)| (*start..start + len).contains(&at));
    let is_writing = (0..words.len()).any(|at| is_taken(at) && words.are(at, WRITING));
    let phrase =
        (0..words.len()).filter(|at| is_taken(*at)).filter_map(|at| words.get(at)).collect::<Vec<_>>().join(" ");
    Some(Deed { phrase, doer, kind_of_file: asked.kind(words), is_writing, taken })
}

/// `The last bench run`, `the analyst's last run`: whose run, and which of theirs.
pub(super) fn of_run(words: &Words) -> Option<(Deed, Runs)> {
    const ORDER: &str = "last|latest|newest|previous";
    let at =
        (0..words.len()).find(|&at| words.are(at, ORDER) && (words.are(at + 1, "run") || words.are(at + 2, "run")))?;
    let (doer_at, taken) = if words.are(at + 1, "run") { (at.checked_sub(1)?, (at, 2)) } else { (at + 1, (at, 3)) };
    let doer = name(words, doer_at, 1)?;
    let runs = if words.are(at, "previous") { Runs::Previous } else { Runs::Last(1) };
    let phrase = (doer_at.min(at)..taken.0 + taken.1).filter_map(|at| words.get(at)).collect::<Vec<_>>().join(" ");
    let taken = vec![(doer_at, 1), taken];
    Some((Deed { phrase, doer, kind_of_file: Vec::new(), is_writing: false, taken }, runs))
}

/// `Which KEPs changed in July?`: files of a kind that were changed, where the question names a time.
pub(super) fn of_files(words: &Words) -> Option<Deed> {
    let asked = Asked::of(words);
    if asked.num_words == 0 {
        return None;
    }
    (asked.kind_at..=asked.kind_at + MAX_KIND_WORDS).find_map(|at| {
        let auxiliary =
            (at..words.len()).take_while(|&at| words.are(at, "has|have|had|been|was|were|are|is|got|did|new")).count();
        let verb = at + auxiliary;
        let is_change = words.are(verb, DONE) || auxiliary > 0 && words.are(verb, "change");
        let kind: Vec<String> = (asked.kind_at..at).filter_map(|at| words.get(at)).map(str::to_owned).collect();
        let is_named = !kind.is_empty() && !kind.iter().any(|word| PRONOUNS.contains(&format!(" {word} ")));
        (is_change && is_named).then(|| {
            let taken = vec![(asked.at, verb + 1 - asked.at)];
            let phrase = (asked.at..=verb).filter_map(|at| words.get(at)).collect::<Vec<_>>().join(" ");
            let kind_of_file = kind.into_iter().filter(|word| !is_any_file(word)).collect();
            Deed { phrase, doer: Vec::new(), kind_of_file, is_writing: false, taken }
        })
    })
}

fn is_any_file(word: &str) -> bool {
    FILES.contains(&format!(" {word} ")) || matches!(word, "the" | "of" | "new" | "all" | "many" | "much")
}

/// How the question begins: `what`, `which reports`, `how many files`.
struct Asked {
    at: usize,
    num_words: usize,
    kind_at: usize,
    kind_len: usize,
}

impl Asked {
    fn of(words: &Words) -> Self {
        let Some((at, len)) = words.find(&["how many", "number of", "what|which"]) else {
            return Self { at: 0, num_words: 0, kind_at: 0, kind_len: 0 };
        };
        let kind_at = at + len;
        let is_end = |at: usize| {
            words.are(at, "did|has|have|had|was|were|is|are|got") || words.are(at, DONE) && words.are(at + 1, "by")
        };
        let kind_len = (0..=MAX_KIND_WORDS).find(|len| is_end(kind_at + len)).unwrap_or(0);
        Self { at, num_words: len + kind_len, kind_at, kind_len }
    }

    const fn end(&self) -> usize {
        self.kind_at + self.kind_len
    }

    /// The words that say which files, without those that say no more than that they are files.
    fn kind(&self, words: &Words) -> Vec<String> {
        let kind = (self.kind_at..self.end()).filter_map(|at| words.get(at));
        kind.filter(|word| !is_any_file(word)).map(str::to_owned).collect()
    }
}

/// Where the doer's words begin, how many they are, and the other words of the phrase.
type Found = (usize, usize, Vec<(usize, usize)>);

/// `What did the coder write`, `which files has run an-1 changed`, `what has scout been working on`.
fn asked_of_doer(words: &Words, behind: usize) -> Option<Found> {
    let auxiliary = (behind..words.len().min(behind + 2)).find(|&at| words.are(at, "did|has|have|had"))?;
    let doer = auxiliary + 1;
    let is_past = words.are(auxiliary, "did");
    (doer + 1..=doer + MAX_NAME_WORDS).find_map(|verb| {
        let num_words = if is_past && words.are(verb, DO) {
            1
        } else if !is_past && words.are(verb, DONE) {
            if words.are(verb + 1, "so far") { 3 } else { 1 }
        } else if !is_past && words.are(verb, "been doing|making|writing|producing|changing") {
            2
        } else if !is_past && (words.are(verb, "been working on") || words.are(verb, "been up to")) {
            3
        } else {
            return None;
        };
        Some((doer, verb - doer, vec![(auxiliary, 1), (verb, num_words)]))
    })
}

/// `Summarize what analyst wrote`, `everything that coder-03 has changed`.
fn told_of_doer(words: &Words) -> Option<Found> {
    let all = words.find(&["what|everything|anything|all|whatever"])?.0;
    let that = usize::from(words.are(all + 1, "that|which"));
    let doer = all + 1 + that;
    (doer + 1..=doer + MAX_NAME_WORDS).find_map(|verb| {
        let has = usize::from(words.are(verb, "has|have|had"));
        let is_deed = if has == 1 { words.are(verb + 1, DONE) } else { words.are(verb, DID) };
        is_deed.then(|| (doer, verb - doer, vec![(all, 1 + that), (verb, 1 + has)]))
    })
}

/// `Files written by run an-1`, `what was done by the analyst`, `what happened in run an-1`.
fn by_doer(words: &Words, now: &ZonedDateTime) -> Option<Found> {
    let is_end = |at: usize| {
        words.get(at).is_none()
            || time::begins(words, at, now)
            || words.are(at, "about|on|in|so|and|for|since|during|before|after")
    };
    let length = |doer: usize| (1..=MAX_NAME_WORDS).find(|len| is_end(doer + len));
    (1..words.len()).find_map(|at| {
        if words.are(at - 1, DONE) && words.are(at, "by") {
            let before = (0..at - 1).rev().take_while(|&at| words.are(at, "was|were|is|are|has|have|been|got")).count();
            return Some((at + 1, length(at + 1)?, vec![(at - 1 - before, before + 2)]));
        }
        let of_run = words.are(at, "in|during|of|from|by run") && words.get(at + 2).is_some_and(is_like_an_id);
        let verb = (0..at).find(|&at| words.are(at, "happened|out|came|done|made|produced|written|created|output"))?;
        of_run.then(|| (at + 2, 1, vec![(at, 2), (verb, 1)]))
    })
}

/// Whether a word names one run rather than any.
fn is_like_an_id(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// The words that name somebody; `None` where they name nobody in particular.
fn name(words: &Words, at: usize, num_words: usize) -> Option<Vec<String>> {
    let all: Vec<&str> = (at..at + num_words).filter_map(|at| words.get(at)).collect();
    let is_title = |word: &&str| TITLES.contains(&format!(" {word} "));
    let rest: Vec<String> = all.iter().filter(|word| !is_title(word)).map(|word| (*word).to_owned()).collect();
    let is_nobody = rest.iter().any(|word| PRONOUNS.contains(&format!(" {word} ")));
    (!rest.is_empty() && !is_nobody && rest.len() <= 3).then_some(rest)
}
