//! The answer from rows and records: which files are looked through, and how what they hold is cited.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Instant;

use super::ask::Asking;
use super::query::QueryState;
use super::{EngineError, Workspace};
use crate::answer::tables::{self, Answer, Found, Line, Sheet};
use crate::answer::{self, Abstention, AskReply, Listed, Listing, Member, Plan, PlanChoice, PlanKind, Sentence, cite};
use crate::index::{ChunkId, ChunkRecord, Filter, LexicalQuery, Snapshot};
use crate::search::{self, Hit};
use crate::workspace::{Citation, RelPath, Span, WorkspaceId};

/// Files that are looked through for one question.
const MAX_FILES: usize = 18;
/// Chunks that the question finds among files of rows and records, and that each of its words does.
const NUM_CHUNKS_BY_WORDS: usize = 60;
const NUM_CHUNKS_BY_WORD: usize = 300;
/// Words of the question that are looked for one by one.
const MAX_WORDS: usize = 8;
/// Files of rows and records that words find.
const MAX_FILES_BY_WORDS: usize = 8;
/// Chunks of a file of rows or records that are read, and of another document.
const MAX_CHUNKS: usize = 2_000;
const MAX_CHUNKS_OF_DOCUMENT: usize = 400;
/// Chunks that are read for one question.
const MAX_CHUNKS_IN_ALL: usize = 5_000;
/// A longer row does not stand beside its key in a list, in bytes.
const MAX_NOTE_BYTES: usize = 300;

/// A file with its tables, and the chunks that they were read from.
struct Looked {
    sheets: Vec<Sheet>,
    chunks: Vec<Vec<ChunkRecord>>,
}

impl Workspace<'_> {
    /// The reply of rows and cells.
    fn tell_rows(&self, asking: &Asking<'_>, looked: &Looked, found: Found) -> Result<Option<AskReply>, EngineError> {
        let Asking { request, state, plan, .. } = asking;
        let mut plan = Plan { kind: found.kind, why: found.why, ..plan.clone() };
        plan.notes.extend(found.notes);
        let mut citer = Citer { id: &self.id, looked, citations: Vec::new() };
        let (mut sentences, mut members) = (Vec::new(), Vec::new());
        for line in &found.lines {
            let Some(quoted) = citer.cite(line.sheet, line.quote) else { continue };
            let text = citer.citations[quoted].quote.clone();
            let place = (!line.place.is_empty()).then(|| line.place.join(" › "));
            if sentences.len() < request.max_sentences {
                let mut citations = vec![quoted];
                citations.extend(line.beside.iter().filter_map(|span| citer.cite(line.sheet, *span)));
                citations.dedup();
                let sentence = Sentence::supported(text.clone(), citations);
                sentences.push(Sentence { place: place.clone(), fields: line.fields.clone(), ..sentence });
            }
            let note = (text.len() <= MAX_NOTE_BYTES && text != line.label).then_some(text);
            let path = Some(looked.sheets[line.sheet].file.path.clone());
            members.push(Member { label: label_of(line), path, citations: vec![quoted], note });
        }
        let mut citations = citer.citations;
        let mut seen: Vec<(RelPath, crate::workspace::Provenance)> = Vec::new();
        for citation in &mut citations {
            let known = seen.iter().find(|(path, _)| *path == citation.path).map(|(_, provenance)| provenance.clone());
            citation.provenance = match known {
                Some(provenance) => provenance,
                None => self.writer_of(citation)?,
            };
            if !state.provenance.is_open() && !state.provenance.admits(&citation.provenance) {
                return Ok(None);
            }
            seen.push((citation.path.clone(), citation.provenance.clone()));
        }
        if sentences.is_empty() {
            return Ok(None);
        }
        let coverage = self.coverage_of(state, true)?;
        let listing = found.summary.map(|summary| Listing {
            summary,
            of: Listed::Rows,
            num_members: found.num_rows,
            num_not_listed: found.num_rows.saturating_sub(members.len()),
            members,
            num_files: usize::try_from(coverage.files.files).unwrap_or(usize::MAX),
            num_searched: looked.sheets.iter().filter(|sheet| !sheet.is_cut).count(),
        });
        let reply = AskReply::abstaining(state.view.settled, coverage, plan);
        Ok(Some(AskReply { abstained: false, sentences, citations, listing, ..reply }))
    }
}

