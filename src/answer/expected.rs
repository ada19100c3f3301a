//! What a question asks for, as far as its words say: a number, a day, a person, an address. A sentence without one is no answer to it.

use super::MONTHS;
use super::dates::dates;
use super::facts;
use super::plan::Words;
use super::unspaced;

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Anything.
    Anything,
    /// A number: `how many`.
    Number,
    /// A number of times, or a word for it: `how often`.
    Frequency,
    /// A number with its unit of time: `how long`.
    Duration,
    /// An amount of money: `how much does it cost`.
    Money,
    /// A day, month or year, or a time.
    Time,
    /// Somebody: a name, a role, an agent, an account.
    Person,
    /// `name@example.org`.
    Email,
    /// A telephone number.
    Phone,
    /// An address of the Internet Protocol.
    IpAddress,
    /// A number of a port.
    Port,
}

/// Phrases and what they ask for; the first that a question has counts.
const ASKS: [(&str, Expected); 23] = [
    ("e-mail|email address", Expected::Email),
    ("e-mail|email of", Expected::Email),
    ("mail address", Expected::Email),
    ("phone|telephone number", Expected::Phone),
    ("ip address", Expected::IpAddress),
    ("what|which port", Expected::Port),
    ("default port", Expected::Port),
    ("how long", Expected::Duration),
    ("how much time", Expected::Duration),
    ("how much money", Expected::Money),
    ("how much", Expected::Number),
    ("how many", Expected::Number),
    ("how often", Expected::Frequency),
    ("how far|high|old|large|big|fast|deep|wide|heavy", Expected::Number),
    ("number|percentage|share|size of", Expected::Number),
    ("when", Expected::Time),
    ("what|which date|day|year|month", Expected::Time),
    ("on|in which day|year|month|date", Expected::Time),
    ("who|whom|whose", Expected::Person),
    ("what throughput|load", Expected::Number),
    ("the throughput|load of", Expected::Number),
    ("salary|price|wage of", Expected::Number),
    ("upper|lower limit", Expected::Number),
];

/// Words that make an amount one of money.
const COSTS: &str = "cost|costs|earn|earns|spend|spends|spent|pay|pays|paid|price|charge|charged";

impl Expected {
    pub(super) fn of(question: &str) -> Self {
        if let Some(expected) = unspaced::asked(question) {
            return expected;
        }
        let words = Words::of(question);
        // `What should I do when the disk fills` asks for no time.
        let begins = |pattern: &str| words.are(0, pattern);
        let found = ASKS.into_iter().find(|(pattern, expected)| match expected {
            Self::Time | Self::Person if !pattern.contains(' ') => begins(pattern),
            // `Which variable sets the number of threads` asks for no number.
            Self::Number if pattern.starts_with("number|") => words.find(&[pattern]).is_some_and(|(at, _)| at <= 3),
            Self::Duration | Self::Money => words.find(&[pattern]).is_some_and(|(at, _)| at <= 2),
            _ => words.find(&[pattern]).is_some(),
        });
        match found {
            Some((_, Self::Number)) if words.find(&["how much"]).is_some() && words.find(&[COSTS]).is_some() => {
                Self::Money
            }
            // `How long is the cable` asks for a length.
            Some((_, Self::Duration))
                if words.are(0, "how long is|are the|a") && words.find(&["kept|stored|valid|open"]).is_none() =>
            {
                Self::Number
            }
            Some((_, expected)) => expected,
            None => Self::Anything,
        }
    }

    /// Whether a sentence, with what stands right above it, has such a thing beside what the question already names.
    pub(super) fn is_in(self, sentence: &str, question: &str) -> bool {
        if unspaced::is_unspaced(sentence) {
            return unspaced::has(self, sentence, question);
        }
        let numbers = || facts::tokens(sentence).into_iter().filter(|token| token.is_number);
        let is_new = |text: &str| !facts::tokens(question).iter().any(|token| token.text.eq_ignore_ascii_case(text));
        let names_a_weekday = || WEEKDAYS.iter().any(|day| sentence.to_lowercase().contains(day));
        match self {
            Self::Anything => true,
            Self::Number => has_new_number(sentence, question) || says_how_many(sentence),
            Self::Frequency => {
                has_new_number(sentence, question)
                    || names_a_weekday()
                    || has_unit(sentence, &TIMES)
                    || has_unit(sentence, &OFTEN)
            }
            Self::Duration => {
                has_new_number(sentence, question) && (has_unit(sentence, &DURATIONS) || !sentence.contains(' '))
                    || has_unit(sentence, &ENDLESS)
                    || asks_of_past(question) && numbers().any(|token| token.text.contains(':') && is_new(token.text))
            }
            Self::Money => has_new_number(sentence, question) && has_currency(sentence),
            Self::Time => {
                dates(sentence)
                    .iter()
                    .any(|date| date.span.of(sentence).is_some_and(|written| !question.contains(written)))
                    || numbers().any(|token| is_new(token.text) && is_time_or_year(token.text))
                    || names_a_weekday()
                    || has_unit(sentence, &TIMES)
            }
            Self::Person => has_person(sentence, question),
            Self::Email => {
                sentence.split_whitespace().any(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).contains('@'))
            }
            Self::Phone => numbers().any(|token| is_new(token.text)) && has_unit(sentence, &PHONES),
            Self::IpAddress => sentence
                .split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')))
                .any(|word| word.trim_matches(['.', ':']).parse::<std::net::IpAddr>().is_ok()),
            Self::Port => {
                numbers().any(|token| is_new(token.text) && token.text.parse::<u16>().is_ok_and(|port| port > 0))
            }
        }
    }
}

