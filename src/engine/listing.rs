//! The answer to a question for a list or a number: every file in scope is looked through, and the members are counted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::ask::Asking;
use super::query::QueryState;
use super::{EngineError, Workspace, digest};
use crate::answer::{self, AskReply, Listed, Listing, Member, Named, Subject};
use crate::config::FieldWeights;
use crate::index::{ChunkRecord, Filter, LexicalQuery};
use crate::search;
use crate::workspace::{ContentHash, FileEntry, FileState, RelPath, Span, WorkspaceId};

/// Chunks with the words of a question that are looked at.
const MAX_CHUNKS: usize = 5_000;
/// Members that a reply lists.
const MAX_LISTED: usize = 100;
/// Files whose whole text is looked through for items.
const MAX_FILES_OF_ITEMS: usize = 1_000;

/// A place that makes a file a member.
struct Found {
    chunk: ChunkRecord,
    span: Span,
}

impl Workspace<'_> {
    /// The members that a question asks for, or `None` where nothing tells which they are.
    pub(super) fn answer_by_listing(&self, asking: &Asking<'_>) -> Result<Option<AskReply>, EngineError> {
        let Asking { request, state, plan, .. } = asking;
        let id = &self.id;
        let subject = Subject::of(&request.question);
        let all = self.all_files_while(&|| !state.budget.is_over())?;
        // The files that the request admits, also those that are pending.
        let filter = Filter { hidden: BTreeSet::new(), ..state.filter.clone() };
        let is_admitted =
            |file: &&FileEntry| digest::admits(&filter, &file.path, file.format.as_deref(), file.modified);
        let files: Vec<&FileEntry> = all.iter().filter(is_admitted).collect();
        let num_searched =
            files.iter().filter(|file| matches!(file.state, FileState::Ready | FileState::Empty)).count();
        let mut listing = Draft { num_files: files.len(), num_searched, ..Draft::default() };
        let in_scope: Vec<&FileEntry> =
            files.iter().copied().filter(|file| answer::is_in_scope(file, &subject.scope)).collect();
        let named = answer::named(&subject, &in_scope);
        let is_found = if let Some(mentioned) = &subject.mentioned {
            listing.mentions(state, mentioned, named.as_ref().map(|named| (&subject, named)))?;
            true
        } else if answer::is_todo(&subject) {
            listing.todos(state, &files, &subject)?
        } else if let Some(named) = &named {
            listing.named(state, &request.question, &subject, named, &in_scope)?
        } else {
            listing.sections(state, &subject)?
        };
        if !is_found {
            return Ok(None);
        }
        let mut reply = AskReply::abstaining(state.view.settled, self.coverage_of(state, false)?, plan.clone());
        reply.plan.notes.append(&mut listing.notes);
        if let Some(basis) = listing.basis.take() {
            reply.plan.why = format!("{}; {basis}", reply.plan.why);
        }
        listing.into_reply(id, state, &mut reply)?;
        Ok(Some(reply))
    }
}

/// A listing in the making.
#[derive(Default)]
struct Draft {
    of: Option<Listed>,
    summary: String,
    basis: Option<String>,
    notes: Vec<String>,
    /// Members by their names: a file or folder, and what makes them members.
    members: BTreeMap<String, (String, Vec<Found>)>,
    num_files: usize,
    num_searched: usize,
}

impl Draft {
    /// Files that mention words, or the things that these files belong to.
    fn mentions(
        &mut self,
        state: &QueryState,
        mentioned: &str,
        named: Option<(&Subject, &Named)>,
    ) -> Result<(), EngineError> {
        let found = self.chunks_with(state, mentioned, state.filter.only.clone())?;
        let is_phrase = |chunk: &ChunkRecord| answer::find_words(&chunk.words, mentioned);
        let mut places: Vec<Found> = found
            .iter()
            .filter_map(|chunk| is_phrase(chunk).map(|span| Found { chunk: chunk.clone(), span }))
            .collect();
        if places.is_empty() {
            let loosely = |chunk: &ChunkRecord| answer::line_with_all(chunk, mentioned);
            places = found
                .iter()
                .filter_map(|chunk| loosely(chunk).map(|span| Found { chunk: chunk.clone(), span }))
                .collect();
        }
        let noun = self.owned(places, named);
        let count = self.members.len();
        let verb = if count <= 1 { "mentions" } else { "mention" };
        self.summary = format!("{} {verb} `{mentioned}`", counted(count, &noun));
        self.basis = Some(format!("all {} files in scope were looked through for `{mentioned}`", self.num_files));
        Ok(())
    }

