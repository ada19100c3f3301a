//! The tantivy schema of a chunk, and the way there and back.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::schema::{FAST, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value};
use tantivy::{DocId, TantivyDocument};

use super::segment::Columns;
use crate::extract::PageUnit;
use crate::index::analyzer::{Analysis, Stemming, analysed};
use crate::index::{ChunkPlace, ChunkRecord, FileFacts, IndexError, VectorKey};
use crate::workspace::{Cells, ContentHash, LineRange, RelPath, Revision, Span};

/// The name under which the stemmed analysis is registered.
pub(super) const STEMMED: &str = "pincite_stemmed";
/// The name under which the exact analysis is registered.
pub(super) const EXACT: &str = "pincite_exact";

/// Fast-field names that readers open by name.
pub(super) const CHUNK_ID: &str = "chunk_id";
pub(super) const KEY_HIGH: &str = "key_high";
pub(super) const KEY_LOW: &str = "key_low";
pub(super) const PATH: &str = "path";
pub(super) const FORMAT: &str = "format";
pub(super) const MODIFIED_MS: &str = "modified_ms";
pub(super) const REVISION: &str = "revision";
pub(super) const LANGUAGE: &str = "language";

/// The fields of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub path: Field,
    pub format: Field,
    pub modified_ms: Field,
    pub revision: Field,
    pub chunk_id: Field,
    pub key_high: Field,
    pub key_low: Field,
    /// ISO 639-1; indexes before format version 7 do not have it, and take all for English.
    pub language: Option<Field>,
    /// The gap before the chunk, then its words, as they are.
    pub text: Field,
    /// The same, analysed with stems. One field with `text` before format version 7.
    pub body: Field,
    pub exact: Field,
    pub title: Field,
    pub trail: Field,
    pub path_words: Field,
    /// The rest of the record, as JSON: see [`Stored`].
    pub stored: Field,
}

/// What is stored beside the words and the fast fields, after the content hash: as a list, since names would be a third of
/// it. The numbers are ordinal, start and end of the span, page, first and last line.
#[derive(Debug, Serialize, Deserialize)]
struct Stored(
    (u32, usize, usize, Option<u32>, Option<(u32, u32)>),
    Vec<String>,
    Option<String>,
    String,
    Option<String>,
    // Indexes before format version 6 have neither.
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<PageUnit>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Cells>,
    // Start and end of each repeated header and footer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")] Vec<(usize, usize)>,
);

impl Stored {
    fn of(chunk: &ChunkRecord) -> Self {
        let ChunkPlace { ordinal, span, page, page_unit, cells, lines, trail, header, context, repeated } =
            chunk.place.clone();
        let numbers = (ordinal, span.start, span.end, page, lines.map(|lines| (lines.start, lines.end)));
        // Lists have no names: what comes after one that is left out is left out.
        let has_cells = !cells.is_empty() || !repeated.is_empty();
        let unit = (page_unit != PageUnit::default() || has_cells).then_some(page_unit);
        let cells = has_cells.then_some(cells);
        let repeated = repeated.into_iter().map(|span| (span.start, span.end)).collect();
        Self(numbers, trail, header, context, chunk.file.title.clone(), unit, cells, repeated)
    }

    /// The place, and the document's title.
    fn parts(self) -> (ChunkPlace, Option<String>) {
        let Self((ordinal, start, end, page, lines), trail, header, context, title, page_unit, cells, repeated) = self;
        let (page_unit, cells) = (page_unit.unwrap_or_default(), cells.unwrap_or_default());
        let lines = lines.map(|(start, end)| LineRange { start, end });
        let repeated = repeated.into_iter().map(|(start, end)| Span::new(start, end)).collect();
        let span = Span::new(start, end);
        (ChunkPlace { ordinal, span, page, page_unit, cells, lines, trail, header, context, repeated }, title)
    }
}

impl Fields {
    /// The fields of this format version.
    pub(super) fn build() -> (Schema, Self) {
        Self::build_of(true)
    }

    /// The fields of format versions 3 to 6.
    pub(super) fn build_without_language() -> (Schema, Self) {
        Self::build_of(false)
    }

