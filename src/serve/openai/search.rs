//! The search of a vector store: `POST /v1/vector_stores/{ws}/search`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{BodyErrors, Errors, Refused};
use super::file_id::FileId;
use super::filter_schema::AttributeFilter;
use super::filters;
use crate::gate::Class;
use crate::search::{Condition, Filters, Hit, SearchRequest};
use crate::serve::app::Shared;
use crate::serve::extract::{InWorkspace, JsonBody};
use crate::serve::openapi;
use crate::workspace::Citation;

/// The most queries of one request.
pub(in crate::serve) const MAX_QUERIES: usize = 8;
/// The most results of one reply.
const MAX_RESULTS: usize = 50;
/// Longer texts are cut in attributes, but for paths, which would lead nowhere; a longer quote is left out, as the content has it.
const MAX_ATTRIBUTE_CHARS: usize = 512;

/// What to look for: one query or several.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes a request, which is read by hand")]
pub(super) enum VectorStoreQuery {
    /// One query.
    One(String),
    /// 1 to 8 queries; a passage that several of them find counts once, with its best score.
    Several(Vec<String>),
}

/// A search of a vector store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct VectorStoreSearch {
    /// Plain words or questions, with pincite's operators where they are wanted.
    #[schema(value_type = VectorStoreQuery)]
    query: Value,
    /// Which files to search.
    #[serde(default)]
    #[schema(value_type = Option<AttributeFilter>)]
    filters: Option<Value>,
    /// How many passages to return, 1 to 50; 10 without it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    max_num_results: Option<usize>,
    /// How to rank.
    #[serde(default)]
    ranking_options: Option<RankingOptions>,
    /// Queries are searched as they are; `true` is taken, and `notes` of the reply say so.
    #[serde(default)]
    rewrite_query: Option<bool>,
}

/// How to rank.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct RankingOptions {
    /// Any of them ranks as the server is configured to.
    ranker: Option<Ranker>,
    /// Only passages with at least this score, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    score_threshold: Option<f64>,
}

/// A ranker by the name that `OpenAI` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
enum Ranker {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "default-2024-11-15")]
    Default,
}

/// A page of passages, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreSearchPage {
    /// Always `vector_store.search_results.page`.
    #[schema(example = "vector_store.search_results.page")]
    object: &'static str,
    /// The queries.
    search_query: Vec<String>,
    /// The passages.
    data: Vec<SearchResult>,
    /// Whether more passages were found than were asked for.
    has_more: bool,
    /// Always `null`: the protocol has no parameter to go on with. Ask for more results at once.
    next_page: Option<String>,
    /// What the reply could not see, and what of the request was not done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A passage with its file.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    /// The id of the file.
    file_id: String,
    /// The name of the file, without folders.
    filename: String,
    /// 0 to 1, higher is better; comparable within one reply.
    score: f32,
    /// The citation: `workspace`, `path`, `content_hash`, `revision`, `start` and `end` (bytes of the text), and where they are known `lines`,
    /// `page` or `slide`, `cell`, `trail`, `title`, `agent`, `run`, `sandbox`, `tag`; a short `quote`.
    attributes: HashMap<&'static str, AttributeValue>,
    /// The words of the passage, verbatim: the quote of the citation.
    content: Vec<TextContent>,
}

/// The value of an attribute.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum AttributeValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A piece of text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TextContent {
    /// Always `text`.
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: &'static str,
    /// The text.
    text: String,
}

impl TextContent {
    pub(super) const fn new(text: String) -> Self {
        Self { kind: "text", text }
    }
}

