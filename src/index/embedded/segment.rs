//! What is read of a segment again and again, kept as long as the segment lives: its columns, and its files.
//!
//! A segment's content never changes, only which of its chunks are alive. A filter is about files, so it is decided once
//! for each file, and chunks only look up their file's answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use tantivy::columnar::ColumnValues;
use tantivy::{DocId, SegmentReader};

use super::schema::{CHUNK_ID, FORMAT, KEY_HIGH, KEY_LOW, LANGUAGE, MODIFIED_MS, PATH, REVISION, join};
use crate::extract::Format;
use crate::index::{ChunkId, Filter, IndexError, LanguageCounts, Languages, VectorKey};
use crate::workspace::Language;

/// The columns of one segment.
pub(super) struct Columns {
    chunk_ids: Arc<dyn ColumnValues<u64>>,
    keys_high: Arc<dyn ColumnValues<u64>>,
    keys_low: Arc<dyn ColumnValues<u64>>,
    revisions: Arc<dyn ColumnValues<u64>>,
    modified_ms: Arc<dyn ColumnValues<i64>>,
    /// The names of formats, `None` for one that this program does not know, and which each chunk has.
    formats: (Vec<Option<Format>>, Arc<dyn ColumnValues<u64>>),
    /// The languages, and which of them each chunk has; `None` where no chunk has one.
    languages: Option<LanguageColumn>,
    files: OnceLock<Files>,
}

/// The distinct languages, `None` for a code that is none, and which of them each chunk has.
type LanguageColumn = (Vec<Option<Language>>, Arc<dyn ColumnValues<u64>>);

/// The files of one segment.
struct Files {
    /// The file of each chunk.
    of_doc: Vec<u32>,
    facts: Vec<Facts>,
}

/// What filters ask about a file.
struct Facts {
    path: String,
    /// `None` where the name is of no format that this program knows; nothing admits it then.
    format: Option<Format>,
    modified_ms: i64,
}

impl Columns {
    pub(super) fn open(reader: &SegmentReader) -> Result<Self, IndexError> {
        let column = |name| -> Result<_, IndexError> {
            Ok(reader.fast_fields().u64(name).map_err(super::tantivy)?.first_or_default_col(0))
        };
        Ok(Self {
            chunk_ids: column(CHUNK_ID)?,
            keys_high: column(KEY_HIGH)?,
            keys_low: column(KEY_LOW)?,
            revisions: column(REVISION)?,
            modified_ms: reader.fast_fields().i64(MODIFIED_MS).map_err(super::tantivy)?.first_or_default_col(0),
            formats: {
                let (names, format_of) = text_column(reader, FORMAT)?;
                (names.iter().map(|name| Format::from_name(name)).collect(), format_of)
            },
            languages: match optional_text_column(reader, LANGUAGE)? {
                Some((codes, language_of)) => {
                    Some((codes.iter().map(|code| Language::of_code(code)).collect(), language_of))
                }
                None => None,
            },
            files: OnceLock::new(),
        })
    }

    /// The language of a chunk's document, where it is known.
    pub(super) fn language(&self, doc: DocId) -> Option<Language> {
        let (languages, language_of) = self.languages.as_ref()?;
        usize::try_from(language_of.get_val(doc)).ok().and_then(|ordinal| languages.get(ordinal)).copied().flatten()
    }

    /// How many of the live chunks are in each language, and how many of them never get a vector.
    pub(super) fn count_languages(&self, reader: &SegmentReader) -> Languages {
        let known = self.languages.as_ref().map_or(&[][..], |(languages, _)| languages);
        // By their ordinals, and last those without one: this is done for every chunk after each batch that takes one out.
        let mut counts = vec![LanguageCounts::default(); known.len() + 1];
        for doc in reader.doc_ids_alive() {
            let ordinal = self.languages.as_ref().and_then(|(_, of_doc)| usize::try_from(of_doc.get_val(doc)).ok());
            let count = &mut counts[ordinal.unwrap_or(known.len()).min(known.len())];
            count.num_chunks += 1;
            count.num_by_words += usize::from(self.keys_high.get_val(doc) == 0 && self.key(doc) == VectorKey::NONE);
        }
        let languages = known.iter().copied().chain([None]);
        let mut by_language = Languages::new();
        for (language, LanguageCounts { num_chunks, num_by_words }) in languages.zip(counts) {
            if num_chunks > 0 {
                let count = by_language.entry(language).or_default();
                count.num_chunks += num_chunks;
                count.num_by_words += num_by_words;
            }
        }
        by_language
    }

    pub(super) fn chunk_id(&self, doc: DocId) -> ChunkId {
        ChunkId(self.chunk_ids.get_val(doc))
    }

    pub(super) fn key(&self, doc: DocId) -> VectorKey {
        join(self.keys_high.get_val(doc), self.keys_low.get_val(doc))
    }

