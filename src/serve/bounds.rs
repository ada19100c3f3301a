//! Every limit that a request meets, written into the description of REST as JSON Schema has it.
//!
//! # Invariants
//! - What the server refuses for its size or form, the schema refuses, with the limits as they are configured; what the schema refuses, the
//!   server refuses. `tests/python/openapi_campaign.py` looks for requests of which that is not so.
//!
//! # Not here
//! Rules between two fields (`offset` and `k`, the contents of an event), which JSON Schema cannot say: descriptions do.

use serde_json::{Map, Value, json};

use super::openai::MAX_QUERIES;
use crate::config::Limits;
use crate::engine::{MAX_EVENT_ID_CHARS, MAX_KEY_NAME_CHARS};
use crate::extract::Format;
use crate::search::MAX_WAIT_MS;
use crate::workspace::{MAX_COMMENT_CHARS, MAX_LABEL_CHARS, MAX_TAGS, MAX_URL_BYTES, MAX_WEBHOOK_AGENTS, RelPath};

/// What [`WorkspaceId`](crate::workspace::WorkspaceId) takes.
pub(super) const WORKSPACE_NAME: &str = "^[a-z0-9][a-z0-9._-]{0,63}$";
const HASH: &str = "[0-9a-fA-F]{64}";
/// A name in a path: not empty, `.` or `..`, without `/`, `\` and NUL. How long it can be, the file system says.
const PATH_PART: &str = r"([^./\\\u0000][^/\\\u0000]*|\.[^./\\\u0000][^/\\\u0000]*|\.\.[^/\\\u0000]+)";
/// A character of one line, which is no control character.
const PLAIN: &str = r"[^\u0000-\u001f\u007f-\u009f]";
/// The same, and no white space.
const VISIBLE: &str = r"[^\s\u0000-\u001f\u007f-\u009f]";

/// Writes the limits into a description.
pub(super) fn write(description: &mut Value, limits: &Limits) {
    let words = Words::of(limits);
    if let Some(schemas) = description.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        words.write_schemas(schemas);
    }
    let operations = description.pointer_mut("/paths").and_then(Value::as_object_mut).into_iter();
    let operations = operations.flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|operations| operations.values_mut()) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            words.write_parameter(parameter);
        }
        // A file without a word is one: only JSON and forms have to be there.
        let is_file = |body: &&mut Value| {
            ["application/json", "multipart/form-data"].iter().all(|kind| body["content"][*kind].is_null())
        };
        let body = operation.get_mut("requestBody").filter(is_file);
        if let Some(body) = body {
            body["required"] = false.into();
        }
    }
    bound_numbers(description);
}

/// The keywords of each kind of value.
struct Words {
    query: Value,
    glob: Value,
    globs: Value,
    label: Value,
    path: Value,
    wait_ms: Value,
    timeout_ms: Value,
}

impl Words {
    fn of(limits: &Limits) -> Self {
        let more = limits.path_parts.saturating_sub(1);
        Self {
            query: json!({ "minLength": 1, "maxLength": limits.query_bytes, "pattern": r"\S" }),
            glob: json!({ "format": "glob", "maxLength": limits.pattern_bytes }),
            globs: json!({ "maxItems": limits.request_patterns }),
            label: json!({
                "minLength": 1, "maxLength": MAX_LABEL_CHARS, "pattern": format!("^{VISIBLE}({PLAIN}*{VISIBLE})?$"),
            }),
            path: json!({
                "minLength": 1, "maxLength": RelPath::MAX_BYTES, "pattern": format!("^{PATH_PART}(/{PATH_PART}){{0,{more}}}$"),
            }),
            wait_ms: json!({ "maximum": MAX_WAIT_MS }),
            timeout_ms: json!({ "minimum": 1, "maximum": limits.query_ms }),
        }
    }

