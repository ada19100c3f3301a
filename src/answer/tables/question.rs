//! A question as it is put to a table: the words that rows and columns have to hold, and what is wanted of them.

use super::vocabulary::{FILLERS, GREATEST, LEAST, LIGHT, NEGATIONS, OCCASIONS};
use super::when::{When, whens};
use super::{numbers, words};
use crate::workspace::Span;

/// A word, number, date or name of the question that something in the table has to hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    /// As the question has it.
    pub(super) written: String,
    pub(super) span: Span,
    pub(super) kind: Kind,
    /// Stems of its words.
    pub(super) stems: Vec<String>,
    /// Its parts in small letters, divided at joining characters.
    pub(super) parts: Vec<String>,
    /// The word with the one before or behind it as one: `time zone` is called `timezone` in places.
    pub(super) joined: Vec<String>,
    /// What a column may be called in other words, where the word asks for it.
    pub(super) concept: Option<Ask>,
    /// Whether nothing need hold it.
    pub(super) is_light: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Word,
    /// Written with a capital letter inside the question.
    Name,
    /// All that the number may mean.
    Number(Vec<f64>),
    /// All that the date may mean.
    Date(Vec<When>),
    /// Letters and digits, or several words joined.
    Identifier,
    /// Words in quotes.
    Quoted,
}

impl Term {
    /// Whether it names one thing, so that a row about another one is no answer.
    pub(super) const fn is_exact(&self) -> bool {
        !matches!(self.kind, Kind::Word)
    }
}

/// What kind of value a question asks for, where its words say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Who,
    /// Who is to be called.
    Duty,
    Author,
    Owner,
    Where,
    When,
    Money,
    Duration,
    Meaning,
    Reason,
}

/// What is wanted of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    /// A cell or a row.
    Lookup,
    /// All rows that hold the words.
    List,
    /// How many they are.
    Count,
    /// The row with the greatest or least value.
    Extreme { is_greatest: bool, word: String, is_of_time: bool },
    /// A value computed from several rows, by the word that asks for it.
    Computed(String),
    /// The same values of several things.
    Compare,
}

/// How a value is to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    More,
    AtLeast,
    Less,
    AtMost,
}

/// A condition on a number or date.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) order: Order,
    /// The number, or the date as [`When::order`] has it.
    pub(super) bound: f64,
    pub(super) is_date: bool,
    pub(super) written: String,
}

/// A question taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) terms: Vec<Term>,
    pub(super) intent: Intent,
    pub(super) ask: Option<Ask>,
    pub(super) comparisons: Vec<Comparison>,
    /// The position of the word that says of what the rows are: `stations` in `which stations`.
    pub(super) noun: Option<usize>,
    /// Whether it asks for the rows that do not hold what it says.
    pub(super) is_negated: bool,
    /// Whether it names several things side by side.
    pub(super) joins: bool,
}

