//! Named values of a file, and which of them say most.

use std::collections::HashMap;
use std::ops::Range;

use super::whole::Whole;
use super::{Draft, Former, Of, counted, short};

/// Values that a line names.
const MAX_NAMED: usize = 4;
/// Characters of a value that is no number.
const MAX_VALUE_CHARS: usize = 60;

/// A value under a name that no other has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// The keys that lead to it, with dots between.
    pub name: String,
    /// As it stands in the file, without quotes.
    pub text: String,
    /// The key and the value, in the text of the file.
    pub range: Range<usize>,
    /// How many keys lead to it.
    pub depth: usize,
}

impl Value {
    pub(super) fn number(&self) -> Option<f64> {
        self.text.trim_end_matches('%').parse::<f64>().ok().filter(|number| number.is_finite())
    }

    /// The last key, in small letters.
    fn key(&self) -> String {
        self.name.rsplit('.').next().unwrap_or_default().to_lowercase()
    }

    /// Whether the value says how something ended.
    fn is_outcome(&self) -> bool {
        const KEYS: [&str; 12] = [
            "status",
            "result",
            "outcome",
            "verdict",
            "conclusion",
            "passed",
            "success",
            "ok",
            "decision",
            "error",
            "state",
            "stage",
        ];
        self.depth <= 2 && KEYS.contains(&self.key().as_str())
    }

    /// Whether the value says what the file is about.
    fn is_title(&self) -> bool {
        self.depth == 1 && matches!(self.key().as_str(), "title" | "name" | "build" | "version")
    }

    /// Whether the name is one of something that was measured, rather than set.
    fn is_measured(&self) -> bool {
        const PARTS: [&str; 34] = [
            "p50",
            "p90",
            "p95",
            "p99",
            "p999",
            "latency",
            "throughput",
            "score",
            "accuracy",
            "precision",
            "recall",
            "f1",
            "ndcg",
            "mrr",
            "auc",
            "loss",
            "error",
            "fail",
            "passed",
            "rate",
            "ratio",
            "mean",
            "median",
            "max",
            "min",
            "total",
            "cost",
            "price",
            "revenue",
            "memory",
            "rss",
            "duration",
            "elapsed",
            "coverage",
        ];
        let name = self.name.to_lowercase();
        let mut words = name.split(|c: char| !c.is_alphanumeric());
        words.any(|word| PARTS.iter().any(|part| word.starts_with(part)))
    }

    /// Whether people compare runs by it.
    fn is_headline(&self) -> bool {
        const PARTS: [&str; 10] =
            ["p99", "p95", "accuracy", "score", "f1", "ndcg", "throughput", "total", "cost", "errors"];
        let key = self.key();
        let mut words = key.split(|c: char| !c.is_alphanumeric());
        words.any(|word| PARTS.contains(&word))
    }

    /// Whether the name is one of something that was set, or that only tells one file from another.
    fn is_set(&self) -> bool {
        const PARTS: [&str; 20] = [
            "id",
            "seed",
            "port",
            "version",
            "timeout",
            "year",
            "timestamp",
            "date",
            "time",
            "epoch",
            "batch",
            "threads",
            "workers",
            "limit",
            "pid",
            "repetitions",
            "runs",
            "schema",
            "seconds",
            "iterations",
        ];
        let key = self.key();
        let mut words = key.split(|c: char| !c.is_alphanumeric());
        words.any(|word| PARTS.contains(&word))
    }
}

/// Says how many figures and other values there are, names those that say most, and tells how they have changed.
pub(super) fn tell(
    whole: &Whole<'_>,
    values: &[Value],
    former: Former<'_>,
    before: &[Value],
    what: &str,
    draft: &mut Draft,
) {
    let known: HashMap<&str, &Value> = before.iter().map(|value| (value.name.as_str(), value)).collect();
    let changed = |value: &Value| known.get(value.name.as_str()).copied().filter(|old| old.text != value.text);
    let num_figures = values.iter().filter(|value| value.number().is_some()).count();
    let is_figures = what == "figure";
    let counts = if is_figures { num_figures } else { values.len() };
    if counts > 0 {
        draft.say(counted(counts, what));
    }
    let weight = |value: &Value| {
        let is_number = value.number().is_some();
        if !is_number && !value.is_outcome() && !value.is_title() && (is_figures || changed(value).is_none()) {
            return None;
        }
        let weight = 4 * i32::from(value.is_outcome())
            + 3 * i32::from(changed(value).is_some())
            + 2 * i32::from(is_number && value.is_measured())
            + i32::from(is_number && value.is_headline())
            + i32::from(value.is_title() && former.is_none())
            - 2 * i32::from(is_number && value.is_set())
            - i32::try_from(value.depth).unwrap_or(9).min(9) / 2;
        Some(weight)
    };
    let mut ranked: Vec<(i32, usize)> =
        values.iter().enumerate().filter_map(|(index, value)| Some((-weight(value)?, index))).collect();
    ranked.sort_unstable();
    ranked.truncate(MAX_NAMED);
    let mut named: Vec<usize> = ranked.into_iter().map(|(_, index)| index).collect();
    named.sort_unstable();
    let mut is_compared = false;
    for value in named.iter().map(|&index| &values[index]) {
        draft.cite(Of::File, whole.place(value.range.clone()));
        let text = short(&value.text, MAX_VALUE_CHARS);
        match (changed(value), former) {
            (Some(old), Some((_, old_whole))) => {
                is_compared = true;
                draft.cite(Of::Former, old_whole.place(old.range.clone()));
                draft.say(format!("{} {text}, changed from {}", value.name, short(&old.text, MAX_VALUE_CHARS)));
            }
            _ => draft.say(format!("{} {text}", value.name)),
        }
    }
    let Some((path, _)) = former else { return };
    let num_changed = values.iter().filter(|value| changed(value).is_some() && weight(value).is_some()).count();
    let num_named = named.iter().filter(|&&index| changed(&values[index]).is_some()).count();
    if is_compared && num_changed > num_named {
        draft.say(format!("{} more changed since `{path}`", num_changed - num_named));
    } else if is_compared {
        draft.say(format!("before: `{path}`"));
    } else if num_changed == 0 && !before.is_empty() && !values.is_empty() {
        draft.say(format!("the values are those of `{path}`"));
    }
}