    fn write_schemas(&self, schemas: &mut Map<String, Value>) {
        let mut own = |name: &str, keywords: &Value| {
            if let Some(schema) = schemas.get_mut(name) {
                add(schema, keywords);
            }
        };
        own("WorkspaceId", &json!({ "pattern": WORKSPACE_NAME }));
        own("RelPath", &self.path);
        own("Scopes", &json!({ "minItems": 1 }));
        own("ContentHash", &json!({ "pattern": format!("^{HASH}$") }));
        let mut property = |schema: &str, name: &str, keywords: &Value| {
            if let Some(property) = schemas.get_mut(schema).and_then(|schema| schema["properties"].get_mut(name)) {
                add(property, keywords);
            }
        };
        property("SearchRequest", "query", &self.query);
        property("AskRequest", "question", &self.query);
        property("AskRequest", "time_zone", &json!({ "format": "iana-time-zone" }));
        for request in ["SearchRequest", "AskRequest"] {
            property(request, "wait_ms", &self.wait_ms);
            property(request, "timeout_ms", &self.timeout_ms);
        }
        property("Filters", "path", &self.globs);
        property("Filters", "path", &json!({ "items": self.glob }));
        property("Filters", "type", &json!({ "items": { "enum": Format::ALL.map(Format::name) } }));
        let formats = json!({ "enum": Format::ALL.map(Format::name) });
        property("TypeFilter", "value", &formats);
        property("TypesFilter", "value", &json!({ "items": formats }));
        for list in ["agent", "run", "sandbox", "tags"] {
            property("Filters", list, &json!({ "items": self.label }));
        }
        for key in ["NewKey", "KeyPatch"] {
            property(key, "path_globs", &self.globs);
            property(key, "path_globs", &json!({ "items": self.glob }));
        }
        for named in ["NewKey", "KeyPatch", "Claim"] {
            property(named, "name", &self.label);
            property(named, "name", &json!({ "maxLength": MAX_KEY_NAME_CHARS }));
        }
        property("NewKey", "agent", &self.label);
        let id = json!({ "minLength": 1, "maxLength": MAX_EVENT_ID_CHARS, "pattern": r"\S" });
        property("Event", "id", &id);
        for label in ["agent", "run", "sandbox"] {
            property("Event", label, &self.label);
        }
        property("NewVerdict", "comment", &json!({ "minLength": 1, "maxLength": MAX_COMMENT_CHARS, "pattern": r"\S" }));
        property("NewVerdict", "query", &self.query);
        property("NewVerdict", "by", &self.label);
        property("Event", "tags", &json!({ "maxItems": MAX_TAGS, "items": self.label }));
        for request in ["NewWebhook", "WebhookUpdate"] {
            property(request, "url", &json!({ "maxLength": MAX_URL_BYTES, "pattern": webhook_url() }));
            property(request, "path_globs", &self.globs);
            property(request, "path_globs", &json!({ "items": self.glob }));
            property(request, "agents", &json!({ "maxItems": MAX_WEBHOOK_AGENTS, "items": self.label }));
        }
        for request in ["NewWebhook", "Rotation"] {
            property(request, "secret", &json!({ "pattern": webhook_secret() }));
        }
        property("Event", "content_base64", &json!({ "contentEncoding": "base64", "format": "byte" }));
        // One query, or a list of them.
        if let Some([one, several]) = schemas
            .get_mut("VectorStoreQuery")
            .and_then(|query| query["oneOf"].as_array_mut())
            .and_then(|choices| <&mut [Value; 2]>::try_from(choices.as_mut_slice()).ok())
        {
            add(one, &self.query);
            add(several, &json!({ "minItems": 1, "maxItems": MAX_QUERIES, "items": self.query }));
        }
    }

    fn write_parameter(&self, parameter: &mut Value) {
        let place = |parameter: &Value, key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
        let (place, name) = (place(parameter, "in"), place(parameter, "name"));
        let (plain, visible) = (without_comma(PLAIN), without_comma(VISIBLE));
        let tag = format!("{visible}({plain}{{0,{}}}{visible})?", MAX_LABEL_CHARS - 2);
        let keywords = match (place.as_str(), name.as_str()) {
            ("path", "path") => self.path.clone(),
            ("query", "glob") => self.glob.clone(),
            ("query", "query") => self.query.clone(),
            ("query", "path") => {
                let mut globs = self.globs.clone();
                add(&mut globs, &json!({ "items": self.glob }));
                globs
            }
            ("query", "agent" | "run" | "sandbox" | "tags") => json!({ "items": self.label }),
            ("header", "If-Match") => {
                let hashes = format!(r#"^"{HASH}"(, ?"{HASH}")*$"#);
                json!({ "anyOf": [{ "enum": ["*"] }, { "pattern": hashes }] })
            }
            ("header", "If-None-Match") => json!({ "enum": ["*"] }),
            ("header", "OpenAI-Project") => json!({ "pattern": WORKSPACE_NAME }),
            ("header", "Pincite-Agent" | "Pincite-Run" | "Pincite-Sandbox") => self.label.clone(),
            ("header", "Pincite-Tags") => {
                json!({ "minLength": 1, "pattern": format!("^{tag}(, ?{tag}){{0,{}}}$", MAX_TAGS - 1) })
            }
            _ => return,
        };
        add(&mut parameter["schema"], &keywords);
    }
}

/// What [`check_url`](crate::workspace::check_url) takes. Whether the host has an address, and which, the server says.
fn webhook_url() -> String {
    let port = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
    let host = r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])";
    format!(r"^https?://{host}(:{port})?([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?$")
}

