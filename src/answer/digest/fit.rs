//! A reply with a digest made as short as it has to be.
//!
//! # Invariants
//! - Every file stays counted: in its group, or among the groups that are not listed.
//! - Positions of citations and sentences stay right, and no citation is left that nothing names.

use std::collections::HashSet;

use serde::Serialize;

use super::{DigestFile, DigestGroup, NotListed};
use crate::answer::AskReply;

/// Room for counts whose digits grow.
const MARGIN: usize = 120;
/// What the count of files that are not listed adds to a group.
const COUNT_BYTES: usize = 22;
/// Groups that are listed however short the reply has to be.
const MIN_GROUPS: usize = 5;

/// Leaves out of the digest, until the reply has at most `max_bytes` as JSON: first files of which nothing is shown, then groups of such
/// files, then what is shown of files, of the group with most of them first. A note says so, and how to see the rest. A reply without a
/// digest stays as it is. Returns that note, or `None` where nothing was left out.
pub fn fit(reply: &mut AskReply, max_bytes: usize) -> Option<&'static str> {
    if reply.digest.is_none() || size_of(reply) <= max_bytes {
        return None;
    }
    reply.plan.notes.push(NOTE.to_owned());
    // Counts that are added take room that was not there before, so each step measures anew.
    for step in [leave_out_files, leave_out_groups, leave_out_quotes, leave_out_groups] {
        let excess = (size_of(reply) + MARGIN).saturating_sub(max_bytes);
        if excess > 0 {
            step(reply, excess);
        }
    }
    Some(NOTE)
}

const NOTE: &str = "the reply is cut to a readable length: files that are not listed are counted; ask for a folder (`filters.path`), a \
                    shorter time or a topic, or list them with `list_files`";

fn size_of(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |json| json.len())
}

fn is_told(file: &DigestFile) -> bool {
    file.about.is_some() || !file.sentences.is_empty()
}

/// Leaves out files of which nothing is shown, the oldest of the last group first.
fn leave_out_files(reply: &mut AskReply, mut excess: usize) {
    let Some(digest) = &mut reply.digest else { return };
    for group in digest.groups.iter_mut().rev() {
        for at in (0..group.files.len()).rev() {
            if excess == 0 {
                return;
            }
            if !is_told(&group.files[at]) {
                let file = group.files.remove(at);
                excess = excess.saturating_sub(size_of(&file) + 1);
                group.num_not_listed += 1;
                // The count stands in the reply from the first one on.
                excess += if group.num_not_listed == 1 { COUNT_BYTES } else { 0 };
            }
        }
    }
}

/// Leaves out files with what is shown of them, of the group with most of them its last one first; a summary of all files stays, and so does
/// the file that tells of all others as long as there are others.
fn leave_out_quotes(reply: &mut AskReply, mut excess: usize) {
    let Some(digest) = &mut reply.digest else { return };
    let num_of_summary = digest.num_of_summary;
    let is_readme = |file: &DigestFile| file.path.file_name().to_lowercase().starts_with("readme");
    let mut dropped: HashSet<usize> = HashSet::new();
    while excess > 0 {
        let num_told = |group: &DigestGroup| group.files.iter().filter(|file| is_told(file)).count();
        let others = |group: &DigestGroup| group.files.iter().any(|file| is_told(file) && !is_readme(file));
        let are_others = digest.groups.iter().any(others);
        let groups =
            digest.groups.iter().enumerate().filter(|(_, group)| others(group) || !are_others && num_told(group) > 0);
        let Some(at) = groups.max_by_key(|(at, group)| (num_told(group), *at)).map(|(at, _)| at) else { break };
        let group = &mut digest.groups[at];
        let last = group.files.iter().rposition(|file| is_told(file) && (!is_readme(file) || !are_others));
        let Some(last) = last else { break };
        let file = group.files.remove(last);
        group.num_not_listed += 1;
        digest.num_quoted -= 1;
        let of_file: Vec<usize> =
            file.sentences.iter().copied().filter(|position| *position >= num_of_summary).collect();
        let cited = of_file.iter().flat_map(|position| reply.sentences[*position].citations.clone());
        let cited = cited.chain(file.about.iter().flat_map(|about| about.citations.clone()));
        let freed: usize = cited.map(|citation| size_of(&reply.citations[citation]) + 1).sum();
        let said: usize = of_file.iter().map(|position| size_of(&reply.sentences[*position]) + 1).sum();
        excess = excess.saturating_sub(freed + said + size_of(&file) + 1);
        excess += if group.num_not_listed == 1 { COUNT_BYTES } else { 0 };
        dropped.extend(of_file);
    }
    renumber(reply, &dropped);
}