    /// Puts places to the members that they are of. Returns what one of them is called.
    fn owned(&mut self, places: Vec<Found>, named: Option<(&Subject, &Named)>) -> String {
        let owners = named.map(|(subject, named)| (subject.noun(), named, owners(named)));
        let mut noun = "file".to_owned();
        let mut of_members: BTreeMap<String, (String, Vec<Found>)> = BTreeMap::new();
        if let Some((name, named, owners)) = &owners {
            // The files themselves, and where none of them has it, all of their folders.
            for is_whole_folder in [false, true] {
                for place in &places {
                    let path = &place.chunk.file.path;
                    let owner = owners.get(path.as_str()).cloned().or_else(|| {
                        let folder = path.as_str().rsplit_once('/').map(|(folder, _)| folder);
                        folder.filter(|_| is_whole_folder).and_then(|folder| owner_of_folder(folder, owners))
                    });
                    if let Some(owner) = owner {
                        let found = Found { chunk: place.chunk.clone(), span: place.span };
                        let label = label_of(&owner, named.are_folders || is_whole_folder);
                        of_members.entry(owner).or_insert_with(|| (label, Vec::new())).1.push(found);
                    }
                }
                if !of_members.is_empty() {
                    noun.clone_from(name);
                    self.of = Some(if named.are_folders || is_whole_folder { Listed::Folders } else { Listed::Files });
                    break;
                }
            }
        }
        if of_members.is_empty() {
            self.of = Some(Listed::Files);
            for place in places {
                let path = place.chunk.file.path.to_string();
                let label = label_of(&path, false);
                of_members.entry(path).or_insert_with(|| (label, Vec::new())).1.push(place);
            }
        }
        self.members = of_members;
        noun
    }

    /// Files or folders that the noun names, as far as they meet what is said of them.
    fn named(
        &mut self,
        state: &QueryState,
        question: &str,
        subject: &Subject,
        named: &Named,
        files: &[&FileEntry],
    ) -> Result<bool, EngineError> {
        let condition = subject.condition.join(" ");
        if !condition.is_empty() {
            let only: HashSet<RelPath> = named.members.values().flatten().cloned().collect();
            let found = self.chunks_with(state, &condition, Some(Arc::new(only)))?;
            let mut places: Vec<Found> = Vec::new();
            let mut has_settings = false;
            for chunk in &found {
                for (span, is_setting) in answer::lines_that_say(chunk, &subject.condition) {
                    if is_setting && !has_settings {
                        has_settings = true;
                        places.clear();
                    }
                    if is_setting == has_settings {
                        places.push(Found { chunk: chunk.clone(), span });
                    }
                }
            }
            if has_settings {
                // A setting of the whole file counts before those of its parts.
                let depth = |place: &Found| place.chunk.place.trail.len();
                let least = places.iter().map(depth).min().unwrap_or(0);
                places.retain(|place| depth(place) == least);
            }
            // What is said of rows or items is not said of the file that is named after them.
            let tells_of_many = named.members.len() == 1 || named.by_words_of_names && !has_settings;
            if places.is_empty() || tells_of_many {
                return Ok(false);
            }
            let noun = self.owned(places, Some((subject, named)));
            self.summary = format!("{} with `{condition}`", counted(self.members.len(), &noun));
            self.basis = Some(format!("looked at were {}", named.basis));
            return Ok(true);
        }
        let hashes: HashMap<&RelPath, Option<ContentHash>> =
            files.iter().map(|file| (&file.path, file.content_hash)).collect();
        let mut seen = HashSet::new();
        for (name, paths) in &named.members {
            // Exact copies are one member.
            let hash = paths.first().and_then(|path| hashes.get(path).copied().flatten());
            let is_whole = named.members.len() == self.num_files;
            if named.are_folders || is_whole || hash.is_none_or(|hash| seen.insert(hash)) {
                self.members.insert(name.clone(), (label_of(name, named.are_folders), Vec::new()));
            }
        }
        self.of = Some(if named.are_folders { Listed::Folders } else { Listed::Files });
        let narrowed = if subject.scope.is_empty() {
            String::new()
        } else {
            format!(" of {}", subject.scope_as_written(question))
        };
        self.summary = format!("{}{narrowed}", counted(self.members.len(), &subject.noun()));
        self.basis = Some(format!("counted are {}", named.basis));
        let is_all = named.members.len() == self.num_files;
        // One thing that is named so may be what tells of many.
        Ok(is_all || self.members.len() > 1)
    }

