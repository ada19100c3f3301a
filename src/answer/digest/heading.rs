//! What a digest says first: how many files are in scope, of whom, of when, and what became of them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{GroupBy, Touched};
use crate::answer::plan::{Plan, PlanKind};
use crate::workspace::ChangeKind;

/// The heading of files in groups.
pub(super) fn of(groups: &[(String, Vec<Touched>)], group_by: GroupBy, plan: &Plan) -> String {
    let files = || groups.iter().flat_map(|(_, files)| files);
    let num_files = files().count();
    let counted = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let time = |at: Timestamp| {
        let zone = plan.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        at.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M").to_string()
    };
    let by = plan.subject.as_ref().filter(|subject| !subject.doer.is_empty());
    let of = by.map(|subject| format!(" of `{}`", subject.doer.join(" "))).unwrap_or_default();
    let unit = match group_by {
        GroupBy::Run => "run",
        GroupBy::Agent => "agent",
        GroupBy::Folder => "folder",
    };
    let place = if groups.len() > 1 { format!(" in {}", counted(groups.len(), unit)) } else { String::new() };
    let mut heading = format!("{}{of}{place}", counted(num_files, "file"));
    if plan.kind == PlanKind::Recent {
        let kinds = [ChangeKind::Created, ChangeKind::Modified, ChangeKind::Renamed, ChangeKind::Deleted];
        let counts = kinds.map(|kind| {
            let number = files().filter(|file| file.change == kind).count();
            (number, kind.name())
        });
        let kinds: Vec<String> = match counts.iter().find(|(number, _)| *number == num_files) {
            Some((1, name)) => vec![(*name).to_owned()],
            Some((_, name)) => vec![format!("all {name}")],
            None => counts
                .iter()
                .filter(|(number, _)| *number > 0)
                .map(|(number, name)| format!("{number} {name}"))
                .collect(),
        };
        heading = format!("{heading}: {}", kinds.join(", "));
    }
    let newest = files().map(|file| file.at).max();
    match (newest, files().map(|file| file.at).min()) {
        (Some(newest), Some(oldest)) if time(newest) != time(oldest) => {
            heading = format!("{heading}, from {} until {}", time(oldest), time(newest));
        }
        (Some(newest), _) => heading = format!("{heading}, {}", time(newest)),
        _ => {}
    }
    heading
}