impl Question {
    /// The same question about each of two things that it names, where it names just two of a kind: those of `which took longer, A or B`.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let is_of = |term: &&Term, kind: &Kind| std::mem::discriminant(&term.kind) == std::mem::discriminant(kind);
        let exact: Vec<&Term> = self.terms.iter().filter(|term| term.is_exact() && term.kind != Kind::Name).collect();
        let [one, other] = exact[..] else { return None };
        if !self.joins
            || !is_of(&other, &one.kind)
            || !matches!(self.intent, Intent::Lookup | Intent::List | Intent::Compare)
        {
            return None;
        }
        let without = |gone: &Term| {
            let terms: Vec<Term> = self.terms.iter().filter(|term| term.span != gone.span).cloned().collect();
            let noun = self.noun.and_then(|noun| terms.iter().position(|term| term.span == self.terms[noun].span));
            Self { terms, noun, intent: Intent::Lookup, joins: false, ..self.clone() }
        };
        Some([without(other), without(one)])
    }

    /// Takes a question apart; `None` where no table answers it: yes or no, how to do something, what is not so.
    pub(super) fn of(text: &str) -> Option<Self> {
        let raw: Vec<(Span, String)> = words::runs(text)
            .into_iter()
            .map(|span| (span, text[span.range()].to_lowercase().replace('’', "'").trim_end_matches("'s").to_owned()))
            .collect();
        let lower: Vec<&str> = raw.iter().map(|(_, word)| word.as_str()).collect();
        let num_negations = lower.iter().filter(|word| NEGATIONS.contains(&format!(" {word} "))).count();
        if lower.is_empty() || num_negations > 1 {
            return None;
        }
        let (mut ask, is_open) = opening(&lower);
        if !is_open {
            return None;
        }
        let mut comparisons = Vec::new();
        let mut terms = terms(text, &raw);
        compare(&raw, &mut terms, &mut comparisons)?;
        let noun = noun(&lower, &raw, &terms);
        let intent = intent(&lower, &mut terms, noun.is_some_and(|(_, is_plural)| is_plural));
        // Only of a list can be told which rows are left.
        let is_plain =
            lower.iter().any(|word| matches!(*word, "not" | "no" | "without" | "don't" | "doesn't" | "aren't"));
        let is_negated = num_negations == 1;
        if is_negated && !(is_plain && noun.is_some() && matches!(intent, Intent::List | Intent::Count)) {
            return None;
        }
        terms.retain(|term| !NEGATIONS.contains(&format!(" {} ", term.written.to_lowercase())));
        let noun = noun.and_then(|(start, _)| terms.iter().position(|term| term.span.start == start));
        if ask.is_none_or(|ask| ask == Ask::Money) {
            ask = terms.iter().find_map(|term| term.concept).or(ask);
        }
        if ask == Some(Ask::Who) && terms.iter().any(|term| term.concept == Some(Ask::Duty)) {
            ask = Some(Ask::Duty);
        }
        if matches!(ask, Some(Ask::Who | Ask::Duty)) {
            pass_over_occasion(&lower, &raw, &mut terms);
        }
        let joins =
            lower.iter().any(|word| matches!(*word, "and" | "or" | "vs" | "versus" | "between")) || text.contains(',');
        Some(Self { terms, intent, ask, comparisons, noun, is_negated, joins })
    }
}

/// `Who is on call when the gateway fails?` is answered by the row of the gateway: what has happened to it is said in no table of duties.
fn pass_over_occasion(lower: &[&str], raw: &[(Span, String)], terms: &mut [Term]) {
    let is_duty =
        |term: &Term| matches!(term.concept, Some(Ask::Who | Ask::Duty)) || matches!(&*term.written, "alert" | "ask");
    let occasion = lower.iter().position(|word| matches!(*word, "when" | "if" | "while" | "once"));
    let Some(occasion) = occasion.filter(|at| *at > 0 && terms.iter().any(is_duty)) else { return };
    let from = raw[occasion].0.end;
    for term in terms.iter_mut().filter(|term| term.span.start >= from && !term.is_exact()) {
        let lower = term.written.to_lowercase();
        term.is_light |= OCCASIONS.contains(&format!(" {lower} "));
    }
}

/// What the first words ask for, and whether a table may answer them.
fn opening(lower: &[&str]) -> (Option<Ask>, bool) {
    const PREPOSITIONS: [&str; 12] = ["in", "on", "at", "of", "for", "by", "from", "to", "with", "and", "so", "under"];
    let at = lower.iter().position(|word| !PREPOSITIONS.contains(word)).unwrap_or(0);
    let second = lower.get(at + 1).copied().unwrap_or_default();
    match lower[at] {
        "who" | "whom" | "whose" => (Some(Ask::Who), true),
        "where" => (Some(Ask::Where), true),
        "when" => (Some(Ask::When), true),
        "why" => (Some(Ask::Reason), true),
        "how" => match second {
            "long" => (Some(Ask::Duration), true),
            "much" => (Some(Ask::Money), true),
            "many" | "old" | "far" | "big" | "large" | "high" | "often" | "tall" | "deep" | "wide" | "heavy"
            | "fast" | "low" => (None, true),
            _ => (None, false),
        },
        "which" | "what" if matches!(second, "day" | "date") => (Some(Ask::When), true),
        "is" | "are" | "was" | "were" | "do" | "does" | "did" | "can" | "could" | "should" | "will" | "has"
        | "have" | "may" | "must" => (None, false),
        _ => {
            let is_meaning = lower.windows(2).any(|pair| pair == ["stand", "for"] || pair == ["stands", "for"])
                || matches!(lower.last(), Some(&"mean" | &"means"));
            (is_meaning.then_some(Ask::Meaning), true)
        }
    }
}