    /// Sections whose headings the noun names: `Story 1` to `Story 6`, or all below the heading `User Stories`.
    fn sections(&mut self, state: &QueryState, subject: &Subject) -> Result<bool, EngineError> {
        let words = format!("{} {}", subject.noun(), subject.scope.join(" "));
        let Some(snapshot) = &state.snapshot else { return Ok(false) };
        let weights =
            FieldWeights { body: 0.0, exact: 0.0, identifier: 0.0, part: 0.0, title: 0.5, trail: 1.0, path: 0.5 };
        let query = LexicalQuery { weights, ..search::parse_query(&words, weights) };
        let found = snapshot.lexical(&query, &state.filter, MAX_CHUNKS)?;
        let addresses: Vec<_> = found.iter().map(|chunk| chunk.id).collect();
        // The file whose headings, title and path name most of what the question is about comes first.
        let chunks = snapshot.load(&addresses)?;
        let has_heading = |chunk: &&ChunkRecord| {
            answer::heading_of(chunk, subject).is_some() || !answer::headings_in(chunk, subject).is_empty()
        };
        let Some(best) = chunks.iter().find(has_heading).map(|chunk| chunk.file.path.clone()) else { return Ok(false) };
        let mut sections: BTreeMap<String, (String, Vec<Found>)> = BTreeMap::new();
        for chunk in snapshot.file(&best)? {
            let inside = answer::headings_in(&chunk, subject);
            let above = answer::heading_of(&chunk, subject).map(|heading| (answer::first_line(&chunk.words), heading));
            for (span, heading) in above.into_iter().chain(inside) {
                if !sections.values().any(|(label, _)| *label == heading) {
                    let key = format!("{:08}", chunk.place.span.start + span.start);
                    sections.insert(key, (heading, vec![Found { chunk: chunk.clone(), span }]));
                }
            }
        }
        if sections.len() < 2 {
            return Ok(false);
        }
        let path = best;
        self.summary = format!("{} in {path}", counted(sections.len(), &subject.noun()));
        self.basis = Some(format!("counted are the headings of `{path}`"));
        (self.of, self.members) = (Some(Listed::Sections), sections);
        Ok(true)
    }

    /// Items with a box that is ticked or not, of all files with text.
    fn todos(&mut self, state: &QueryState, files: &[&FileEntry], subject: &Subject) -> Result<bool, EngineError> {
        let Some(snapshot) = &state.snapshot else { return Ok(false) };
        let has_text = |file: &&&FileEntry| {
            matches!(file.format.as_deref(), Some("markdown" | "text" | "rst" | "asciidoc" | "org"))
                && file.num_chunks > 0
                && state.filter.admits_path(file.path.as_str())
        };
        let texts: Vec<&&FileEntry> = files.iter().filter(has_text).collect();
        if texts.len() > MAX_FILES_OF_ITEMS {
            let note = format!("only {MAX_FILES_OF_ITEMS} of {} text files were looked through for items", texts.len());
            self.notes.push(note);
        }
        for file in texts.into_iter().take(MAX_FILES_OF_ITEMS) {
            for chunk in snapshot.file(&file.path)? {
                for (span, label) in answer::todos_in(&chunk.words, subject) {
                    let key = format!("{} {:08}", file.path, chunk.place.span.start + span.start);
                    self.members.insert(key, (label, vec![Found { chunk: chunk.clone(), span }]));
                }
            }
        }
        self.of = Some(Listed::Items);
        self.summary = counted(self.members.len(), &subject.noun());
        self.basis = Some("counted are the items with a box, such as `[ ]`, and lines with TODO".to_owned());
        Ok(!self.members.is_empty())
    }

