//! A digest as a person reads it: about a screen of it, and how to see the rest.

use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::text::{by, spot};
use crate::answer::digest::{DigestFile, DigestGroup};
use crate::answer::{AskReply, Digest, PlanKind};
use crate::workspace::{ChangeKind, Citation, Provenance};

/// Lines of a screen that a digest takes.
const SCREEN: usize = 38;
/// Folders that an answer about the whole lists.
const MAX_FOLDERS: usize = 16;
/// Folders of a folder that are named.
const MAX_NAMED: usize = 5;
/// Places of a composed line that are named.
const MAX_SPOTS: usize = 3;
/// Files of which nothing is shown that one line names.
const MAX_NAMES: usize = 6;

/// How much of a digest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// About a screen.
    Screen,
    /// All that the reply has.
    All,
}

/// A file with the lines that tell of it, the first of which names it.
struct Entry {
    group: usize,
    /// 0 for prose, 1 for data, 2 where nothing is shown of it.
    kind: u8,
    is_readme: bool,
    at: Timestamp,
    lines: Vec<String>,
    /// How many of its lines are shown.
    num_shown: usize,
}

/// Writes all files in scope, or as many as a screen takes.
pub(super) fn write(out: &mut dyn Write, reply: &AskReply, digest: &Digest, extent: Extent) -> io::Result<()> {
    let zone = reply.plan.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let page = Page { reply, digest, zone };
    writeln!(out, "{}; times in {}", digest.heading, page.zone.iana_name().unwrap_or("UTC"))?;
    let is_whole = reply.plan.kind == PlanKind::Overview && digest.groups.len() > 1;
    let mut room = if extent == Extent::All { usize::MAX } else { SCREEN };
    if is_whole {
        room = room.saturating_sub(page.write_folders(out, extent)?);
    }
    let mut entries = page.entries(is_whole);
    choose(&mut entries, room, is_whole);
    let mut open: Option<usize> = None;
    for entry in entries.iter().filter(|entry| entry.num_shown > 0) {
        let group = &digest.groups[entry.group];
        if open != Some(entry.group) && (!is_whole || open.is_none()) {
            writeln!(out)?;
            if !is_whole && has_header(group) {
                writeln!(out, "{}", page.header(group))?;
            }
        }
        open = Some(entry.group);
        for line in &entry.lines[..entry.num_shown] {
            writeln!(out, "{line}")?;
        }
    }
    page.write_rest(out, &entries)
}

/// Whether a group is named in front of its files.
fn has_header(group: &DigestGroup) -> bool {
    group.num_files > 1
}

/// Decides which lines are shown: of each group a file in turn with the first line about it, then second lines, then files of which nothing
/// is shown.
fn choose(entries: &mut [Entry], room: usize, is_whole: bool) {
    let mut opened: BTreeSet<usize> = BTreeSet::new();
    let mut turns: Vec<(usize, usize, usize)> = Vec::new();
    let mut turn_of: Vec<usize> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        turn_of.resize(turn_of.len().max(entry.group + 1), 0);
        let is_told = entry.lines.len() > 1;
        turns.push((if is_told { turn_of[entry.group] } else { usize::MAX }, entry.group, index));
        turn_of[entry.group] += 1;
    }
    turns.sort_unstable();
    if is_whole && let Some(readme) = entries.iter_mut().find(|entry| entry.is_readme) {
        readme.num_shown = readme.lines.len().min(room);
    }
    let mut left = room.saturating_sub(entries.iter().map(|entry| entry.num_shown).sum());
    for num_lines in [2, 3, usize::MAX] {
        for &(_, group, index) in &turns {
            let entry = &mut entries[index];
            let wanted = entry.lines.len().min(num_lines);
            let opening = if is_whole || opened.contains(&group) || entry.num_shown > 0 { 0 } else { 2 };
            let cost = wanted.saturating_sub(entry.num_shown) + opening;
            if wanted > entry.num_shown && cost <= left {
                left -= cost;
                entry.num_shown = wanted;
                opened.insert(group);
            }
        }
    }
}

