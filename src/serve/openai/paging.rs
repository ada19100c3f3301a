//! Lists with cursors: `limit`, `order`, `after` and `before`, as `OpenAI` has them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::Refused;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// The oldest first; stores by name.
    Asc,
    /// The newest first; stores by name, backwards.
    Desc,
}

/// Which part of a list is wanted.
pub(super) struct Wanted<'a> {
    pub limit: usize,
    pub most: usize,
    pub order: Order,
    pub after: Option<&'a str>,
    pub before: Option<&'a str>,
}

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

impl Wanted<'_> {
    /// Refuses a limit out of range, before anything is looked up.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if (1..=self.most).contains(&self.limit) {
            return Ok(());
        }
        let (limit, most) = (self.limit, self.most);
        Err(Refused::invalid("limit", "invalid_request", format!("`limit` is {limit}"), format!("ask for 1 to {most}")))
    }

    /// The part, of `items` in ascending order; `is_at` finds the item of a cursor.
    pub(super) fn part<T>(&self, mut items: Vec<T>, is_at: impl Fn(&T, &str) -> bool) -> Result<Part<T>, Refused> {
        self.check()?;
        if self.order == Order::Desc {
            items.reverse();
        }
        let find = |name: &str, cursor: &str| {
            items.iter().position(|item| is_at(item, cursor)).ok_or_else(|| {
                let hint = "a cursor is the id of an item of the list; where the item is gone, begin anew";
                Refused::invalid(name, "invalid_cursor", format!("`{name}` is no id of this list"), hint)
            })
        };
        let from = self.after.map(|cursor| find("after", cursor)).transpose()?.map_or(0, |at| at + 1);
        let until = self.before.map(|cursor| find("before", cursor)).transpose()?.unwrap_or(items.len());
        let until = until.max(from);
        // Backwards, the items right before the cursor are the next ones.
        let (from, until, has_more) = if self.before.is_some() && self.after.is_none() {
            let start = until.saturating_sub(self.limit).max(from);
            (start, until, start > from)
        } else {
            let end = until.min(from.saturating_add(self.limit));
            (from, end, end < until)
        };
        items.truncate(until);
        Ok(Part { items: items.split_off(from), has_more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(limit: usize, order: Order, after: Option<&str>, before: Option<&str>) -> (String, bool) {
        let wanted = Wanted { limit, most: 100, order, after, before };
        let items = ["a", "b", "c", "d", "e"].to_vec();
        let Part { items, has_more } = wanted.part(items, |item, cursor| *item == cursor).unwrap();
        (items.concat(), has_more)
    }

    #[test]
    fn cursors_lead_through_a_list_in_both_directions() {
        use Order::{Asc, Desc};
        for (limit, order, after, before, items, has_more) in [
            (2, Asc, None, None, "ab", true),
            (2, Asc, Some("b"), None, "cd", true),
            (2, Asc, Some("d"), None, "e", false),
            (2, Asc, Some("e"), None, "", false),
            (5, Asc, None, None, "abcde", false),
            (2, Desc, None, None, "ed", true),
            (9, Desc, Some("d"), None, "cba", false),
            (2, Asc, None, Some("d"), "bc", true),
            (3, Asc, None, Some("d"), "abc", false),
            (2, Desc, None, Some("c"), "ed", false),
            (9, Asc, Some("a"), Some("d"), "bc", false),
            (1, Asc, Some("a"), Some("d"), "b", true),
            (9, Asc, Some("d"), Some("a"), "", false),
        ] {
            assert_eq!(
                part(limit, order, after, before),
                (items.to_owned(), has_more),
                "{order:?} {after:?} {before:?}"
            );
        }
    }

    #[test]
    fn a_cursor_of_no_item_and_a_limit_out_of_range_are_refused() {
        let wanted = |limit, after| Wanted { limit, most: 100, order: Order::Asc, after, before: None };
        assert!(wanted(1, Some("x")).part(vec!["a"], |item, cursor| *item == cursor).is_err());
        assert!(wanted(0, None).check().is_err() && wanted(101, None).check().is_err());
        assert!(wanted(100, None).check().is_ok());
    }
}