    /// Chunks that hold some of these words, best first.
    fn chunks_with(
        &mut self,
        state: &QueryState,
        words: &str,
        only: Option<Arc<HashSet<RelPath>>>,
    ) -> Result<Vec<ChunkRecord>, EngineError> {
        let Some(snapshot) = &state.snapshot else { return Ok(Vec::new()) };
        let weights =
            FieldWeights { body: 1.0, exact: 1.0, identifier: 1.0, part: 0.0, title: 0.0, trail: 0.0, path: 0.0 };
        let query = LexicalQuery { words: words.to_owned(), ..search::parse_query(words, weights) };
        let filter = Filter { only: only.or_else(|| state.filter.only.clone()), ..state.filter.clone() };
        let found = snapshot.lexical(&query, &filter, MAX_CHUNKS)?;
        if found.len() == MAX_CHUNKS {
            self.notes.push(format!(
                "only the best {MAX_CHUNKS} passages with these words were looked at: there may be more"
            ));
        }
        Ok(snapshot.load(&found.iter().map(|chunk| chunk.id).collect::<Vec<_>>())?)
    }

    fn into_reply(self, id: &WorkspaceId, state: &QueryState, reply: &mut AskReply) -> Result<(), EngineError> {
        let num_members = self.members.len();
        if num_members == 0 {
            let reason = format!("nothing was found: {}", self.summary);
            (reply.abstention, reply.reason) = (Some(answer::Abstention::NothingFound), Some(reason));
            return Ok(());
        }
        let of = self.of.unwrap_or(Listed::Files);
        let mut members = Vec::new();
        for (name, (label, places)) in self.members.into_iter().take(MAX_LISTED) {
            let path = match of {
                Listed::Files | Listed::Folders => name.parse().ok(),
                _ => places.first().map(|place| place.chunk.file.path.clone()),
            };
            let num_places = places.len();
            let place = match places.into_iter().next() {
                Some(place) => Some(place),
                None => first_words(state, path.as_ref())?,
            };
            let citations = place.map(|place| {
                let hit = search::hit_of(id, &place.chunk);
                reply.citations.push(answer::cite(&hit, place.span));
                reply.citations.len() - 1
            });
            let is_of_words = matches!(of, Listed::Files | Listed::Folders) && num_places > 1;
            let note = is_of_words.then(|| format!("{num_places} passages"));
            members.push(Member { label, path, citations: citations.into_iter().collect(), note });
        }
        reply.abstained = false;
        reply.listing = Some(Listing {
            summary: self.summary,
            of,
            num_members,
            num_not_listed: num_members - members.len(),
            members,
            num_files: self.num_files,
            num_searched: self.num_searched,
        });
        Ok(())
    }
}

/// The first line of a file, to be cited where nothing else makes it a member.
fn first_words(state: &QueryState, path: Option<&RelPath>) -> Result<Option<Found>, EngineError> {
    let (Some(snapshot), Some(path)) = (&state.snapshot, path) else { return Ok(None) };
    let path = if snapshot.extract_of(path, 1)?.is_empty() {
        match snapshot.below(path)?.into_iter().next() {
            Some(path) => path,
            None => return Ok(None),
        }
    } else {
        path.clone()
    };
    let chunk = snapshot.extract_of(&path, 1)?.into_iter().next();
    let is_shown = state.filter.admits_path(path.as_str());
    Ok(chunk.filter(|_| is_shown).map(|chunk| Found { span: answer::first_line(&chunk.words), chunk }))
}

/// Files and the members that they are of.
fn owners(named: &Named) -> HashMap<String, String> {
    let each = |(name, paths): (&String, &Vec<RelPath>)| {
        paths.iter().map(|path| (path.to_string(), name.clone())).collect::<Vec<_>>()
    };
    named.members.iter().flat_map(each).collect()
}

/// The folder of a member that a folder is, or is below of.
fn owner_of_folder(folder: &str, owners: &HashMap<String, String>) -> Option<String> {
    let folders: HashSet<&str> =
        owners.keys().filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder)).collect();
    let mut folder = folder;
    loop {
        if folders.contains(folder) {
            return Some(folder.to_owned());
        }
        folder = folder.rsplit_once('/')?.0;
    }
}

/// The last part of a path, and of files the folder before it.
fn label_of(path: &str, is_folder: bool) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let num_parts = if is_folder { 1 } else { 2 };
    parts[parts.len().saturating_sub(num_parts)..].join("/")
}

/// `1 file`, `2 files`, `no file`.
fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ if noun.ends_with('y') => format!("{number} {}ies", &noun[..noun.len() - 1]),
        _ => format!("{number} {noun}s"),
    }
}