    fn build_of(has_language: bool) -> (Schema, Self) {
        let mut builder = Schema::builder();
        let analysed = |name: &str, option| {
            TextOptions::default()
                .set_indexing_options(TextFieldIndexing::default().set_tokenizer(name).set_index_option(option))
        };
        let words = || analysed(STEMMED, IndexRecordOption::WithFreqs);
        let mut fields = Self {
            path: builder.add_text_field(PATH, STRING | FAST | STORED),
            format: builder.add_text_field(FORMAT, TextOptions::default().set_fast("raw")),
            modified_ms: builder.add_i64_field(MODIFIED_MS, FAST),
            revision: builder.add_u64_field(REVISION, FAST),
            chunk_id: builder.add_u64_field(CHUNK_ID, FAST),
            key_high: builder.add_u64_field(KEY_HIGH, FAST),
            key_low: builder.add_u64_field(KEY_LOW, FAST),
            body: builder.add_text_field("body", if has_language { words() } else { words() | STORED }),
            exact: builder.add_text_field("exact", analysed(EXACT, IndexRecordOption::WithFreqs)),
            title: builder.add_text_field("title", words()),
            trail: builder.add_text_field("trail", words()),
            path_words: builder.add_text_field("path_words", words()),
            stored: builder.add_bytes_field("stored", STORED),
            language: None,
            text: Field::from_field_id(0),
        };
        fields.text = fields.body;
        if has_language {
            fields.text = builder.add_text_field("text", STORED);
            fields.language = Some(builder.add_text_field(LANGUAGE, TextOptions::default().set_fast("raw")));
        }
        (builder.build(), fields)
    }

    pub(super) fn document(&self, chunk: &ChunkRecord) -> Result<TantivyDocument, IndexError> {
        let file = &chunk.file;
        let mut stored = file.content_hash.0.to_vec();
        serde_json::to_writer(&mut stored, &Stored::of(chunk)).map_err(|error| IndexError::Io(Box::new(error)))?;
        let mut document = TantivyDocument::new();
        document.add_text(self.path, file.path.as_str());
        document.add_text(self.format, file.format.name());
        document.add_i64(self.modified_ms, file.modified_ms);
        document.add_u64(self.revision, file.revision.0);
        document.add_u64(self.chunk_id, chunk.id().0);
        let [high, low] = split(chunk.key);
        document.add_u64(self.key_high, high);
        document.add_u64(self.key_low, low);
        let body = format!("{}{}", chunk.gap, chunk.words);
        let stemming = self.language.map_or(Stemming::ENGLISH, |_| Stemming::of(file.language));
        let mut add = |field, analysis, text: &str| match stemming {
            Stemming::ENGLISH => document.add_text(field, text),
            // A tokenizer of tantivy is of a field and knows of no language.
            stemming => document.add_pre_tokenized_text(field, analysed(text, analysis, stemming)),
        };
        let searched = chunk.searched_words();
        add(self.body, Analysis::Stemmed, &format!("{}{searched}", chunk.gap));
        add(self.exact, Analysis::Exact, &searched);
        if let Some(title) = &file.title {
            add(self.title, Analysis::Stemmed, title);
        }
        for heading in &chunk.place.trail {
            add(self.trail, Analysis::Stemmed, heading);
        }
        add(self.path_words, Analysis::Stemmed, file.path.as_str());
        if let Some(field) = self.language {
            document.add_text(self.text, &body);
            if let Some(language) = file.language {
                document.add_text(field, language.code());
            }
        }
        document.add_bytes(self.stored, &stored);
        Ok(document)
    }

    /// The chunk that a stored document and its columns make.
    pub(super) fn record(
        &self,
        document: &TantivyDocument,
        columns: &Columns,
        doc: DocId,
    ) -> Result<ChunkRecord, IndexError> {
        let damaged = |what: &str| IndexError::Unusable { reason: format!("a stored chunk has no valid `{what}`") };
        let values: HashMap<Field, _> = document.field_values().collect();
        let text = |field: Field, what: &str| values.get(&field).and_then(Value::as_str).ok_or_else(|| damaged(what));
        let stored = values.get(&self.stored).and_then(Value::as_bytes).ok_or_else(|| damaged("stored"))?;
        let (hash, stored) = stored.split_first_chunk().ok_or_else(|| damaged("stored"))?;
        let stored: Stored = serde_json::from_slice(stored).map_err(|_| damaged("stored"))?;
        let (place, title) = stored.parts();
        let body = text(self.text, "text")?;
        let gap_bytes = body.len().checked_sub(place.span.len()).ok_or_else(|| damaged("span"))?;
        let (gap, words) = body.split_at_checked(gap_bytes).ok_or_else(|| damaged("span"))?;
        let file = FileFacts {
            path: text(self.path, PATH)?.parse::<RelPath>().map_err(|_| damaged(PATH))?,
            content_hash: ContentHash(*hash),
            revision: Revision(columns.revision(doc)),
            format: columns.format(doc).ok_or_else(|| damaged(FORMAT))?,
            modified_ms: columns.modified_ms(doc),
            title,
            language: columns.language(doc),
        };
        let (words, gap) = (words.to_owned(), gap.to_owned());
        Ok(ChunkRecord { file: Arc::new(file), place, words, gap, key: columns.key(doc) })
    }
}

/// A key as the two numbers that tantivy has columns for.
pub(super) fn split(key: VectorKey) -> [u64; 2] {
    let bytes = key.0.to_be_bytes();
    let half = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("a key has sixteen bytes"));
    [half(0), half(8)]
}

/// The key of two columns.
pub(super) fn join(high: u64, low: u64) -> VectorKey {
    VectorKey(u128::from(high) << 64 | u128::from(low))
}