/// Searches a vector store, which is a workspace, as `OpenAI`'s API does. The citation of each passage is in its attributes.
#[utoipa::path(
    post, path = "/v1/vector_stores/{ws}/search", tag = "openai", operation_id = "search_vector_store",
    params(openapi::WorkspaceParam),
    request_body(content = VectorStoreSearch, example = json!({
        "query": "cold start latency", "max_num_results": 5, "filters": { "type": "eq", "key": "type", "value": "markdown" },
    })),
    responses((status = 200, body = VectorStoreSearchPage, description = "Passages."), BodyErrors, Errors),
)]
pub(in crate::serve) async fn search(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    JsonBody(request): JsonBody<VectorStoreSearch>,
) -> Result<Json<VectorStoreSearchPage>, Refused> {
    let asked = Asked::read(&request)?;
    let work = move |engine: &crate::engine::Engine, budget: &crate::budget::Budget| {
        let store = store.open(engine)?;
        let mut found = Found::default();
        for query in &asked.queries {
            let filters = Filters { condition: asked.condition.clone(), ..Filters::default() };
            let request = SearchRequest { k: asked.num_results, filters, ..SearchRequest::new(query) };
            let reply = store.search_within(&request, budget)?;
            found.has_more |= reply.next_offset.is_some();
            found.notes.extend(reply.notes);
            found.notes.extend(reply.coverage.notes);
            found.hits.push(reply.hits);
        }
        Ok(asked.page(found))
    };
    Ok(app.call_within(Class::Interactive, work).await?)
}

/// A request that was read.
struct Asked {
    queries: Vec<String>,
    condition: Option<Condition>,
    num_results: usize,
    least_score: f32,
    notes: Vec<String>,
}

/// What was found, query by query.
#[derive(Default)]
struct Found {
    hits: Vec<Vec<Hit>>,
    has_more: bool,
    notes: Vec<String>,
}

impl Asked {
    fn read(request: &VectorStoreSearch) -> Result<Self, Refused> {
        let num_results = request.max_num_results.unwrap_or(10);
        if !(1..=MAX_RESULTS).contains(&num_results) {
            let message = format!("`max_num_results` is {num_results}");
            return Err(Refused::invalid("max_num_results", "invalid_request", message, "ask for 1 to 50"));
        }
        let options = request.ranking_options.as_ref();
        let least_score = options.and_then(|options| options.score_threshold).unwrap_or(0.0);
        if !(0.0..=1.0).contains(&least_score) {
            let message = format!("`score_threshold` is {least_score}");
            let at = "ranking_options.score_threshold";
            return Err(Refused::invalid(at, "invalid_request", message, "ask for 0 to 1"));
        }
        let mut notes = Vec::new();
        if request.rewrite_query == Some(true) {
            notes.push("the query was searched as it is: queries are not rewritten here".to_owned());
        }
        if options.and_then(|options| options.ranker) == Some(Ranker::None) {
            notes.push("`ranker` `none`: passages are ranked as the server is configured to".to_owned());
        }
        // Scores are told with as many digits as they have.
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1, and compared with scores of this width")]
        let least_score = least_score as f32;
        Ok(Self {
            queries: queries_of(&request.query)?,
            condition: request.filters.as_ref().map(filters::read).transpose()?,
            num_results,
            least_score,
            notes,
        })
    }

    fn page(self, found: Found) -> VectorStoreSearchPage {
        let mut hits: Vec<Hit> = Vec::new();
        for hit in found.hits.into_iter().flatten() {
            let is_same = |other: &&mut Hit| is_same_place(&other.citation, &hit.citation);
            match hits.iter_mut().find(is_same) {
                Some(other) if other.score >= hit.score => {}
                Some(other) => *other = hit,
                None => hits.push(hit),
            }
        }
        if self.queries.len() > 1 {
            // Of one query the order is that of the search, which may have another reason than the score.
            hits.sort_by(|one, other| other.score.total_cmp(&one.score));
        }
        let num_found = hits.len();
        hits.truncate(self.num_results);
        let has_more = found.has_more || num_found > hits.len();
        let mut notes = self.notes;
        notes.extend(found.notes);
        let mut seen = std::collections::HashSet::new();
        notes.retain(|note| seen.insert(note.clone()));
        let num_before = hits.len();
        hits.retain(|hit| hit.score.clamp(0.0, 1.0) >= self.least_score);
        let has_more = has_more && hits.len() == num_before;
        let data = hits.into_iter().map(result_of).collect();
        let object = "vector_store.search_results.page";
        VectorStoreSearchPage { object, search_query: self.queries, data, has_more, next_page: None, notes }
    }
}