/// 24 to 64 bytes as base64, without a bit that belongs to none of them.
fn webhook_secret() -> String {
    let (digit, four) = ("[A-Za-z0-9+/]", "[A-Za-z0-9+/]{4}");
    let (one, two) = (format!("{digit}[AQgw]=="), format!("{digit}{{2}}[AEIMQUYcgkosw048]="));
    format!("^whsec_(({four}){{8,21}}({one})?|({four}){{8,20}}{two})$")
}

/// A class of characters, less the comma.
fn without_comma(class: &str) -> String {
    class.replacen("[^", "[^,", 1)
}

/// Adds keywords to a schema, and those of items to its items.
fn add(schema: &mut Value, keywords: &Value) {
    let (Some(schema), Some(keywords)) = (schema.as_object_mut(), keywords.as_object()) else { return };
    for (name, value) in keywords {
        match schema.get_mut(name).filter(|_| name == "items") {
            Some(items) => add(items, value),
            None => drop(schema.insert(name.clone(), value.clone())),
        }
    }
}

/// Says of each whole number how large it can be, and nothing of lists that is not so, as they are read.
fn bound_numbers(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            schema.values_mut().for_each(bound_numbers);
            // A set takes a value twice, and has it once.
            schema.remove("uniqueItems");
            let is_whole = match schema.get("type") {
                Some(Value::String(one)) => one == "integer",
                Some(Value::Array(several)) => several.iter().any(|one| one == "integer"),
                _ => false,
            };
            let is_unsigned = schema.get("minimum").and_then(Value::as_u64).is_some();
            if is_whole && is_unsigned && !schema.contains_key("maximum") {
                let is_short = schema.get("format").is_some_and(|format| format == "int32");
                schema.insert("maximum".to_owned(), if is_short { u32::MAX.into() } else { u64::MAX.into() });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(bound_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_says_each_limit_as_it_is_configured() {
        let limits = Limits { query_bytes: 77, request_patterns: 5, query_ms: 123, path_parts: 9, ..Limits::default() };
        let mut description = serde_json::to_value(super::super::openapi::document()).unwrap();
        write(&mut description, &limits);
        let schemas = &description["components"]["schemas"];
        assert_eq!(schemas["SearchRequest"]["properties"]["query"]["maxLength"], 77);
        assert_eq!(schemas["AskRequest"]["properties"]["timeout_ms"]["maximum"], 123);
        assert_eq!(schemas["AskRequest"]["properties"]["wait_ms"]["maximum"], MAX_WAIT_MS);
        assert_eq!(schemas["Filters"]["properties"]["path"]["maxItems"], 5);
        assert_eq!(schemas["Filters"]["properties"]["tags"]["items"]["maxLength"], MAX_LABEL_CHARS);
        assert_eq!(schemas["Event"]["properties"]["tags"]["maxItems"], MAX_TAGS);
        assert_eq!(schemas["Revision"]["maximum"], u64::MAX);
        assert!(schemas["RelPath"]["pattern"].as_str().unwrap().ends_with("{0,8}$"));
        let written = &description["paths"]["/v1/workspaces/{ws}/files/{path}"]["put"]["parameters"];
        let tags = written.as_array().unwrap().iter().find(|parameter| parameter["name"] == "Pincite-Tags").unwrap();
        assert_eq!(description["paths"]["/v1/workspaces/{ws}/files/{path}"]["put"]["requestBody"]["required"], false);
        assert!(tags["schema"]["pattern"].as_str().unwrap().contains("{0,31}"), "{tags}");
    }
}
