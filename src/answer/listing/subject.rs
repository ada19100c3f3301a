//! What a question for a list or a number is about: its noun, the words that narrow it, and what is said of its members.

use crate::answer::plan::{MENTIONS, Words};

/// The parts of a question for a list or a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The words that name the members, the noun last, each in the singular and in small letters: `full run` of `How many full runs are there?`
    pub noun: Vec<String>,
    /// The words that every member mentions, as they are written: `RVH-031`.
    pub mentioned: Option<String>,
    /// Words that narrow the members by where they are or whose they are: `bench` of `How many reports did bench write?`
    pub scope: Vec<String>,
    /// Words that are said of the members: `rejected` of `Which KEPs were rejected?`
    pub condition: Vec<String>,
}

/// Words that begin a question for members, before its noun.
const LEADS: &str = " which what list show give name find enumerate tell count how many in number of me us all every the a an any are is \
                     different various existing available ";
/// Words that end the noun.
const ENDS: &str = " are were is was did do does have has had there took take that which who whose of in by from for with on about exist \
                    exists can could may might must should will would made not been be done changed work works wrote written ";
/// Words that say nothing of the members.
const EMPTY: &str = " a an and any are at be been being can could did do does exist exists file files for had has have here how i if in is \
                     it its made many me my no. of on or our place should so than that the their them there these they this those to took take \
                     total us was we were what which who will with workspace would you your altogether so far by from not written write wrote \
                     produce produced create created make leave left ";
/// Prepositions whose words narrow the members.
const NARROWS: &str = "of|in|by|from|below|under";
/// Verbs that end `did bench write`.
const DEEDS: &str = "write|produce|make|create|leave|add|have|contain|run";
const LOOSE_MENTIONS: &str =
    "use|uses|used|name|names|named|about|talk|talks|refer|refers|concern|concerns|describe|describes";

impl Subject {
    /// The subject of a question.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let words = Words::of(question);
        let is = |at: usize, list: &str| words.get(at).is_some_and(|word| list.contains(&format!(" {word} ")));
        let is_one_of = |at: usize, pattern: &str| words.are(at, pattern);
        if words.are(0, "where is|are|was|were")
            && let Some(end) = (2..words.len()).find(|&at| is_one_of(at, MENTIONS) || is_one_of(at, LOOSE_MENTIONS))
        {
            let mentioned = Some(words.slice(2, end - 2)).filter(|words| !words.is_empty());
            return Self { noun: vec!["file".to_owned()], mentioned, ..Self::default() };
        }
        let start = (0..words.len()).find(|&at| !is(at, LEADS)).unwrap_or(words.len());
        let is_end =
            |at: &usize| is(*at, ENDS) || is_one_of(*at, MENTIONS) || is_one_of(*at, LOOSE_MENTIONS) && *at > start;
        let end = (start..words.len()).find(is_end).unwrap_or(words.len());
        let noun: Vec<String> = (start..end).filter_map(|at| words.get(at)).map(normal).collect();
        let mut subject = Self { noun, ..Self::default() };
        let is_verb =
            |at: usize| is_one_of(at, MENTIONS) || is_one_of(at, LOOSE_MENTIONS) && words.get(at) != Some("named");
        if let Some(verb) = (end..words.len()).find(|&at| is_verb(at)) {
            let mut from = verb + 1;
            while is_one_of(from, "to|about|the|a|an|word|words|term|of|string") {
                from += 1;
            }
            let behind = words.slice(from, words.len());
            // `In which files is RVH-031 mentioned?`
            let before =
                (end..verb).filter(|&at| !is(at, EMPTY)).filter_map(|at| words.get(at)).collect::<Vec<_>>().join(" ");
            subject.mentioned = Some(if behind.is_empty() { before } else { behind }).filter(|words| !words.is_empty());
            if subject.mentioned.is_some() {
                return subject;
            }
        }
        let mut at = end;
        while at < words.len() {
            let narrows = is_one_of(at, NARROWS);
            let deed =
                is_one_of(at, "did|does|do").then(|| (at + 1..words.len()).find(|&at| is_one_of(at, DEEDS))).flatten();
            if let Some(deed) = deed {
                subject
                    .scope
                    .extend((at + 1..deed).filter(|&at| !is(at, EMPTY)).filter_map(|at| words.get(at)).map(normal));
                at = deed + 1;
                continue;
            }
            if narrows {
                at += 1;
                while at < words.len() && !is(at, ENDS) {
                    subject.scope.extend(words.get(at).filter(|_| !is(at, EMPTY)).map(normal));
                    at += 1;
                }
                continue;
            }
            let says = !is(at, EMPTY) || is_one_of(at, "no|not");
            subject.condition.extend(words.get(at).filter(|_| says).map(str::to_owned));
            at += 1;
        }
        subject
    }

    /// The words that narrow the members, as the question has them.
    #[must_use]
    pub fn scope_as_written(&self, question: &str) -> String {
        let words = question.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
        words.filter(|word| self.scope.contains(&normal(word))).collect::<Vec<_>>().join(" ")
    }

    /// The noun as it is written in a summary.
    #[must_use]
    pub fn noun(&self) -> String {
        self.noun.join(" ")
    }
}

/// A word as names are compared by: in small letters, in the singular, without hyphens.
#[must_use]
pub fn normal(word: &str) -> String {
    let word: String = word.chars().filter(|c| !matches!(c, '-' | '_' | '\'')).flat_map(char::to_lowercase).collect();
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    let is_plural = word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !word.ends_with("us")
        && !word.ends_with("is");
    if is_plural { word[..word.len() - 1].to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_a_noun_and_what_narrows_it() {
        let parts = |question: &str| {
            let Subject { noun, mentioned, scope, condition } = Subject::of(question);
            (noun.join(" "), mentioned.unwrap_or_default(), scope.join(" "), condition.join(" "))
        };
        let expect = |question: &str, noun: &str, mentioned: &str, scope: &str, condition: &str| {
            assert_eq!(
                parts(question),
                (noun.to_owned(), mentioned.to_owned(), scope.to_owned(), condition.to_owned()),
                "{question}"
            );
        };
        expect("Which files mention RVH-031?", "file", "rvh-031", "", "");
        expect("Which report mentions Gorilla?", "report", "gorilla", "", "");
        expect("In which files is RVH-031 mentioned?", "file", "rvh-031", "", "");
        expect("Where is the lighthouse keeper mentioned?", "file", "the lighthouse keeper", "", "");
        expect("How many notes contain the word sluice?", "note", "sluice", "", "");
        expect("How many files are there?", "file", "", "", "");
        expect("How many reports did bench write?", "report", "", "bench", "");
        expect("How many KEPs of sig-autoscaling are there?", "kep", "", "sigautoscaling", "");
        expect("List all decisions", "decision", "", "", "");
        expect("List the open to-dos", "open todo", "", "", "");
        expect("Which KEPs were rejected?", "kep", "", "", "rejected");
        expect("Which meetings took place?", "meeting", "", "", "");
        expect("How many user stories does the scale velocity KEP have?", "user story", "", "scale velocity kep", "");
        expect("How many full runs are there?", "full run", "", "", "");
    }

    #[test]
    fn names_are_compared_in_the_singular_and_without_hyphens() {
        for (word, expected) in
            [("Decisions", "decision"), ("to-dos", "todo"), ("stories", "story"), ("status", "status"), ("KEPs", "kep")]
        {
            assert_eq!(normal(word), expected);
        }
    }
}
