//! The rows and columns of one table that a question names.

use super::question::{Ask, Intent, Kind, Order, Question, Term};
use super::view::{Found, View};
use super::words::Held;

/// Rows that one look-up may give without asking for a list.
const MAX_ROWS_OF_LOOKUP: usize = 12;

/// What a question names in a table.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Positions of the rows, in the order to show them.
    pub(super) rows: Vec<usize>,
    /// Columns that are asked for, best first; none where the whole row is.
    pub(super) columns: Vec<usize>,
    /// Columns in which the rows were found.
    pub(super) conditions: Vec<usize>,
    /// Columns whose values were compared with a bound of the question, and that bound.
    pub(super) bounds: Vec<(usize, String)>,
    /// How much of the question which part of the table holds.
    pub(super) score: usize,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Cells,
    /// All rows that hold the words.
    Members,
    /// The rows with the greatest or least value of a column.
    Extreme {
        column: usize,
    },
    /// Rows whose values are in different units, so that none is the greatest.
    NotCompared {
        column: usize,
    },
    /// Rows that a sum or an average would be made of.
    NotComputed {
        column: usize,
        word: String,
    },
    /// Things side by side.
    Compared,
}

/// Why a table answers nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// It holds all words but this exact one, by its position.
    Exact(usize),
    Other,
}

/// What a question names in a table.
pub(super) fn choose(question: &Question, view: &View<'_>) -> Result<Reading, Miss> {
    let mut question = question.clone();
    settle(&mut question, view);
    if question.terms.is_empty() {
        return Err(Miss::Other);
    }
    let found: Vec<Found> = question.terms.iter().map(|term| view.find(term)).collect();
    let is_missing = |(term, found): &(&Term, &Found)| !found.is_held() && !term.is_light;
    let missing: Vec<usize> =
        question.terms.iter().zip(&found).enumerate().filter(|(_, pair)| is_missing(pair)).map(|(at, _)| at).collect();
    if let [only] = missing[..]
        && is_key_like(&question.terms[only])
    {
        let num_held = found.iter().filter(|found| !found.columns.is_empty() || !found.cells.is_empty()).count();
        let has_column = found.iter().any(|found| !found.columns.is_empty() || !found.meant.is_empty())
            || view.has_like(&question.terms[only]);
        return Err(if num_held > 0 && has_column { Miss::Exact(only) } else { Miss::Other });
    }
    // One word of the paragraph above the table is enough of that.
    let num_in_caption = found
        .iter()
        .filter(|found| found.in_caption && found.cells.is_empty() && found.columns.is_empty() && !found.in_context)
        .count();
    if !missing.is_empty() || num_in_caption > 1 {
        return Err(Miss::Other);
    }
    let chooser = Chooser { question: &question, view, found: &found };
    chooser.choose().ok_or(Miss::Other)
}

/// Whether a term is one that a row would have as its key.
fn is_key_like(term: &Term) -> bool {
    matches!(term.kind, Kind::Identifier | Kind::Number(_) | Kind::Date(_) | Kind::Quoted)
}

/// Decides what depends on the table: a column may be called `highest` or `total`.
fn settle(question: &mut Question, view: &View<'_>) {
    let word = match &question.intent {
        Intent::Extreme { word, .. } | Intent::Computed(word) => word.clone(),
        _ => return,
    };
    let is_word = |term: &Term| term.written.to_lowercase() == word;
    let is_header = question
        .terms
        .iter()
        .find(|term| is_word(term))
        .is_some_and(|term| view.columns.iter().any(|column| column.hold(term)));
    if is_header {
        question.intent = Intent::Lookup;
        question.terms.iter_mut().filter(|term| is_word(term)).for_each(|term| term.is_light = false);
        return;
    }
    let noun = question.noun.map(|noun| question.terms[noun].span);
    let money = question.terms.iter().find(|term| is_word(term)).and_then(|term| term.concept);
    question.terms.retain(|term| !is_word(term) && term.written.to_lowercase() != "expensive");
    question.noun = noun.and_then(|noun| question.terms.iter().position(|term| term.span == noun));
    question.ask = question.ask.or(money);
}

struct Chooser<'c> {
    question: &'c Question,
    view: &'c View<'c>,
    found: &'c [Found],
}