impl Workspace<'_> {
    /// The answer from rows of tables or from records, where the question names some; `None` where it does not, and other plans answer.
    ///
    /// Looked through are the files of `hits` that have rows or keys, then files of rows and records that the question's words find, then
    /// those whose path has a day that it names.
    pub(super) fn answer_from_tables(
        &self,
        asking: &Asking<'_>,
        hits: &[Hit],
    ) -> Result<Option<AskReply>, EngineError> {
        let Asking { request, state, plan, .. } = asking;
        let question = request.question.as_str();
        let is_wanted = matches!(
            request.plan,
            PlanChoice::Auto | PlanChoice::Table | PlanChoice::List | PlanChoice::Count | PlanChoice::Compare
        );
        if !is_wanted || answer::is_model_asked(request, &self.engine.data.config.answer) {
            return Ok(None);
        }
        let Some(snapshot) = state.snapshot.as_deref().filter(|_| tables::is_for_tables(question)) else {
            return Ok(None);
        };
        let began = Instant::now();
        let mut paths: Vec<RelPath> = Vec::new();
        let mut add = |path: &RelPath| {
            if paths.len() < MAX_FILES && !paths.contains(path) && state.filter.admits_path(path.as_str()) {
                paths.push(path.clone());
            }
        };
        hits.iter().filter(|hit| may_be_of_table(hit)).for_each(|hit| add(&hit.citation.path));
        self.tables_by_words(question, state, snapshot)?.iter().for_each(&mut add);
        if tables::names_a_day(question) {
            for file in self.all_files_while(&|| !state.budget.is_over())?.iter() {
                if tables::is_of_day(question, file.path.as_str()) {
                    add(&file.path);
                }
            }
        }
        let looked = look_through(snapshot, &paths)?;
        let num_tables: usize = looked.sheets.iter().map(|sheet| sheet.tables.len()).sum();
        let read_ms = began.elapsed().as_millis();
        let answer = tables::look_up(question, &looked.sheets);
        tracing::debug!(num_files = paths.len(), num_tables, read_ms, ms = began.elapsed().as_millis(), "tables");
        match answer {
            Answer::Nothing => Ok(None),
            Answer::Missing { word, table, .. } => {
                // Other words may say it: only what nothing that was found speaks of is missing.
                let speaks_of = |hit: &Hit| tables::speaks_of(question, &word, &around(hit));
                if hits.iter().any(speaks_of) {
                    return Ok(None);
                }
                let plan = Plan {
                    kind: PlanKind::Table,
                    why: format!("the question names a row and a column as {table} has them"),
                    ..plan.clone()
                };
                let reason =
                    format!("no row or column of {table} is of `{word}`, and no passage that was found holds it");
                let reply = AskReply::abstaining(state.view.settled, self.coverage_of(state, true)?, plan);
                Ok(Some(AskReply { abstention: Some(Abstention::UnknownIdentifier), reason: Some(reason), ..reply }))
            }
            Answer::Found(found) => self.tell_rows(asking, &looked, found),
        }
    }

    /// Files of rows and records that the words of a question find: those with most of its words first, then in the order of their best
    /// passage. A row has the name of a thing, and only the header the name of its column, so no passage need have both.
    fn tables_by_words(
        &self,
        question: &str,
        state: &QueryState,
        snapshot: &dyn Snapshot,
    ) -> Result<Vec<RelPath>, EngineError> {
        let formats = tables::structured_formats().filter(|format| state.filter.admits_format(*format)).collect();
        let filter = Filter { formats: Some(formats), ..state.filter.clone() };
        let find = |words: &str, limit: usize| -> Result<Vec<ChunkId>, EngineError> {
            let weights = self.engine.data.config.ranking.fields;
            let query = LexicalQuery { words: words.to_owned(), phrases: Vec::new(), weights };
            Ok(snapshot.lexical(&query, &filter, limit)?.iter().map(|chunk| chunk.id).collect())
        };
        let mut num_words: HashMap<RelPath, usize> = HashMap::new();
        for word in tables::words_to_find(question).iter().take(MAX_WORDS) {
            for path in snapshot.paths(&find(word, NUM_CHUNKS_BY_WORD)?)? {
                *num_words.entry(path).or_default() += 1;
            }
        }
        let mut places: HashMap<RelPath, usize> = HashMap::new();
        for (place, id) in find(question, NUM_CHUNKS_BY_WORDS)?.into_iter().enumerate() {
            for path in snapshot.paths(&[id])? {
                places.entry(path).or_insert(place);
            }
        }
        let mut paths: Vec<RelPath> = num_words.keys().chain(places.keys()).cloned().collect();
        let order = |path: &RelPath| {
            let num = num_words.get(path).copied().unwrap_or(0);
            (Reverse(num), places.get(path).copied().unwrap_or(usize::MAX), path.clone())
        };
        paths.sort_by_cached_key(order);
        paths.dedup();
        paths.truncate(MAX_FILES_BY_WORDS);
        Ok(paths)
    }
}