/// `How long was it down?` is told by when it began and ended as well.
fn asks_of_past(question: &str) -> bool {
    Words::of(question).find(&["how long was|were|did|had"]).is_some()
}

const PHONES: [&str; 10] = ["phone", "telephone", "tel", "mobile", "cell", "call", "extension", "ext", "number", "fax"];
const CURRENCIES: [&str; 18] = [
    "eur", "euro", "euros", "usd", "dollar", "dollars", "gbp", "pound", "pounds", "chf", "franc", "francs", "jpy",
    "yen", "nok", "sek", "cent", "cents",
];

/// Whether a sentence or row may tell an amount of money. A row's currency stands in its header, or nowhere.
fn has_currency(sentence: &str) -> bool {
    facts::is_row(sentence)
        || sentence.contains(['€', '$', '£', '¥', ';'])
        || has_unit(sentence, &CURRENCIES)
        || COSTS.split('|').any(|word| has_unit(sentence, &[word]))
}

const DURATIONS: [&str; 24] = [
    "ms",
    "s",
    "sec",
    "min",
    "h",
    "d",
    "millisecond",
    "milliseconds",
    "second",
    "seconds",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "night",
    "nights",
];
const ENDLESS: [&str; 5] = ["forever", "ever", "always", "indefinitely", "permanently"];
const OFTEN: [&str; 12] = [
    "once",
    "twice",
    "thrice",
    "every",
    "each",
    "never",
    "always",
    "nightly",
    "quarterly",
    "regularly",
    "rarely",
    "continuously",
];
const TIMES: [&str; 12] = [
    "today",
    "tomorrow",
    "yesterday",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "annually",
    "hourly",
    "immediately",
    "noon",
    "midnight",
];
pub(super) const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn has_unit(sentence: &str, units: &[&str]) -> bool {
    facts::tokens(sentence).iter().any(|token| units.contains(&token.text.to_lowercase().as_str()))
}

fn is_time_or_year(number: &str) -> bool {
    number.contains(':') || number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

fn has_new_number(sentence: &str, question: &str) -> bool {
    facts::has_other_number(sentence, question)
}

/// Whether a sentence says how many without a number: as many as of something else, or none.
fn says_how_many(sentence: &str) -> bool {
    Words::of(sentence)
        .find(&["same|equal number", "as many", "one per|for", "no limit", "unlimited", "none"])
        .is_some()
}

/// Whether somebody is named: a name that the question has not, an account, or a role.
fn has_person(sentence: &str, question: &str) -> bool {
    const ROLES: &str = " desk team operator operations engineer manager owner author maintainer lead office board committee officer \
                         group agent master crew department admin administrator ";
    let asked = question.to_lowercase();
    let is_new = |word: &str| !asked.contains(&word.to_lowercase());
    let mut is_first = true;
    sentence.split_whitespace().any(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
        let is_name =
            bare.chars().next().is_some_and(char::is_uppercase) && bare.chars().nth(1).is_some_and(char::is_lowercase);
        let is_account = bare.starts_with('@') && bare.len() > 2
            || bare.contains('@')
            || bare.contains('.')
                && bare.split('.').count() == 2
                && bare.split('.').all(|part| part.len() > 2 && part.chars().all(char::is_lowercase));
        let is_role = ROLES.contains(&format!(" {} ", bare.to_lowercase()));
        let is_name = is_name && !is_of_calendar(bare);
        let found = !bare.is_empty() && is_new(bare) && (is_name && !is_first || is_account || is_role);
        // A name begins a sentence as well where another one follows it.
        is_first = false;
        found
    }) || names_in_a_row(sentence, &is_new)
        || does_what_is_asked(sentence, &asked, &is_new)
        || ["agent:", "author:", "owner:", "by:"]
            .iter()
            .any(|key| sentence.trim_start().to_lowercase().starts_with(key))
}