fn queries_of(query: &Value) -> Result<Vec<String>, Refused> {
    let invalid = |message: &str| {
        let hint = "give one text, or a list of 1 to 8 texts";
        Refused::invalid("query", "invalid_request", message, hint)
    };
    let texts = match query {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) if (1..=MAX_QUERIES).contains(&texts.len()) => {
            let text = |text: &Value| text.as_str().map(str::to_owned);
            texts
                .iter()
                .map(text)
                .collect::<Option<_>>()
                .ok_or_else(|| invalid("`query` holds something else than texts"))?
        }
        Value::Array(_) => return Err(invalid("`query` has no text, or more than 8")),
        _ => return Err(invalid("`query` is neither a text nor a list of texts")),
    };
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Err(invalid("a query is empty"));
    }
    Ok(texts)
}

fn is_same_place(one: &Citation, other: &Citation) -> bool {
    (&one.path, one.span, one.content_hash) == (&other.path, other.span, other.content_hash)
}

fn result_of(hit: Hit) -> SearchResult {
    let Hit { score, text, title, citation, .. } = hit;
    SearchResult {
        file_id: FileId::of(&citation.workspace, &citation.path),
        filename: citation.path.file_name().to_owned(),
        score: score.clamp(0.0, 1.0),
        attributes: attributes_of(citation, title),
        content: vec![TextContent::new(text)],
    }
}