/// The concept that a word of the question names.
fn concept(word: &str) -> Option<Ask> {
    Some(match word {
        "cost" | "costs" | "price" | "prices" | "priced" | "spent" | "spend" | "spending" | "pay" | "paid"
        | "expensive" | "cheapest" | "cheap" | "expense" | "expenses" | "charge" | "charged" | "bill" | "money" => {
            Ask::Money
        }
        "wrote" | "write" | "written" | "author" | "authored" | "authors" => Ask::Author,
        "owns" | "owner" | "owned" => Ask::Owner,
        "responsible" | "charge-of" | "contact" => Ask::Who,
        "call" | "called" | "page" | "paged" | "on-call" | "oncall" | "duty" => Ask::Duty,
        "located" | "location" | "situated" | "lies" => Ask::Where,
        "mean" | "means" | "meaning" | "meant" => Ask::Meaning,
        "take" | "took" | "takes" | "duration" | "longer" | "shorter" => Ask::Duration,
        _ => return None,
    })
}

/// The words that something has to hold.
fn terms(text: &str, raw: &[(Span, String)]) -> Vec<Term> {
    let mut taken: Vec<Span> = Vec::new();
    let mut terms: Vec<Term> = Vec::new();
    let mut add = |span: Span, kind: Kind| {
        let written = text[span.range()].to_owned();
        let (stems, parts) = (words::stems(&written), words::parts(&written));
        terms.push(Term { written, span, kind, stems, parts, joined: Vec::new(), concept: None, is_light: false });
    };
    for span in quoted(text) {
        taken.push(span);
        add(span, Kind::Quoted);
    }
    let is_free =
        |span: Span, taken: &[Span]| taken.iter().all(|other| span.end <= other.start || other.end <= span.start);
    let mut dates = whens(text);
    while let Some((span, when)) = dates.pop() {
        let mut readings = vec![when];
        while let Some((_, other)) = dates.pop_if(|(other, _)| *other == span) {
            readings.push(other);
        }
        if is_free(span, &taken) {
            taken.push(span);
            add(span, Kind::Date(readings));
        }
    }
    for (start, end) in numbers::numbers(text) {
        let span = Span::new(start, end);
        if is_free(span, &taken) {
            taken.push(span);
            let scale = numbers::scale(&text[end..]);
            let readings = numbers::readings(&text[start..end]);
            if scale > 1.0 {
                // `million` belongs to the number.
                taken.extend(raw.iter().map(|(word, _)| *word).find(|word| word.start >= end));
            }
            add(span, Kind::Number(readings.into_iter().map(|value| value * scale).collect()));
        }
    }
    for (index, (span, lower)) in raw.iter().enumerate() {
        let word = &text[span.range()];
        if !is_free(*span, &taken) || FILLERS.contains(&format!(" {lower} ")) {
            continue;
        }
        let has_digit = word.chars().any(|c| c.is_ascii_digit());
        let has_hump =
            word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        let is_joined = word.contains(['_', '/', '@', '#', ':', '.']);
        let is_name = index > 0 && word.chars().next().is_some_and(char::is_uppercase);
        if has_digit || has_hump || is_joined || (is_name && word.contains('-')) {
            add(*span, Kind::Identifier);
        } else if word.contains('-') {
            let mut at = span.start;
            for part in word.split('-') {
                let part_span = Span::new(at, at + part.len());
                at = part_span.end + 1;
                if !part.is_empty() && !FILLERS.contains(&format!(" {} ", part.to_lowercase())) {
                    add(part_span, Kind::Word);
                }
            }
        } else {
            add(*span, if is_name { Kind::Name } else { Kind::Word });
        }
    }
    for term in &mut terms {
        let lower = term.written.to_lowercase();
        let lower = lower.trim_end_matches("'s").trim_end_matches("’s");
        if term.kind == Kind::Word {
            term.concept = concept(lower);
            term.is_light = LIGHT.contains(&format!(" {lower} "));
        }
    }
    terms.retain(|term| !term.stems.is_empty() || !term.parts.is_empty());
    terms.sort_by_key(|term| term.span);
    for at in 1..terms.len() {
        let between = terms[at - 1].span.end..terms[at].span.start;
        if text.get(between).is_some_and(|between| matches!(between, " " | "-")) {
            let joined = format!("{}{}", terms[at - 1].written, terms[at].written).to_lowercase();
            terms[at - 1].joined.push(joined.clone());
            terms[at].joined.push(joined);
        }
    }
    terms
}

