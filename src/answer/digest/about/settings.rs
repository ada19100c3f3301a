//! Settings: YAML and TOML by their keys and values.

use super::values::{self, Value};
use super::whole::Whole;
use super::{Draft, Former};

/// Settings of a file that are kept.
const MAX_SETTINGS: usize = 2_000;

/// Tells of a file of settings.
pub(super) fn tell(whole: &Whole<'_>, former: Former<'_>, draft: &mut Draft) {
    let before = former.map(|(_, old)| values_of(old)).unwrap_or_default();
    values::tell(whole, &values_of(whole), former, &before, "setting", draft);
}

/// The settings that stand on one line each, under the keys and tables above them. Elements of lists are left out.
fn values_of(whole: &Whole<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    // The keys above, by how far they are indented, and the table of TOML.
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut table = "";
    for (start, line) in whole.lines() {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        if let Some(name) = words.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')) {
            (table, above) = (name.trim_matches(['[', ']']), Vec::new());
            continue;
        }
        if words.starts_with(['#', '-', '"', '{', '}', ']']) || words == "---" {
            continue;
        }
        above.retain(|(depth, _)| *depth < indent);
        let Some((key, value)) =
            words.split_once(": ").or_else(|| words.split_once(" = ")).or_else(|| words.split_once('='))
        else {
            if let Some(key) = words.strip_suffix(':') {
                above.push((indent, key));
            }
            continue;
        };
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            continue;
        }
        let value = value.split(" #").next().unwrap_or_default().trim();
        let names: Vec<&str> = std::iter::once(table)
            .filter(|table| !table.is_empty())
            .chain(above.iter().map(|(_, key)| *key))
            .chain([key])
            .collect();
        let value = value.trim_matches(['"', '\'']);
        if !value.is_empty() && values.len() < MAX_SETTINGS {
            values.push(Value {
                name: names.join("."),
                text: value.to_owned(),
                range: start + indent..start + line.len(),
                depth: names.len(),
            });
        }
    }
    values
}