    pub(super) fn revision(&self, doc: DocId) -> u64 {
        self.revisions.get_val(doc)
    }

    pub(super) fn modified_ms(&self, doc: DocId) -> i64 {
        self.modified_ms.get_val(doc)
    }

    /// `None` where the name is of no format that this program knows.
    pub(super) fn format(&self, doc: DocId) -> Option<Format> {
        let (formats, format_of) = &self.formats;
        usize::try_from(format_of.get_val(doc)).ok().and_then(|ordinal| formats.get(ordinal)).copied().flatten()
    }

    /// The path of a chunk's file.
    pub(super) fn path(&self, reader: &SegmentReader, doc: DocId) -> Result<&str, IndexError> {
        let files = self.files(reader)?;
        Ok(&files.facts[files.of_doc[doc as usize] as usize].path)
    }

    /// Tells a chunk's file from the others of the segment.
    pub(super) fn file_number(&self, reader: &SegmentReader, doc: DocId) -> Result<u32, IndexError> {
        Ok(self.files(reader)?.of_doc[doc as usize])
    }

    fn files(&self, reader: &SegmentReader) -> Result<&Files, IndexError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let read = Files::read(reader, self)?;
        Ok(self.files.get_or_init(|| read))
    }

    /// The live chunks whose file passes the filter, in order.
    pub(super) fn passing(&self, reader: &SegmentReader, filter: &Filter) -> Result<Vec<DocId>, IndexError> {
        let files = self.files(reader)?;
        let admits =
            |facts: &Facts| facts.format.is_some_and(|format| filter.admits(&facts.path, format, facts.modified_ms));
        let admitted: Vec<bool> = files.facts.iter().map(admits).collect();
        let admitted = |doc: &DocId| admitted[files.of_doc[*doc as usize] as usize];
        Ok(reader.doc_ids_alive().filter(admitted).collect())
    }
}

/// Adds the files that live chunks of a segment are of.
pub(super) fn add_live_paths(reader: &SegmentReader, live: &mut BTreeSet<String>) -> Result<(), IndexError> {
    let (paths, path_of) = text_column(reader, PATH)?;
    let mut is_live = vec![false; paths.len()];
    for doc in reader.doc_ids_alive() {
        if let Some(is_live) = usize::try_from(path_of.get_val(doc)).ok().and_then(|ordinal| is_live.get_mut(ordinal)) {
            *is_live = true;
        }
    }
    live.extend(paths.into_iter().zip(is_live).filter_map(|(path, is_live)| is_live.then_some(path)));
    Ok(())
}

/// The distinct values of a text column in their order, and which of them each chunk has.
type TextColumn = (Vec<String>, Arc<dyn ColumnValues<u64>>);

fn text_column(reader: &SegmentReader, name: &str) -> Result<TextColumn, IndexError> {
    let missing = || IndexError::Unusable { reason: format!("a segment has no column `{name}`") };
    optional_text_column(reader, name)?.ok_or_else(missing)
}

/// `None` where no chunk of the segment has a value.
fn optional_text_column(reader: &SegmentReader, name: &str) -> Result<Option<TextColumn>, IndexError> {
    if reader.schema().get_field(name).is_err() {
        return Ok(None);
    }
    let Some(column) = reader.fast_fields().str(name).map_err(super::tantivy)? else { return Ok(None) };
    let mut terms = Vec::with_capacity(column.num_terms());
    let mut stream = column.dictionary().stream().map_err(super::io)?;
    while stream.advance() {
        terms.push(String::from_utf8_lossy(stream.key()).into_owned());
    }
    Ok(Some((terms, column.ords().clone().first_or_default_col(u64::MAX))))
}

impl Files {
    fn read(reader: &SegmentReader, columns: &Columns) -> Result<Self, IndexError> {
        let (paths, path_of) = text_column(reader, PATH)?;
        let path = |ordinal: u64| usize::try_from(ordinal).ok().and_then(|ordinal| paths.get(ordinal)).cloned();
        let mut files = Self { of_doc: Vec::with_capacity(reader.max_doc() as usize), facts: Vec::new() };
        // A path may stand for two files here: one that was replaced, and is dead, and the one that replaced it.
        let mut numbers: HashMap<(u64, Option<Format>, i64), u32> = HashMap::new();
        for doc in 0..reader.max_doc() {
            let (ordinal, format, modified_ms) = (path_of.get_val(doc), columns.format(doc), columns.modified_ms(doc));
            let number = *numbers.entry((ordinal, format, modified_ms)).or_insert_with(|| {
                files.facts.push(Facts { path: path(ordinal).unwrap_or_default(), format, modified_ms });
                u32::try_from(files.facts.len() - 1).expect("a segment has fewer files than chunks, numbered by u32")
            });
            files.of_doc.push(number);
        }
        Ok(files)
    }
}