/// Words between quotes, without them.
fn quoted(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    for (open, close) in [('"', '"'), ('“', '”'), ('`', '`'), ('„', '“'), ('«', '»')] {
        let mut at = 0;
        while let Some(start) = text[at..].find(open).map(|offset| at + offset + open.len_utf8()) {
            let Some(len) = text[start..].find(close) else { break };
            let span = Span::new(start, start + len).trimmed(text);
            if !span.is_empty() {
                found.push(span);
            }
            at = start + len + close.len_utf8();
        }
    }
    found
}

/// Takes the conditions on numbers and dates out of the terms; `None` where a condition cannot be read.
fn compare(raw: &[(Span, String)], terms: &mut Vec<Term>, comparisons: &mut Vec<Comparison>) -> Option<()> {
    const PHRASES: [(&[&str], Order); 20] = [
        (&["more", "than"], Order::More),
        (&["greater", "than"], Order::More),
        (&["higher", "than"], Order::More),
        (&["larger", "than"], Order::More),
        (&["longer", "than"], Order::More),
        (&["bigger", "than"], Order::More),
        (&["above"], Order::More),
        (&["over"], Order::More),
        (&["after"], Order::More),
        (&["at", "least"], Order::AtLeast),
        (&["since"], Order::AtLeast),
        (&["less", "than"], Order::Less),
        (&["fewer", "than"], Order::Less),
        (&["lower", "than"], Order::Less),
        (&["shorter", "than"], Order::Less),
        (&["smaller", "than"], Order::Less),
        (&["below"], Order::Less),
        (&["under"], Order::Less),
        (&["before"], Order::Less),
        (&["at", "most"], Order::AtMost),
    ];
    let lower: Vec<&str> = raw.iter().map(|(_, word)| word.as_str()).collect();
    let mut gone: Vec<Span> = Vec::new();
    for at in 0..lower.len() {
        let Some((phrase, order)) = PHRASES.iter().find(|(phrase, _)| lower[at..].starts_with(phrase)) else {
            continue;
        };
        let next = raw.get(at + phrase.len())?.0.start;
        let Some(place) = terms.iter().position(|term| term.span.start <= next && next < term.span.end) else {
            // `above chart datum` is no condition; `more than usual` is one that no table knows.
            if phrase.len() > 1 {
                return None;
            }
            continue;
        };
        let term = &terms[place];
        let (bound, is_date) = match &term.kind {
            Kind::Number(readings) => (*readings.first()?, false),
            Kind::Date(readings) => (readings.first()?.order()?, true),
            _ if phrase.len() > 1 => return None,
            _ => continue,
        };
        let written = format!("{} {}", phrase.join(" "), term.written);
        comparisons.push(Comparison { order: *order, bound, is_date, written });
        gone.push(term.span);
        gone.extend(raw[at..at + phrase.len()].iter().map(|(span, _)| *span));
    }
    terms.retain(|term| !gone.contains(&term.span));
    Some(())
}