/// Takes sentences out, and the citations that nothing names any more, and puts all positions right.
fn renumber(reply: &mut AskReply, dropped: &HashSet<usize>) {
    let Some(digest) = &mut reply.digest else { return };
    let mut new_position = 0;
    let positions: Vec<Option<usize>> = (0..reply.sentences.len())
        .map(|position| {
            let kept = !dropped.contains(&position);
            new_position += usize::from(kept);
            kept.then(|| new_position - 1)
        })
        .collect();
    let mut old_position = 0;
    reply.sentences.retain(|_| {
        old_position += 1;
        positions[old_position - 1].is_some()
    });
    let mut named: HashSet<usize> = reply.sentences.iter().flat_map(|sentence| sentence.citations.clone()).collect();
    for file in digest.groups.iter_mut().flat_map(|group| &mut group.files) {
        for position in &mut file.sentences {
            *position = positions[*position].unwrap_or(0);
        }
        named.extend(file.about.iter().flat_map(|about| about.citations.clone()));
    }
    let mut new_index = 0;
    let indices: Vec<usize> = (0..reply.citations.len())
        .map(|index| {
            new_index += usize::from(named.contains(&index));
            new_index.saturating_sub(1)
        })
        .collect();
    let mut old_index = 0;
    reply.citations.retain(|_| {
        old_index += 1;
        named.contains(&(old_index - 1))
    });
    let cited = reply.sentences.iter_mut().flat_map(|sentence| &mut sentence.citations);
    let abouts = digest.groups.iter_mut().flat_map(|group| &mut group.files).filter_map(|file| file.about.as_mut());
    for citation in cited.chain(abouts.flat_map(|about| &mut about.citations)) {
        *citation = indices[*citation];
    }
}

/// Leaves out the last groups of which nothing is shown.
fn leave_out_groups(reply: &mut AskReply, mut excess: usize) {
    let Some(digest) = &mut reply.digest else { return };
    let mut left_out = digest.not_listed.unwrap_or(NotListed { num_groups: 0, num_files: 0 });
    for at in (MIN_GROUPS..digest.groups.len()).rev() {
        if excess == 0 {
            break;
        }
        if !digest.groups[at].files.iter().any(is_told) {
            let group = digest.groups.remove(at);
            excess = excess.saturating_sub(size_of(&group) + 1);
            left_out.num_groups += 1;
            left_out.num_files += group.num_files;
        }
    }
    digest.not_listed = Some(left_out).filter(|left_out| left_out.num_groups > 0);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::tests::{planned, touched};
    use super::super::{Composed, Grouped, Shown};
    use super::*;
    use crate::answer::Sentence;
    use crate::search::Coverage;
    use crate::workspace::{Citation, ContentHash, FileCounts, Provenance, Revision, Span};

    fn citation(path: &str) -> Citation {
        Citation {
            workspace: "default".parse().unwrap(),
            path: path.parse().unwrap(),
            content_hash: ContentHash([7; 32]),
            revision: Revision(1),
            page: None,
            slide: None,
            lines: None,
            cell: None,
            trail: Vec::new(),
            span: Span::new(0, 4),
            quote: format!("what {path} says"),
            provenance: Provenance::default(),
        }
    }

    /// A reply about so many files in so many folders, of which every third is quoted and every fourth told by a line.
    fn reply(num_files: usize, num_folders: usize) -> AskReply {
        let plan = planned("what changed?");
        let files: Vec<_> = (0..num_files)
            .map(|number| touched(&format!("f{}/n{number}.md", number % num_folders), "2026-11-18T10:00:00Z"))
            .collect();
        let coverage = Coverage { files: FileCounts::default(), embedded_fraction: 1.0, notes: Vec::new() };
        let mut reply = AskReply::abstaining(Revision(1), coverage, plan.clone());
        let mut shown: BTreeMap<_, Shown> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            let path = file.path.as_str();
            if number % 3 == 0 {
                shown.entry(file.path.clone()).or_default().sentences.push(reply.sentences.len());
                reply.sentences.push(Sentence::supported(format!("what {path} says"), vec![reply.citations.len()]));
                reply.citations.push(citation(path));
            }
            if number % 4 == 0 {
                let citations = vec![reply.citations.len()];
                shown.entry(file.path.clone()).or_default().about =
                    Some(Composed { text: format!("{number} rows"), citations });
                reply.citations.push(citation(path));
            }
        }
        reply.digest = Some(Grouped::of(files, &plan).into_digest(&shown, &plan));
        reply
    }

    proptest! {
        #[test]
        fn a_reply_that_is_cut_counts_every_file_and_cites_right(
            num_files in 1_usize..200,
            num_folders in 1_usize..40,
            max_bytes in 2_000_usize..40_000,
        ) {
            let mut reply = reply(num_files, num_folders);
            let before = size_of(&reply);
            fit(&mut reply, max_bytes);
            // Five groups, the note and the reply's own fields are always there.
            prop_assert!(size_of(&reply) <= max_bytes.max(3_000), "{} of {before}", size_of(&reply));
            let digest = reply.digest.as_ref().unwrap();
            let listed: usize = digest.groups.iter().map(|group| group.files.len() + group.num_not_listed).sum();
            let not_listed = digest.not_listed.map_or(0, |left_out| left_out.num_files);
            prop_assert_eq!(listed + not_listed, num_files);
            prop_assert_eq!(digest.num_files, num_files);
            let mut named = HashSet::new();
            let mut num_quoted = 0;
            for file in digest.groups.iter().flat_map(|group| &group.files) {
                num_quoted += usize::from(!file.sentences.is_empty() || file.about.is_some());
                let of_sentences = file.sentences.iter().flat_map(|position| reply.sentences[*position].citations.clone());
                for citation in of_sentences.chain(file.about.iter().flat_map(|about| about.citations.clone())) {
                    prop_assert_eq!(&reply.citations[citation].path, &file.path);
                    named.insert(citation);
                }
            }
            prop_assert_eq!(named.len(), reply.citations.len());
            prop_assert_eq!(num_quoted, digest.num_quoted);
            for sentence in &reply.sentences {
                prop_assert_eq!(&reply.citations[sentence.citations[0]].quote, &sentence.text);
            }
        }
    }
}
