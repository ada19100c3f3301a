//! The plans for questions about something in particular, told by how they begin.

use super::PlanKind;
use super::words::Words;

/// Beginnings of questions for the members of something.
const LISTS: [&str; 14] = [
    "list",
    "enumerate",
    "show|give|tell me all|every|the list",
    "show|give|name all|every|the",
    "find all|every",
    "which files|documents|reports|notes|pages|folders",
    "in which files|documents|reports|notes|pages|folders|runs|meetings",
    "what files|documents|reports|notes|folders",
    "which are the",
    "what are the|all",
    "what are",
    "where is|are|was|were",
    "which",
    "what",
];
/// Verbs behind which stands the word that is looked for.
pub(in crate::answer) const MENTIONS: &str =
    "mention|mentions|mentioned|contain|contains|reference|references|referenced|cite|cites|discuss|discusses";
/// They ask for a number of members.
const COUNTS: [&str; 5] = ["how many", "count the|all|of", "what is the number of", "the number of", "in how many"];
/// They compare two things.
const COMPARES: [&str; 8] = [
    "compare",
    "difference|differences between",
    "changed|changes|change between",
    "differ|differs from",
    "compared with|to",
    "vs",
    "versus",
    "comparison of|between",
];
/// They ask for the version that holds now.
const CURRENT: &str = "current|currently|latest|newest|valid|now|nowadays|today's|present|presently|up-to-date|still";
/// Questions for yes or no begin so.
const YES_OR_NO: &str = "is|are|was|were|does|do|did|can|could|has|have|had|will|would|should|may|must|am";

/// The plan of a question that asks for something in particular, and the words that call for it.
pub(super) fn of(question: &Words) -> Option<(PlanKind, String)> {
    let begins =
        |patterns: &[&str]| patterns.iter().find(|pattern| question.are(0, pattern)).map(|_| question.first(3));
    let has = |patterns: &[&str]| question.find(patterns).map(|(at, len)| question.slice(at, len));
    let found = |kind, phrase: String| Some((kind, format!("the question {}: `{phrase}`", asks(kind))));
    if let Some(phrase) = begins(&COUNTS) {
        return found(PlanKind::Count, phrase);
    }
    if let Some(phrase) = has(&COMPARES).or_else(|| two_sides(question)) {
        return found(PlanKind::Compare, phrase);
    }
    if question.are(0, "who|whom|whose") || question.find(&["was|is|were written|owned|approved|made by"]).is_some() {
        return found(PlanKind::Who, question.first(3));
    }
    if let Some(phrase) = has(&[CURRENT]) {
        return found(PlanKind::Current, phrase);
    }
    if let Some(word) = defined(question) {
        return found(PlanKind::Define, word);
    }
    if question.are(0, YES_OR_NO) {
        return None;
    }
    let mentions = has(&[MENTIONS]);
    begins(&LISTS)
        .filter(|_| mentions.is_some() || is_of_members(question))
        .and_then(|phrase| found(PlanKind::List, phrase))
}

const fn asks(kind: PlanKind) -> &'static str {
    match kind {
        PlanKind::Count => "asks for a number",
        PlanKind::Compare => "compares two things",
        PlanKind::Who => "asks for somebody",
        PlanKind::Current => "asks for the version that holds now",
        PlanKind::Define => "asks for the meaning of a word",
        PlanKind::List => "asks for the members of something",
        _ => "asks for something in particular",
    }
}

/// `Which took longer, the one or the other?`
fn two_sides(question: &Words) -> Option<String> {
    let (at, _) = question.find(&["or"])?;
    let is_choice =
        question.are(0, "which|what|who|is|are") && at + 1 < question.len() && question.has_comma_before(at);
    let of_two = || question.find(&["which of"]).filter(|_| question.find(&["and"]).is_some());
    if is_choice { Some(question.slice(at, 2)) } else { of_two().map(|(at, len)| question.slice(at, len)) }
}

/// Whether the question is for all members: it begins with an order to list, or its noun stands in the plural.
fn is_of_members(question: &Words) -> bool {
    if question.are(0, "list|enumerate|show|give|name|find") {
        return true;
    }
    let noun = (1..question.len().min(5)).filter_map(|at| question.get(at));
    let mut before_verb = noun.take_while(|word| !VERBS.contains(&format!(" {word} ")));
    let is_plural =
        |word: &str| word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    question.are(0, "which|what|in") && before_verb.any(is_plural) || question.are(0, "what are")
}

const VERBS: &str = " is are was were do does did has have had can could will would may might should took take ";

/// The word that a question asks to be explained: `What is a seiche?`, `What does CBOR mean?`
pub(in crate::answer) fn defined(question: &Words) -> Option<String> {
    let rest = |from: usize| (from..question.len()).filter_map(|at| question.get(at)).collect::<Vec<_>>();
    let word = |words: &[&str]| {
        let is_plain = |word: &str| {
            !VERBS.contains(&format!(" {word} ")) && !matches!(word, "of" | "in" | "for" | "this" | "here" | "there")
        };
        ((1..=3).contains(&words.len()) && words.iter().all(|word| is_plain(word))).then(|| words.join(" "))
    };
    if question.are(0, "define|explain") {
        return word(&rest(1));
    }
    if question.are(0, "what is|are meant by") {
        return word(&rest(4));
    }
    if question.are(0, "what does") {
        let (at, _) = question.find(&["mean", "stand for"])?;
        return word(&rest(2).into_iter().take(at.saturating_sub(2)).collect::<Vec<_>>());
    }
    if question.are(0, "what is|are a|an") {
        return word(&rest(3));
    }
    if question.are(0, "what is|are") && !question.are(2, "the") {
        return word(&rest(2)).filter(|word| !word.contains(' '));
    }
    None
}

/// Whether a question is answered by yes or no.
pub(in crate::answer) fn is_yes_or_no(question: &Words) -> bool {
    question.are(0, YES_OR_NO)
}