/// Places in one file: ` (lines 3, 12)`, ` (page 2)`; nothing where the format counts nothing.
fn spots<'c>(citations: impl Iterator<Item = &'c Citation>) -> String {
    let all: Vec<String> = citations.take(MAX_SPOTS).filter_map(spot).collect();
    let lines: Vec<&str> = all.iter().filter_map(|spot| spot.strip_prefix("line ")).collect();
    match &all[..] {
        [] => String::new(),
        [one] => format!(" ({one})"),
        _ if lines.len() == all.len() => format!(" (lines {})", lines.join(", ")),
        _ => format!(" ({})", all.join(", ")),
    }
}

struct Page<'a> {
    reply: &'a AskReply,
    digest: &'a Digest,
    zone: TimeZone,
}

impl Page<'_> {
    fn time(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Only the hour where the day is that of the group's newest.
    fn time_in(&self, at: Timestamp, group: &DigestGroup) -> String {
        let (time, newest) = (self.time(at), self.time(group.newest));
        if has_header(group) && time[..10] == newest[..10] { time[11..].to_owned() } else { time }
    }

    /// What a group's files have in common is said with its name.
    fn header(&self, group: &DigestGroup) -> String {
        let name = if group.name.is_empty() { "(at the root)" } else { &group.name };
        let by = Self::common(group).map(by).unwrap_or_default();
        format!("{name}: {} files, newest {}{by}", group.num_files, self.time(group.newest))
    }

    /// Who wrote all files of a group, where that is the same.
    fn common(group: &DigestGroup) -> Option<&Provenance> {
        let first = group.files.first().map(|file| &file.provenance)?;
        let is_same = group.files.iter().all(|file| file.provenance == *first);
        (is_same && has_header(group) && group.num_not_listed == 0).then_some(first)
    }

    /// The folders of an answer about the whole, with how many files they hold; how many lines that took.
    fn write_folders(&self, out: &mut dyn Write, extent: Extent) -> io::Result<usize> {
        let mut groups: Vec<&DigestGroup> = self.digest.groups.iter().collect();
        groups.sort_by(|one, other| other.num_files.cmp(&one.num_files).then_with(|| one.name.cmp(&other.name)));
        let most = if extent == Extent::All { usize::MAX } else { MAX_FOLDERS };
        let width = groups.iter().take(most).map(|group| group.name.chars().count() + 1).max().unwrap_or(0).min(40);
        writeln!(out)?;
        for group in groups.iter().take(most) {
            let name = if group.name.is_empty() { ".".to_owned() } else { format!("{}/", group.name) };
            let shown = group.folders.iter().take(MAX_NAMED);
            let mut folders: Vec<String> =
                shown.map(|folder| format!("{} {}", folder.name, folder.num_files)).collect();
            if group.folders.len() > MAX_NAMED {
                folders.push("…".to_owned());
            }
            let folders = if folders.is_empty() { String::new() } else { format!(": {}", folders.join(", ")) };
            let newest = &self.time(group.newest)[..10];
            let files = if group.num_files == 1 { "file" } else { "files" };
            writeln!(out, "  {name:width$}  {:>4} {files}, newest {newest}{folders}", group.num_files)?;
        }
        if groups.len() > most {
            let more: usize = groups[most..].iter().map(|group| group.num_files).sum();
            writeln!(out, "  … {} more folders with {more} files", groups.len() - most)?;
        }
        Ok(groups.len().min(most) + 2)
    }

    /// The files with the lines about them, in the order of the digest; the one that tells of all others first.
    fn entries(&self, is_whole: bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (index, group) in self.digest.groups.iter().enumerate() {
            for file in &group.files {
                let kind = match (&file.about, &file.sentences[..]) {
                    (None, [_, ..]) => 0,
                    (Some(_), _) => 1,
                    (None, []) => 2,
                };
                let is_readme = file.path.file_name().to_lowercase().starts_with("readme") && kind == 0;
                let lines = self.lines_of(file, group, is_whole);
                entries.push(Entry { group: index, kind, is_readme, at: file.at, lines, num_shown: 0 });
            }
        }
        // Prose goes before data, and both before files of which nothing is shown; of each the newest first.
        let key = |entry: &Entry| {
            let readme = is_whole && entry.is_readme;
            (if is_whole { 0 } else { entry.group }, !readme, entry.kind, std::cmp::Reverse(entry.at))
        };
        entries.sort_by_key(key);
        entries
    }

    fn lines_of(&self, file: &DigestFile, group: &DigestGroup, is_whole: bool) -> Vec<String> {
        let (reply, digest) = (self.reply, self.digest);
        let has_header = has_header(group) && !is_whole;
        let path = file.path.as_str();
        let name = path
            .strip_prefix(&group.name)
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|_| has_header)
            .unwrap_or(path);
        let indent = if has_header { "  " } else { "" };
        let time = if is_whole { self.time(file.at) } else { self.time_in(file.at, group) };
        let is_all_alike = digest.groups.iter().flat_map(|group| &group.files).all(|other| other.change == file.change);
        let change = match file.change {
            ChangeKind::Deleted => format!(", deleted {time}"),
            _ if is_all_alike || is_whole => format!(", {time}"),
            change => format!(", {} {time}", change.name()),
        };
        let by = if Self::common(group).is_some() && has_header { String::new() } else { by(&file.provenance) };
        let title =
            file.title.as_deref().filter(|title| *title != name).map(|title| format!(": {title}")).unwrap_or_default();
        let (above, below): (Vec<usize>, Vec<usize>) =
            file.sentences.iter().partition(|&&position| position < digest.num_of_summary);
        let cited: BTreeSet<usize> =
            above.iter().flat_map(|&position| &reply.sentences[position].citations).copied().collect();
        let cited = cited.iter().filter(|&&index| reply.citations[index].path == file.path);
        let marks: Vec<String> = cited.map(|index| format!(" [{}]", index + 1)).collect();
        let marks = marks.concat();
        let note = file.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        let mut lines = vec![format!("{indent}{name}{change}{title}{by}{marks}{note}")];
        if let Some(about) = &file.about {
            let own = about
                .citations
                .iter()
                .map(|&index| &reply.citations[index])
                .filter(|citation| citation.path == file.path);
            let mut own: Vec<&Citation> = own.take(MAX_SPOTS).collect();
            own.sort_by_key(|citation| citation.span.start);
            lines.push(format!("{indent}  {}{}", about.text, spots(own.into_iter())));
        }
        for position in below {
            let sentence = &reply.sentences[position];
            let text = sentence.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let place = sentence.citations.first().map(|&index| spots(std::iter::once(&reply.citations[index])));
            lines.push(format!("{indent}  \"{text}\"{}", place.unwrap_or_default()));
        }
        lines
    }

    /// How much is not shown, and how to see it.
    fn write_rest(&self, out: &mut dyn Write, entries: &[Entry]) -> io::Result<()> {
        let hidden: Vec<&Entry> = entries.iter().filter(|entry| entry.num_shown == 0).collect();
        let not_listed: usize = self.digest.groups.iter().map(|group| group.num_not_listed).sum();
        let not_listed = not_listed + self.digest.not_listed.map_or(0, |left_out| left_out.num_files);
        let num_lines: usize =
            entries.iter().filter(|entry| entry.num_shown > 0).map(|entry| entry.lines.len() - entry.num_shown).sum();
        if hidden.is_empty() && not_listed == 0 && num_lines == 0 {
            return Ok(());
        }
        let mut parts = Vec::new();
        if hidden.len() + not_listed > 0 {
            let names = hidden.iter().filter_map(|entry| entry.lines.first());
            let names: Vec<&str> =
                names.take(MAX_NAMES).filter_map(|line| line.trim_start().split(", ").next()).collect();
            let dots = if hidden.len() + not_listed > names.len() { ", …" } else { "" };
            let more = if names.is_empty() { String::new() } else { format!(" ({}{dots})", names.join(", ")) };
            let number = hidden.len() + not_listed;
            parts.push(format!("{number} more file{}{more}", if number == 1 { "" } else { "s" }));
        }
        if num_lines > 0 {
            parts.push(format!("{num_lines} more line{} on those above", if num_lines == 1 { "" } else { "s" }));
        }
        writeln!(out, "\n… {}: `--all` shows them, `--max-files N` quotes of more files", parts.join(" and "))
    }
}