/// Where the word begins that says of what the rows are, and whether it is a plural.
fn noun(lower: &[&str], raw: &[(Span, String)], terms: &[Term]) -> Option<(usize, bool)> {
    let after = lower.iter().position(|word| matches!(*word, "which" | "many" | "list" | "all" | "what"))?;
    let (span, word) =
        raw.get(after + 1..)?.iter().find(|(_, word)| !matches!(word.as_str(), "of" | "the" | "all" | "our"))?;
    let is_plural = lower[after] != "what"
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !word.ends_with("us")
        && word.len() > 3
        || matches!(word.as_str(), "people" | "children" | "men" | "women");
    let is_term = terms.iter().any(|term| term.span.start == span.start);
    is_term.then_some((span.start, is_plural))
}

fn intent(lower: &[&str], terms: &mut Vec<Term>, is_plural: bool) -> Intent {
    let has = |wanted: &[&str]| lower.iter().copied().find(|word| wanted.contains(word));
    let mut drop = |words: &[&str]| terms.retain(|term| !words.contains(&term.written.to_lowercase().as_str()));
    if lower.windows(2).any(|pair| pair == ["how", "many"]) {
        return Intent::Count;
    }
    let is_side_by_side = has(&["compare", "vs", "versus", "comparison"]).is_some()
        || has(&["difference", "differences", "changed", "differs", "differ"]).is_some() && lower.contains(&"between");
    if is_side_by_side {
        drop(&[
            "compare",
            "vs",
            "versus",
            "difference",
            "differences",
            "changed",
            "differ",
            "differs",
            "comparison",
            "between",
        ]);
        return Intent::Compare;
    }
    let is_mean = lower.windows(2).any(|pair| pair == ["the", "mean"]) && !matches!(lower.last(), Some(&"mean"));
    if let Some(word) =
        has(&["total", "sum", "average", "median", "altogether", "combined"]).or_else(|| is_mean.then_some("mean"))
    {
        return Intent::Computed(word.to_owned());
    }
    if let Some(word) = has(&GREATEST).or_else(|| has(&LEAST)) {
        let is_greatest = GREATEST.contains(&word);
        let is_of_time = matches!(word, "latest" | "newest" | "oldest" | "earliest");
        return Intent::Extreme { is_greatest, word: word.to_owned(), is_of_time };
    }
    let lists = matches!(lower.first(), Some(&("list" | "show" | "name")));
    if is_plural || (lists && lower.contains(&"all")) { Intent::List } else { Intent::Lookup }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let Some(question) = Question::of(text) else { return "none".to_owned() };
        let terms: Vec<&str> = question.terms.iter().map(|term| term.written.as_str()).collect();
        let intent = match &question.intent {
            Intent::Lookup => "lookup".to_owned(),
            Intent::List => "list".to_owned(),
            Intent::Count => "count".to_owned(),
            Intent::Extreme { is_greatest, .. } => if *is_greatest { "greatest" } else { "least" }.to_owned(),
            Intent::Computed(word) => word.clone(),
            Intent::Compare => "compare".to_owned(),
        };
        format!("{intent}: {}", terms.join(" + "))
    }

    #[test]
    fn a_question_is_taken_apart() {
        for (question, expected) in [
            ("What did the diver cost in October 2026?", "lookup: diver + cost + October 2026"),
            ("Which stations run firmware 3.0.9?", "list: stations + run + firmware + 3.0.9"),
            ("How many stations have a Klipfisk K3 modem?", "count: stations + Klipfisk + K3 + modem"),
            ("Which station has the highest datum?", "greatest: station + highest + datum"),
            ("What is the total cost of November 2026?", "total: total + cost + November 2026"),
            ("Compare bench-07 and bench-08", "compare: bench-07 + bench-08"),
            ("What was the run time of 24 August 2023 at 08:13?", "lookup: run + time + 24 August 2023 at 08:13"),
            ("What costs 1,250,000 EUR?", "lookup: costs + 1,250,000 + EUR"),
            ("Is the cutover on 30 November?", "none"),
            ("How do I restore from a snapshot?", "none"),
            ("Which stations have no modem?", "list: stations + modem"),
            ("What is not in the modem?", "none"),
        ] {
            assert_eq!(shown(question), expected, "{question}");
        }
        let question = Question::of("Which winters had more than 40 days with ice?").unwrap();
        assert_eq!((question.comparisons[0].order, question.comparisons[0].bound), (Order::More, 40.0));
    }
}
