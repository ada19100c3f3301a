//! Values of a column against each other: the greatest, the least, what a sum would be made of, and things side by side.

use super::choose::{Chooser, MAX_ROWS_OF_LOOKUP, Outcome, Reading};
use super::view::Found;

impl Chooser<'_> {
    /// The column whose values are compared or added up.
    pub(super) fn measure(&self, reading: &Reading) -> Option<usize> {
        let is_measure = |column: &usize| self.view.is_numeric(*column, &reading.rows);
        let by_noun = |column: &usize| self.question.noun.is_some_and(|noun| self.found[noun].columns.contains(column));
        let named = || reading.columns.iter().copied().filter(is_measure);
        if let Some(column) = named().find(|column| !by_noun(column)) {
            return Some(column);
        }
        // All columns that a word names, also where another one holds more.
        let mut held = self
            .terms()
            .filter(|(at, _, _)| !self.is_noun(*at))
            .flat_map(|(_, _, found)| found.columns.iter().copied());
        if let Some(column) = held.find(is_measure).or_else(|| named().next()) {
            return Some(column);
        }
        let asks = self.question.terms.iter().find_map(|term| term.concept).or(self.question.ask);
        asks.and_then(|ask| self.view.called(ask).into_iter().find(is_measure))
    }

    pub(super) fn extreme(
        &self,
        mut reading: Reading,
        is_greatest: bool,
        word: &str,
        is_of_time: bool,
    ) -> Option<Reading> {
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
    pub(super) fn not_compared(&self, mut reading: Reading) -> Option<Reading> {
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

    pub(super) fn side_by_side(&self, mut reading: Reading) -> Option<Reading> {
        reading.outcome = Outcome::Compared;
        let columns: Vec<usize> = self
            .terms()
            .filter(|(_, term, found)| term.is_exact() && found.columns.len() == 1)
            .map(|(_, _, found)| found.columns[0])
            .collect();
        let num_things = self.terms().filter(|(_, term, _)| !term.is_light).count();
        if columns.len() >= 2 {
            // Other words narrow the rows: `the difference in yield between A and B`.
            let are_of_rows =
                self.terms().all(|(_, term, found)| term.is_light || term.is_exact() || !found.cells.is_empty());
            if num_things > columns.len() && !(are_of_rows && self.is_strong(&reading.rows)) {
                return None;
            }
            reading.rows.truncate(30);
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
}