/// `Who handles the loans?` is answered by `Yusuf handles them`, whose first word may be a name because the verb of the question follows it.
fn does_what_is_asked(sentence: &str, asked: &str, is_new: &dyn Fn(&str) -> bool) -> bool {
    let Some(verb) = asked.strip_prefix("who ").and_then(|rest| rest.split_whitespace().next()) else { return false };
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let is_plain = !matches!(
        verb,
        "is" | "are" | "was" | "were" | "has" | "have" | "can" | "will" | "may" | "must" | "do" | "does" | "did"
    );
    let begins_with_capital =
        |word: &str| word.starts_with(char::is_uppercase) && word.chars().all(char::is_alphabetic);
    is_plain && words.windows(2).any(|pair| begins_with_capital(pair[0]) && is_new(pair[0]) && pair[1] == verb)
}

/// Whether a word is a month or a day of the week: it begins with a capital letter, and is nobody.
fn is_of_calendar(word: &str) -> bool {
    let lower = word.to_lowercase();
    MONTHS.contains(&lower.as_str()) || WEEKDAYS.contains(&lower.trim_end_matches('s'))
}

/// `Harald Bech leads it`: two words in a row that are written as names, also at the beginning.
fn names_in_a_row(sentence: &str, is_new: &dyn Fn(&str) -> bool) -> bool {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let is_name = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        bare.chars().next().is_some_and(char::is_uppercase)
            && bare.chars().nth(1).is_some_and(char::is_lowercase)
            && !is_of_calendar(bare)
    };
    words.windows(2).any(|pair| is_name(pair[0]) && is_name(pair[1]) && is_new(pair[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_it_asks_for() {
        for (question, expected) in [
            ("How many stations are there?", Expected::Number),
            ("How long are raw readings kept?", Expected::Duration),
            ("How long did the run take?", Expected::Duration),
            ("How much does Tomas earn?", Expected::Money),
            ("When is the cutover?", Expected::Time),
            ("What should I do when a station is silent?", Expected::Anything),
            ("On which day was it rejected?", Expected::Time),
            ("Who leads the cutover?", Expected::Person),
            ("What is the phone number of Ines?", Expected::Phone),
            ("What is the IP address of sluice-1?", Expected::IpAddress),
            ("What e-mail address does the author have?", Expected::Email),
            ("What is the default port of the endpoint?", Expected::Port),
            ("Which modem has it?", Expected::Anything),
            ("What is the number of modems?", Expected::Number),
            ("Which variable sets the number of threads?", Expected::Anything),
        ] {
            assert_eq!(Expected::of(question), expected, "{question}");
        }
    }

    #[test]
    fn a_sentence_has_it_or_has_it_not() {
        for (question, sentence, has) in [
            ("How many of the 72 stations are old?", "The 72 stations are old.", false),
            ("How many stations are there?", "Four stations are there.", true),
            ("How long was it down?", "It was down for 37 minutes.", true),
            ("How long was it down?", "It was down in room 3.", false),
            ("How long was it down?", "It failed at 06:12.", true),
            ("How long does it wait?", "It waits one second.", true),
            ("How long does it wait?", "It is the one.", false),
            ("How long is it kept?", "It came at 06:12.", false),
            ("How many are started?", "As many as there are cores.", true),
            ("Who approved it?", "It rises on 1 January.", false),
            ("Who handles the loans?", "Yusuf handles all of them.", true),
            ("Who handles the loans?", "Requests go out by post.", false),
            ("How often do requests go out?", "Requests go out on Tuesdays.", true),
            ("How often can it be renewed?", "It can be renewed twice.", true),
            ("How often is it cleaned?", "The room can be booked by anyone.", false),
            ("When is it?", "It is on 7 December.", true),
            ("When is it?", "It is soon.", false),
            ("Who leads it?", "It is led by Ines Halvard.", true),
            ("Who leads it?", "Tomas Okoro leads it.", true),
            ("Who leads it?", "The crew leads.", true),
            ("Who leads it?", "It is led well.", false),
            ("Who approves it?", "- \"@soltysh\"", true),
            ("Who owns it?", "owner: tomas.okoro", true),
            ("What is the phone number of Ines?", "Ines is in room 12.", false),
            ("What is the IP address of sluice-1?", "sluice-1 listens on 10.0.0.7.", true),
            ("What is the IP address of sluice-1?", "sluice-1 runs build 0.9.9.", false),
            ("What e-mail address has Ines?", "Write to ines@example.org.", true),
        ] {
            assert_eq!(Expected::of(question).is_in(sentence, question), has, "{question} {sentence}");
        }
    }
}
