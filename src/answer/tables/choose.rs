//! The rows and columns of one table that a question names.

use super::question::{Ask, Intent, Kind, Question, Term};
use super::view::{Found, View};
use super::words::Held;

/// Rows that one look-up may give without asking for a list.
pub(super) const MAX_ROWS_OF_LOOKUP: usize = 12;

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
    /// It holds all words but this exact one.
    Exact(String),
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
    // Where the rest names a day or number that rows have, and a column, another word would be the name of the row: `the helicopter`.
    // Beside the name of a thing it may say in other words what that is.
    let is_value = |term: &Term| matches!(term.kind, Kind::Date(_) | Kind::Number(_));
    let names_row = question.terms.iter().zip(&found).any(|(term, found)| is_value(term) && found.is_of_rows())
        && question.terms.iter().all(|term| !term.is_exact() || is_value(term));
    if let [only] = missing[..]
        && (is_key_like(&question.terms[only]) || names_row && question.intent == Intent::Lookup)
    {
        let num_held = found.iter().filter(|found| !found.columns.is_empty() || !found.cells.is_empty()).count();
        let has_column = found.iter().any(|found| !found.columns.is_empty() || !found.meant.is_empty())
            || view.has_like(&question.terms[only]);
        let is_of_several = question.joins && question.intent != Intent::Compare;
        return Err(if num_held > 0 && has_column && !is_of_several {
            Miss::Exact(question.terms[only].written.clone())
        } else {
            Miss::Other
        });
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

/// A question with one table, and where that holds its words.
pub(super) struct Chooser<'c> {
    pub(super) question: &'c Question,
    pub(super) view: &'c View<'c>,
    pub(super) found: &'c [Found],
}

impl Chooser<'_> {
    pub(super) fn terms(&self) -> impl Iterator<Item = (usize, &Term, &Found)> {
        self.question.terms.iter().zip(self.found).enumerate().map(|(at, (term, found))| (at, term, found))
    }

    pub(super) fn is_noun(&self, at: usize) -> bool {
        self.question.noun == Some(at)
    }

    fn choose(&self) -> Option<Reading> {
        let num_rows = self.view.table.rows.len();
        let (mut rows, by_terms) = self.rows()?;
        let named = self.named(&by_terms, &rows);
        let mut bounds = self.compared(&named, &mut rows)?;
        if matches!(self.question.intent, Intent::List | Intent::Count)
            && let Some((true_rows, column)) = self.true_of(&rows)
        {
            rows = true_rows;
            bounds.push((column, "so".to_owned()));
        }
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
                if self.question.is_negated {
                    return self.without(reading);
                }
                // `How many seats does the van have` asks for a cell, and `which sensors does RVH-031 have` too.
                if self.noun_is_asked_column(&reading) {
                    return self.cells(reading, is_narrowed);
                }
                if self.view.is_single() || self.view.table.is_cut && !is_list {
                    return if is_list { self.cells(reading, is_narrowed) } else { None };
                }
                let is_strong = self.is_strong(&reading.rows) || !reading.bounds.is_empty();
                if is_narrowed && is_strong && reading.rows.len() < num_rows {
                    reading.outcome = Outcome::Members;
                    return Some(reading);
                }
                (!is_list && !is_narrowed && self.counts_all()).then(|| {
                    reading.outcome = Outcome::Members;
                    // `stations.csv` has the stations, before a table that has something of each.
                    let noun = self.question.noun.map(|noun| &self.question.terms[noun]);
                    reading.score += 4 * usize::from(noun.is_some_and(|noun| self.view.is_called(noun)));
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
                // A word among the values of one record says less than one that the record is called by.
                (true, false) if self.view.is_single() && found.columns.is_empty() => 1 + usize::from(found.in_context),
                (false, false) if self.view.is_single() && found.meant.is_empty() => 2,
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
    pub(super) fn is_strong(&self, rows: &[usize]) -> bool {
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
        // The name of the column in which the row was found does not say what is asked for.
        let is_asked = reading.columns.iter().any(|column| !reading.conditions.contains(column));
        if !(by_word || by_meaning) || !is_asked {
            let is_subject = |noun: usize| self.view.subject.hold(&self.question.terms[noun]);
            let asks_for_row = self.question.ask.is_none() && self.question.noun.is_some_and(is_subject);
            reading.columns = if asks_for_row { Vec::new() } else { self.asked_columns(&reading)? };
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
            Ask::Who | Ask::Duty | Ask::Author | Ask::Owner => {
                !self.view.is_dated(column) && !self.view.is_numeric(column, rows)
            }
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