impl Chooser<'_> {
    fn terms(&self) -> impl Iterator<Item = (usize, &Term, &Found)> {
        self.question.terms.iter().zip(self.found).enumerate().map(|(at, (term, found))| (at, term, found))
    }

    fn is_noun(&self, at: usize) -> bool {
        self.question.noun == Some(at)
    }

    fn choose(&self) -> Option<Reading> {
        let num_rows = self.view.table.rows.len();
        let (mut rows, by_terms) = self.rows()?;
        let named = self.named(&by_terms, &rows);
        let bounds = self.compared(&named, &mut rows)?;
        if rows.is_empty() {
            return None;
        }
        let is_narrowed = rows.len() < num_rows || !by_terms.is_empty();
        let mut conditions: Vec<usize> = by_terms.iter().map(|(_, column)| *column).collect();
        conditions.sort_unstable();
        conditions.dedup();
        let mut reading =
            Reading { rows, columns: named, conditions, bounds, score: self.score(), outcome: Outcome::Cells };
        match &self.question.intent {
            Intent::Compare => self.side_by_side(reading),
            Intent::Count | Intent::List => {
                let is_list = self.question.intent == Intent::List;
                // `How many seats does the van have` asks for a cell, and `which sensors does RVH-031 have` too.
                if self.noun_is_asked_column(&reading) {
                    return self.cells(reading, is_narrowed);
                }
                if self.view.is_single() || self.view.table.is_cut && !is_list {
                    return if is_list { self.cells(reading, is_narrowed) } else { None };
                }
                let is_strong = self.is_strong(&reading.rows) || !self.question.comparisons.is_empty();
                if is_narrowed && is_strong && reading.rows.len() < num_rows {
                    reading.outcome = Outcome::Members;
                    return Some(reading);
                }
                (!is_list && !is_narrowed && self.counts_all()).then(|| {
                    reading.outcome = Outcome::Members;
                    reading.columns.clear();
                    reading
                })
            }
            Intent::Extreme { is_greatest, word, is_of_time } => self.extreme(reading, *is_greatest, word, *is_of_time),
            Intent::Computed(word) => {
                let column = self.measure(&reading)?;
                let is_named = is_narrowed && self.is_strong(&reading.rows) || self.counts_all();
                (is_named && reading.rows.len() > 1).then(|| {
                    reading.outcome = Outcome::NotComputed { column, word: word.clone() };
                    reading.columns = vec![column];
                    reading
                })
            }
            Intent::Lookup => self.cells(reading, is_narrowed),
        }
    }

    /// The rows that hold the terms that only rows hold, and the columns in which each term was found.
    fn rows(&self) -> Option<(Vec<usize>, Vec<(usize, usize)>)> {
        let num_rows = self.view.table.rows.len();
        let mut rows: Vec<usize> = (0..num_rows).collect();
        let mut by_terms: Vec<(usize, usize)> = Vec::new();
        let holding = |term: &Term, found: &Found| {
            // A cell that is nothing else comes before one that mentions it.
            let is_whole = |held: Held| !term.is_exact() || held == Held::Whole;
            let has_whole = found.cells.iter().any(|(_, _, held)| is_whole(*held));
            let cells = found.cells.iter().filter(|(_, _, held)| !has_whole || is_whole(*held));
            let mut holding: Vec<usize> = cells.map(|(row, _, _)| *row).collect();
            holding.dedup();
            holding
        };
        let both = |rows: &[usize], other: &[usize]| -> Vec<usize> {
            rows.iter().copied().filter(|row| other.binary_search(row).is_ok()).collect()
        };
        let mut add = |at: usize, found: &Found, rows: &[usize]| {
            let mut columns: Vec<usize> = found
                .cells
                .iter()
                .filter(|(row, _, _)| rows.binary_search(row).is_ok())
                .map(|(_, column, _)| *column)
                .collect();
            columns.sort_unstable();
            columns.dedup();
            by_terms.extend(columns.into_iter().map(|column| (at, column)));
        };
        let mut united: Vec<usize> = Vec::new();
        let required: Vec<(usize, &Term, &Found)> =
            self.terms().filter(|(_, term, found)| found.is_of_rows() && !term.is_light).collect();
        for &(at, term, found) in &required {
            let mut narrowed = both(&rows, &holding(term, found));
            if narrowed.is_empty() && self.question.joins {
                // `RVH-009 and RVH-031` are two rows.
                united.extend(&rows);
                narrowed = holding(term, found);
            }
            rows = narrowed;
            add(at, found, &rows);
        }
        rows.extend(united);
        rows.sort_unstable();
        rows.dedup();
        if rows.is_empty() {
            return None;
        }
        rows = self.in_one_cell(&required, rows);
        for (at, term, found) in self.terms() {
            let is_optional = !found.cells.is_empty() && !found.is_of_rows() && !term.is_light && !self.is_noun(at);
            // A word that names a column says nothing of the rows.
            if !is_optional || (!found.columns.is_empty() && !term.is_exact()) {
                continue;
            }
            let narrowed = both(&rows, &holding(term, found));
            if !narrowed.is_empty() && narrowed.len() < rows.len() {
                rows = narrowed;
                add(at, found, &rows);
            }
        }
        if self.question.intent == Intent::Lookup && !self.question.joins {
            for &(_, _, found) in &required {
                let is_whole =
                    |row: &usize| found.cells.iter().any(|(other, _, held)| other == row && *held == Held::Whole);
                let narrowed: Vec<usize> = rows.iter().copied().filter(is_whole).collect();
                if !narrowed.is_empty() {
                    rows = narrowed;
                }
            }
        }
        // A condition behind the name of its column is met there: `firmware 3.0.9`.
        let headed: Vec<usize> = self.terms().flat_map(|(_, _, found)| found.columns.iter().copied()).collect();
        for &(at, _, found) in &required {
            let in_column =
                |row: &usize| found.cells.iter().any(|(other, column, _)| other == row && headed.contains(column));
            let narrowed: Vec<usize> = rows.iter().copied().filter(in_column).collect();
            if !narrowed.is_empty() && narrowed.len() < rows.len() && !self.question.joins {
                rows = narrowed;
                by_terms.retain(|(other, column)| *other != at || headed.contains(column));
            }
        }
        by_terms.retain(|(at, column)| {
            self.found[*at].cells.iter().any(|(row, other, _)| other == column && rows.binary_search(row).is_ok())
        });
        Some((rows, by_terms))
    }

    /// Neighbouring words that some rows have in one cell are meant so: `Klipfisk K3`.
    fn in_one_cell(&self, required: &[(usize, &Term, &Found)], mut rows: Vec<usize>) -> Vec<usize> {
        for pair in required.windows(2) {
            let [(one, _, first), (next, _, second)] = pair else { continue };
            if one + 1 != *next {
                continue;
            }
            let together = |row: &usize| {
                first.cells.iter().any(|(other, column, _)| {
                    other == row && second.cells.iter().any(|(also, same, _)| also == row && same == column)
                })
            };
            let narrowed: Vec<usize> = rows.iter().copied().filter(together).collect();
            if !narrowed.is_empty() {
                rows = narrowed;
            }
        }
        rows
    }

    /// The columns that the question names, best first: those whose headers hold most of its words, and fewest others.
    fn named(&self, by_terms: &[(usize, usize)], rows: &[usize]) -> Vec<usize> {
        let has_value = |column: &usize| rows.iter().any(|&row| self.view.table.rows[row].cell(*column).is_some());
        let score = |column: usize| {
            let held = self.terms().filter(|(_, _, found)| found.columns.contains(&column)).count();
            let meant = self.terms().filter(|(_, _, found)| found.meant.contains(&column)).count();
            2 * held + 3 * meant
        };
        let is_condition = |column: usize| by_terms.iter().any(|(_, other)| *other == column);
        let mut named: Vec<(usize, usize, usize)> = (0..self.view.columns.len())
            .filter(has_value)
            .map(|column| (score(column), self.num_other_words(column), column))
            .filter(|(score, _, _)| *score > 0)
            .collect();
        if named.iter().any(|(_, _, column)| !is_condition(*column)) {
            named.retain(|(_, _, column)| !is_condition(*column));
        }
        named.sort_by_key(|(score, others, column)| (std::cmp::Reverse(*score), *others, *column));
        let Some(&(best, fewest, _)) = named.first() else { return Vec::new() };
        named
            .into_iter()
            .filter(|(score, others, _)| *score == best && *others == fewest)
            .map(|(_, _, column)| column)
            .collect()
    }

    /// Words of the last key of a column's name that the question has not.
    fn num_other_words(&self, column: usize) -> usize {
        let name = &self.view.table.columns[column].name;
        let leaf = name.rsplit(super::records::STEP).next().unwrap_or(name);
        let is_asked = |part: &String| {
            let stems = super::words::stems(part);
            self.question
                .terms
                .iter()
                .any(|term| term.parts.contains(part) || stems.iter().any(|stem| term.stems.contains(stem)))
        };
        super::words::parts(leaf).iter().filter(|part| !is_asked(part)).count()
    }

    fn score(&self) -> usize {
        let worth = |(_, term, found): (usize, &Term, &Found)| {
            let in_table = !found.cells.is_empty() || !found.columns.is_empty();
            match (in_table, term.is_exact()) {
                _ if term.is_light => 0,
                (true, true) => 4,
                (true, false) => 3,
                (false, true) => 2,
                (false, false) if !found.meant.is_empty() => 2,
                (false, false) => 1,
            }
        };
        self.terms().map(worth).sum()
    }

    /// Whether the terms name each of the rows, and not only something that they hold among other words.
    fn is_strong(&self, rows: &[usize]) -> bool {
        let is_exact = |row: usize| {
            self.terms()
                .any(|(_, term, found)| term.is_exact() && found.cells.iter().any(|(other, _, _)| *other == row))
        };
        rows.iter().take(50).all(|&row| is_exact(row) || self.view.names_a_cell(self.question, self.found, row))
    }

    /// Whether `which sensors does RVH-031 have` asks for the cells of the column `sensor`.
    fn noun_is_asked_column(&self, reading: &Reading) -> bool {
        let Some(noun) = self.question.noun else { return false };
        let key = self.view.table.key_column();
        let is_asked = |column: &usize| {
            *column != key && !reading.conditions.contains(column) && self.found[noun].columns.contains(column)
        };
        let is_number = self.question.intent != Intent::Count
            || reading.columns.iter().any(|column| self.view.is_numeric(*column, &reading.rows));
        is_number && reading.bounds.is_empty() && !reading.conditions.is_empty() && reading.columns.iter().any(is_asked)
    }

    /// Whether the question asks of all rows: the file, the heading or the key column is called as they are.
    fn counts_all(&self) -> bool {
        let key = self.view.table.key_column();
        let Some(noun) = self.question.noun else { return false };
        let is_subject = self.view.subject.hold(&self.question.terms[noun]) || self.found[noun].columns.contains(&key);
        let others = self.terms().filter(|(at, term, _)| *at != noun && !term.is_light).count();
        is_subject && others == 0 && self.view.table.rows.len() > 1 && !self.view.is_single()
    }

    /// Rows whose values meet the conditions, and the columns of these.
    fn compared(&self, named: &[usize], rows: &mut Vec<usize>) -> Option<Vec<(usize, String)>> {
        let mut columns = Vec::new();
        for comparison in &self.question.comparisons {
            let fits = |column: &usize| {
                if comparison.is_date { self.view.is_dated(*column) } else { self.view.is_numeric(*column, rows) }
            };
            let mut of_kind: Vec<usize> = self
                .terms()
                .flat_map(|(_, _, found)| found.columns.iter().chain(&found.meant).copied())
                .filter(fits)
                .collect();
            of_kind.sort_by_key(|column| (!named.contains(column), *column));
            of_kind.dedup();
            let column = *of_kind.first()?;
            let meets = |value: f64| match comparison.order {
                Order::More => value > comparison.bound,
                Order::AtLeast => value >= comparison.bound,
                Order::Less => value < comparison.bound,
                Order::AtMost => value <= comparison.bound,
            };
            *rows = self
                .view
                .values(column, rows)
                .into_iter()
                .filter(|(_, value)| value.as_ref().is_some_and(|value| meets(value.value)))
                .map(|(row, _)| row)
                .collect();
            columns.push((column, comparison.written.clone()));
        }
        Some(columns)
    }

    /// The column whose values are compared or added up.
    fn measure(&self, reading: &Reading) -> Option<usize> {
        let is_measure = |column: &usize| self.view.is_numeric(*column, &reading.rows);
        let by_noun = |column: &usize| self.question.noun.is_some_and(|noun| self.found[noun].columns.contains(column));
        let named = || reading.columns.iter().copied().filter(is_measure);
        if let Some(column) = named().find(|column| !by_noun(column)).or_else(|| named().next()) {
            return Some(column);
        }
        // All columns that a word names, also where another one holds more.
        let mut held = self
            .terms()
            .filter(|(at, _, _)| !self.is_noun(*at))
            .flat_map(|(_, _, found)| found.columns.iter().copied());
        if let Some(column) = held.find(is_measure) {
            return Some(column);
        }
        let asks = self.question.terms.iter().find_map(|term| term.concept).or(self.question.ask);
        asks.and_then(|ask| self.view.called(ask).into_iter().find(is_measure))
    }

    fn extreme(&self, mut reading: Reading, is_greatest: bool, word: &str, is_of_time: bool) -> Option<Reading> {
        if self.view.table.is_cut || self.view.is_single() || reading.rows.len() < 2 {
            return None;
        }
        if matches!(word, "fastest" | "slowest" | "top") {
            return None;
        }
        let is_strong = reading.conditions.is_empty() || self.is_strong(&reading.rows);
        if !is_strong {
            return None;
        }
        let column = if is_of_time {
            reading.columns.iter().copied().find(|column| self.view.is_dated(*column))?
        } else {
            match self.measure(&reading) {
                Some(column) => column,
                None => return self.not_compared(reading),
            }
        };
        let values = self.view.values(column, &reading.rows);
        let mut units: Vec<&str> = values.iter().filter_map(|(_, value)| Some(value.as_ref()?.unit.as_str())).collect();
        units.sort_unstable();
        units.dedup();
        if units.len() > 1
            || values.iter().any(|(row, value)| value.is_none() && self.view.table.rows[*row].cell(column).is_some())
        {
            return self.not_compared(Reading { columns: vec![column], ..reading });
        }
        let all = values.iter().filter_map(|(_, value)| Some(value.as_ref()?.value));
        let best = if is_greatest { all.fold(f64::MIN, f64::max) } else { all.fold(f64::MAX, f64::min) };
        reading.rows = values
            .iter()
            .filter(|(_, value)| value.as_ref().is_some_and(|value| value.value.total_cmp(&best).is_eq()))
            .map(|(row, _)| *row)
            .collect();
        reading.columns = vec![column];
        reading.outcome = Outcome::Extreme { column };
        (reading.rows.len() <= MAX_ROWS_OF_LOOKUP).then_some(reading)
    }

    /// The few rows whose values cannot be compared, for a person to do it.
    fn not_compared(&self, mut reading: Reading) -> Option<Reading> {
        let asked = self.question.terms.iter().find_map(|term| term.concept).or(self.question.ask);
        let is_of_noun =
            |column: &usize| self.question.noun.is_some_and(|noun| self.found[noun].columns.contains(column));
        let called = asked.and_then(|ask| self.view.called(ask).into_iter().find(|column| !is_of_noun(column)));
        let column = called.or_else(|| reading.columns.iter().copied().find(|column| !is_of_noun(column)))?;
        let num_values = self.view.values(column, &reading.rows).iter().filter(|(_, value)| value.is_some()).count();
        if reading.rows.len() > MAX_ROWS_OF_LOOKUP || num_values * 2 < reading.rows.len() {
            return None;
        }
        reading.columns = vec![column];
        reading.outcome = Outcome::NotCompared { column };
        Some(reading)
    }

    fn side_by_side(&self, mut reading: Reading) -> Option<Reading> {
        reading.outcome = Outcome::Compared;
        let columns: Vec<usize> = self
            .terms()
            .filter(|(_, term, found)| term.is_exact() && found.columns.len() == 1)
            .map(|(_, _, found)| found.columns[0])
            .collect();
        let num_things = self.terms().filter(|(_, term, _)| !term.is_light).count();
        if columns.len() >= 2 && num_things == columns.len() {
            reading.rows = (0..self.view.table.rows.len().min(30)).collect();
            reading.columns = columns;
            return Some(reading);
        }
        let of_rows: Vec<&Found> =
            self.terms().filter(|(_, _, found)| found.is_of_rows()).map(|(_, _, found)| found).collect();
        let is_key = |found: &&Found| found.cells.iter().any(|(_, column, _)| *column == self.view.table.key_column());
        let are_rows = of_rows.len() >= 2 && of_rows.len() == num_things && of_rows.iter().all(is_key);
        let is_few = reading.rows.len() <= MAX_ROWS_OF_LOOKUP && reading.rows.len() >= 2;
        reading.columns.clear();
        (are_rows && is_few && !self.view.is_single()).then_some(reading)
    }

    fn cells(&self, mut reading: Reading, is_narrowed: bool) -> Option<Reading> {
        let by_word = self.terms().any(|(_, term, found)| {
            // A light word names a column that is called so and no more.
            let names = |column: &&usize| {
                found.columns.contains(column) && (!term.is_light || self.num_other_words(**column) == 0)
            };
            reading.columns.iter().any(|column| names(&column))
        });
        let by_meaning =
            self.terms().any(|(_, _, found)| reading.columns.iter().any(|column| found.meant.contains(column)));
        if by_word && !by_meaning && !reading.columns.iter().any(|column| self.fits_ask(*column, &reading.rows)) {
            return None;
        }
        if self.view.is_single() {
            let around = self
                .terms()
                .filter(|(_, term, found)| {
                    !term.is_light && (found.in_context || !found.cells.is_empty()) && found.columns.is_empty()
                })
                .count();
            let num_named = self
                .terms()
                .filter(|(_, _, found)| reading.columns.first().is_some_and(|column| found.columns.contains(column)))
                .count();
            let is_whole =
                reading.columns.first().is_some_and(|column| self.num_other_words(*column) == 0) && num_named >= 2;
            return ((by_word || by_meaning) && (around > 0 || is_whole) && reading.columns.len() <= 3)
                .then_some(reading);
        }
        if !is_narrowed {
            return None;
        }
        let is_strong = self.is_strong(&reading.rows);
        if !(by_word || by_meaning) {
            reading.columns = self.asked_columns(&reading)?;
        }
        if !is_strong {
            let num_soft = self.terms().filter(|(_, _, found)| found.is_of_rows()).count();
            let is_one_cell = reading.conditions.len() == 1;
            if !(by_word && num_soft >= 2 && is_one_cell && reading.rows.len() == 1) {
                return None;
            }
        }
        (reading.rows.len() <= MAX_ROWS_OF_LOOKUP).then_some(reading)
    }

    /// Whether a column that a word names may hold the kind of value that is asked for: dates do not say who.
    fn fits_ask(&self, column: usize, rows: &[usize]) -> bool {
        let Some(ask) = self.question.ask else { return true };
        let is_of_noun = self.question.noun.is_some_and(|noun| self.found[noun].columns.contains(&column));
        if is_of_noun || self.view.called(ask).contains(&column) {
            return true;
        }
        let has_digit = || {
            rows.iter().any(|&row| {
                self.view.table.rows[row]
                    .cell(column)
                    .is_some_and(|cell| cell.text.contains(|c: char| c.is_ascii_digit()))
            })
        };
        match ask {
            Ask::Who | Ask::Author | Ask::Owner => !self.view.is_dated(column) && !self.view.is_numeric(column, rows),
            Ask::When => self.view.is_dated(column) || rows.iter().any(|&row| self.view.has_date(row, column)),
            Ask::Money | Ask::Duration => has_digit(),
            Ask::Reason => false,
            Ask::Where | Ask::Meaning => true,
        }
    }

    /// Where no word names a column: those that hold the kind of value that is asked for; none where the row as a whole is. `None` where
    /// the table does not hold what is asked.
    fn asked_columns(&self, reading: &Reading) -> Option<Vec<usize>> {
        let is_free = |column: &usize| !reading.conditions.contains(column);
        if let Some(ask) = self.question.ask {
            let called: Vec<usize> = self.view.called(ask).into_iter().filter(is_free).collect();
            if !called.is_empty() {
                return Some(called);
            }
            let rest: Vec<usize> = (0..self.view.columns.len()).filter(is_free).collect();
            return (ask == Ask::Meaning && rest.len() == 1).then_some(rest);
        }
        // A row is asked for by its key.
        let key = self.view.table.key_column();
        let names_key = |(_, term, found): (usize, &Term, &Found)| {
            is_key_like(term)
                && found
                    .cells
                    .iter()
                    .any(|(row, column, held)| reading.rows.contains(row) && *column == key && *held == Held::Whole)
        };
        (reading.rows.len() == 1 && self.terms().any(names_key)).then(Vec::new)
    }
}
