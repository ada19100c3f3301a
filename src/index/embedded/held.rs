//! Which chunks hold which words of a query.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tantivy::collector::DocSetCollector;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocSet as _, Searcher, TERMINATED, Term};

use super::given::Given;
use super::schema::Fields;
use super::snapshot::{Passing, State, pack};
use super::tantivy;
use crate::budget::Budget;
use crate::index::analyzer::{AskedWord, Form, Stemming, asked_words, is_all_words, is_question, name_words, names};
use crate::index::{ChunkId, HeldWord, HeldWords, IndexError, LexicalQuery, MAX_HOLDERS, MAX_LOOKED_UP};

/// A query of more words is no name.
const MAX_NAME_WORDS: usize = 12;

/// A snapshot that is asked.
pub(super) struct Asked<'a> {
    pub state: &'a State,
    pub searcher: &'a Searcher,
    pub fields: &'a Fields,
    pub passing: Option<&'a Passing>,
    pub budget: &'a Budget,
    pub given: &'a Given,
}

impl Asked<'_> {
    pub(super) fn held(&self, query: &LexicalQuery) -> Result<HeldWords, IndexError> {
        let text = query.all_words();
        let stemmings = self.state.stemmings();
        let is_question = is_question(&text, stemmings);
        let mut words = Vec::new();
        for word in asked_words(&text, stemmings) {
            if self.budget.is_over() {
                break;
            }
            self.look_up(&word, is_question, &mut words)?;
        }
        Ok(HeldWords { is_question, are_all_words: is_all_words(&text), words, named: self.named(&text)? })
    }

    /// Adds the word as it is held, or its parts as they are; nothing where nothing holds it.
    fn look_up(&self, word: &AskedWord, is_question: bool, held: &mut Vec<HeldWord>) -> Result<(), IndexError> {
        let is_plain = word.parts.is_empty() && word.forms.len() > 1;
        for form in &word.forms {
            let (fields, terms) = match form {
                Form::AsWritten(_) if is_question && is_plain => continue,
                Form::AsWritten(term) => (vec![self.fields.exact], std::slice::from_ref(term)),
                Form::Stemmed(terms) => (vec![self.fields.body], terms.as_slice()),
                Form::Around(terms) => {
                    (vec![self.fields.title, self.fields.trail, self.fields.path_words], terms.as_slice())
                }
            };
            if let Some(found) = self.holders(word, &fields, terms)? {
                held.push(found);
                return Ok(());
            }
        }
        for part in &word.parts {
            self.look_up(part, is_question, held)?;
        }
        Ok(())
    }

    /// What holds one of `terms` in one of `fields`; `None` where nothing does that passes.
    fn holders(&self, word: &AskedWord, fields: &[Field], terms: &[String]) -> Result<Option<HeldWord>, IndexError> {
        let terms =
            || fields.iter().flat_map(|&field| terms.iter().map(move |term| Term::from_field_text(field, term)));
        let mut num_chunks = 0;
        for term in terms() {
            let found = self.searcher.doc_freq(&term).map_err(tantivy)?;
            num_chunks = num_chunks.max(usize::try_from(found).unwrap_or(usize::MAX));
        }
        let held = |num_files, chunks| Some(HeldWord { text: word.text.clone(), num_chunks, num_files, chunks });
        if num_chunks > MAX_LOOKED_UP {
            return Ok(held(0, None));
        }
        let mut found: Vec<u64> = Vec::new();
        for term in terms() {
            let num_before = found.len();
            for (ordinal, (reader, _)) in (0_u32..).zip(self.state.segments()) {
                let index = reader.inverted_index(term.field()).map_err(tantivy)?;
                let postings = index.read_postings(&term, IndexRecordOption::Basic).map_err(super::io)?;
                let Some(mut postings) = postings else { continue };
                let (alive, passing) = (reader.alive_bitset(), self.passing.map(|passing| &passing[ordinal as usize]));
                let mut doc = postings.doc();
                while doc != TERMINATED {
                    let passes = passing.is_none_or(|passing| passing.binary_search(&doc).is_ok());
                    if passes && alive.is_none_or(|alive| alive.is_alive(doc)) {
                        found.push(pack(ordinal, doc));
                        // A term has a chunk once.
                        if found.len() - num_before > MAX_HOLDERS {
                            return Ok(held(0, None));
                        }
                    }
                    doc = postings.advance();
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        match found.len() {
            0 => return Ok(None),
            1..=MAX_HOLDERS => {}
            _ => return Ok(held(0, None)),
        }
        let mut files = BTreeMap::new();
        for &address in &found {
            files.entry(self.state.file_at(address)?).or_insert(address);
        }
        let paths: BTreeSet<&str> =
            files.into_values().map(|address| self.state.path_at(address)).collect::<Result<_, _>>()?;
        Ok(held(paths.len(), Some(self.given(found)?)))
    }

    /// The ids of the chunks at these addresses, in order.
    fn given(&self, addresses: impl IntoIterator<Item = u64>) -> Result<Vec<ChunkId>, IndexError> {
        let found = addresses.into_iter().map(|address| Ok((self.state.id_at(address)?, address)));
        let found = found.collect::<Result<Vec<_>, IndexError>>()?;
        self.given.add(found.iter().copied());
        let mut ids: Vec<ChunkId> = found.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The chunks of files whose name has just the words of the query.
    fn named(&self, text: &str) -> Result<Vec<ChunkId>, IndexError> {
        let mut tried: BTreeMap<Stemming, BTreeSet<String>> = BTreeMap::new();
        let mut found = BTreeSet::new();
        let mut is_named: HashMap<String, bool> = HashMap::new();
        for &stemming in self.state.stemmings() {
            let words = name_words(text, stemming);
            if words.is_empty() || words.len() > MAX_NAME_WORDS || tried.values().any(|known| *known == words) {
                continue;
            }
            let mut rarest = u64::MAX;
            let mut all: Vec<(Occur, Box<dyn Query>)> = Vec::new();
            for word in &words {
                let term = Term::from_field_text(self.fields.path_words, word);
                rarest = rarest.min(self.searcher.doc_freq(&term).map_err(tantivy)?);
                if rarest == 0 {
                    break;
                }
                all.push((Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::Basic))));
            }
            tried.insert(stemming, words);
            if rarest == 0 || rarest > MAX_LOOKED_UP as u64 {
                continue;
            }
            let holding = self.searcher.search(&BooleanQuery::from(all), &DocSetCollector).map_err(tantivy)?;
            for DocAddress { segment_ord, doc_id } in holding {
                let passes = |passing: &Passing| passing[segment_ord as usize].binary_search(&doc_id).is_ok();
                let address = pack(segment_ord, doc_id);
                let path = self.state.path_at(address)?;
                let is_named = if let Some(&is_named) = is_named.get(path) {
                    is_named
                } else {
                    let of_file = self.state.language_at(address)?;
                    let is = names(text, path.rsplit('/').next().unwrap_or(path), Stemming::of(of_file));
                    is_named.insert(path.to_owned(), is);
                    is
                };
                if is_named && self.passing.is_none_or(passes) {
                    found.insert(address);
                }
            }
        }
        self.given(found)
    }
}