/// The name of a row in a list.
fn label_of(line: &Line) -> String {
    if !line.label.is_empty() {
        return line.label.clone();
    }
    line.fields.first().map(|field| field.value.clone()).unwrap_or_default()
}

/// What stands in and around a passage.
fn around(hit: &Hit) -> String {
    let title = hit.title.as_deref().unwrap_or_default();
    let trail = hit.citation.trail.join(" \n ");
    format!("{} \n {title} \n {trail} \n {}", hit.citation.path, hit.text)
}

/// Whether a passage looks like one of a file with rows or keys, before that file is opened.
fn may_be_of_table(hit: &Hit) -> bool {
    let is_by_name = tables::is_structured_name(hit.citation.path.as_str());
    let has_settings = hit.citation.span.start == 0 && hit.text.starts_with("---");
    let has_rows = || {
        hit.text
            .lines()
            .any(|line| line.contains(" | ") || line.starts_with('|') || line.contains("= =") || line.contains("=  ="))
    };
    is_by_name || hit.header.is_some() || has_settings || has_rows()
}

/// Reads the tables of files, as far as the chunks of one question go.
fn look_through(snapshot: &dyn Snapshot, paths: &[RelPath]) -> Result<Looked, EngineError> {
    let mut looked = Looked { sheets: Vec::new(), chunks: Vec::new() };
    let mut num_left = MAX_CHUNKS_IN_ALL;
    for path in paths {
        let is_structured = tables::is_structured_name(path.as_str());
        let limit = if is_structured { MAX_CHUNKS } else { MAX_CHUNKS_OF_DOCUMENT };
        let limit = limit.min(num_left);
        if limit == 0 {
            break;
        }
        let chunks = snapshot.extract_of(path, limit)?;
        num_left = num_left.saturating_sub(chunks.len());
        let may_have = chunks.first().is_some_and(|chunk| tables::may_have_tables(chunk.file.format));
        if may_have && let Some(sheet) = tables::read(&chunks, chunks.len() < limit) {
            looked.sheets.push(sheet);
            looked.chunks.push(chunks);
        }
    }
    Ok(looked)
}

/// Makes citations of spans in files that were looked through, each once.
struct Citer<'c> {
    id: &'c WorkspaceId,
    looked: &'c Looked,
    citations: Vec<Citation>,
}

impl Citer<'_> {
    /// The position of the citation of a span; `None` where the chunks do not hold it in one piece.
    fn cite(&mut self, sheet: usize, span: Span) -> Option<usize> {
        let chunks = self.looked.chunks.get(sheet)?;
        let first = chunks.partition_point(|chunk| chunk.place.span.end <= span.start);
        let end = chunks.partition_point(|chunk| chunk.place.span.start < span.end);
        let touched = chunks.get(first..end).filter(|touched| !touched.is_empty())?;
        let hit = match touched {
            [one] => search::hit_of(self.id, one),
            several => search::hit_of_adjacent(self.id, several),
        };
        let start = hit.citation.span.start;
        let part = Span::new(span.start.checked_sub(start)?, span.end.checked_sub(start)?);
        part.of(&hit.text).filter(|words| !words.is_empty())?;
        let citation = cite(&hit, part);
        let is_same = |other: &Citation| other.path == citation.path && other.span == citation.span;
        if let Some(at) = self.citations.iter().position(is_same) {
            return Some(at);
        }
        self.citations.push(citation);
        Some(self.citations.len() - 1)
    }
}