/// A citation as attributes, at most 16 of them.
fn attributes_of(citation: Citation, title: Option<String>) -> HashMap<&'static str, AttributeValue> {
    let number = |number: usize| AttributeValue::Number(i64::try_from(number).unwrap_or(i64::MAX));
    let text = |text: String| AttributeValue::Text(text.chars().take(MAX_ATTRIBUTE_CHARS).collect());
    let Citation { workspace, path, content_hash, revision, page, slide, lines, cell, trail, span, quote, provenance } =
        citation;
    let mut attributes = HashMap::from([
        ("workspace", AttributeValue::Text(workspace.to_string())),
        ("path", AttributeValue::Text(path.to_string())),
        ("content_hash", AttributeValue::Text(content_hash.to_string())),
        ("revision", AttributeValue::Number(i64::try_from(revision.0).unwrap_or(i64::MAX))),
        ("start", number(span.start)),
        ("end", number(span.end)),
    ]);
    let mut add = |name, value: Option<AttributeValue>| {
        if let Some(value) = value {
            attributes.insert(name, value);
        }
    };
    add("lines", lines.map(|lines| text(format!("{}-{}", lines.start, lines.end))));
    add("page", page.map(|page| AttributeValue::Number(page.into())));
    add("slide", slide.map(|slide| AttributeValue::Number(slide.into())));
    add("cell", cell.map(text));
    add("trail", (!trail.is_empty()).then(|| text(trail.join(" > "))));
    add("title", title.map(text));
    add("agent", provenance.agent.map(text));
    add("run", provenance.run.map(text));
    add("sandbox", provenance.sandbox.map(text));
    let tags: Vec<String> = provenance.tags.into_iter().collect();
    add("tag", (!tags.is_empty()).then(|| text(tags.join(", "))));
    add("quote", (quote.chars().count() <= MAX_ATTRIBUTE_CHARS).then(|| text(quote)));
    attributes
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use serde_json::json;

    use super::*;
    use crate::workspace::{ContentHash, Span};

    fn read(request: Value) -> Result<Asked, u16> {
        let request: VectorStoreSearch = serde_json::from_value(request).map_err(|_| 422_u16)?;
        Asked::read(&request).map_err(|refused| refused.into_response().status().as_u16())
    }

    fn hit(path: &str, score: f32) -> Hit {
        let hash = ContentHash::of(b"x");
        let citation =
            Citation::bare("default".parse().unwrap(), path.parse().unwrap(), hash, Span::new(0, 1), "x".to_owned());
        serde_json::from_value(json!({ "rank": 1, "score": score, "text": "x", "citation": citation })).unwrap()
    }

    #[test]
    fn queries_limits_and_rankers_are_read_as_documented() {
        assert_eq!(read(json!({ "query": "a" })).map(|asked| asked.num_results), Ok(10));
        assert_eq!(read(json!({ "query": ["a", "b"], "max_num_results": 50 })).unwrap().queries, ["a", "b"]);
        let options =
            json!({ "query": "a", "ranking_options": { "ranker": "default-2024-11-15", "score_threshold": 0.5 } });
        assert!((read(options).unwrap().least_score - 0.5).abs() < f32::EPSILON);
        assert_eq!(read(json!({ "query": "a", "rewrite_query": true })).unwrap().notes.len(), 1);
        for (wrong, status) in [
            (json!({}), 422),
            (json!({ "query": "a", "k": 5 }), 422),
            (json!({ "query": "a", "ranking_options": { "ranker": "best" } }), 422),
            (json!({ "query": "a", "max_num_results": -1 }), 422),
            (json!({ "query": "a", "rewrite_query": "yes" }), 422),
            (json!({ "query": "a", "max_num_results": 0 }), 400),
            (json!({ "query": "a", "max_num_results": 51 }), 400),
            (json!({ "query": "a", "ranking_options": { "score_threshold": 1.5 } }), 400),
            (json!({ "query": "a", "ranking_options": { "score_threshold": -0.5 } }), 400),
            (json!({ "query": " " }), 400),
            (json!({ "query": 5 }), 400),
            (json!({ "query": null }), 400),
            (json!({ "query": [] }), 400),
            (json!({ "query": ["a", 5] }), 400),
            (json!({ "query": vec!["a"; 9] }), 400),
            (json!({ "query": "a", "filters": {} }), 400),
        ] {
            assert_eq!(read(wrong.clone()).map(drop), Err(status), "{wrong}");
        }
    }

    #[test]
    fn a_passage_of_several_queries_comes_once_with_its_best_score() {
        let asked =
            read(json!({ "query": ["a", "b"], "max_num_results": 3, "ranking_options": { "score_threshold": 0.2 } }));
        let hits = vec![vec![hit("a", 0.9), hit("b", 0.3)], vec![hit("b", 0.5), hit("c", 0.1), hit("d", 7.0)]];
        let page = asked.unwrap().page(Found { hits, has_more: true, notes: vec!["n".to_owned(), "n".to_owned()] });
        let found: Vec<(&str, f32)> = page.data.iter().map(|one| (one.filename.as_str(), one.score)).collect();
        assert_eq!(found, [("d", 1.0), ("a", 0.9), ("b", 0.5)]);
        assert!(page.has_more && page.notes == ["n"]);
    }

    #[test]
    fn the_attributes_of_any_citation_are_at_most_sixteen() {
        let citation: Citation = serde_json::from_value(json!({
            "workspace": "default", "path": "a/b.md", "content_hash": ContentHash::of(b"x"), "revision": 7, "page": 3,
            "lines": { "start": 2, "end": 4 }, "cell": "A1", "trail": ["One", "Two"], "span": { "start": 5, "end": 9 },
            "quote": "word", "provenance": { "agent": "a", "run": "r", "sandbox": "s", "tags": ["x", "y"] },
        }))
        .unwrap();
        let attributes = attributes_of(citation.clone(), Some("t".repeat(600)));
        assert!(attributes.len() <= 16, "{attributes:?}");
        let text = |name| match &attributes[name] {
            AttributeValue::Text(text) => text.as_str(),
            AttributeValue::Number(_) => panic!("{name}"),
        };
        assert_eq!((text("lines"), text("trail"), text("tag"), text("quote")), ("2-4", "One > Two", "x, y", "word"));
        assert_eq!(text("title").len(), 512);
        assert_eq!(attributes["start"], AttributeValue::Number(5));
        let long = Citation { quote: "q".repeat(513), ..citation };
        assert!(!attributes_of(long, None).contains_key("quote"));
    }
}
