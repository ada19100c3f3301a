//! JSON-RPC that is none, refused with the errors that its specification names, before anything reads it.
//!
//! Source: JSON-RPC 2.0, sections 4 to 6; Model Context Protocol, "Streamable HTTP" (one message a POST, no batches).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A message that is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    code: i32,
    message: &'static str,
    id: Value,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { code, message, id } = self;
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}

/// Checks that a body is one message.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refused> {
    let refused = |code, message, id| Err(Refused { code, message, id });
    let Ok(message) = serde_json::from_slice::<Value>(bytes) else {
        return refused(-32700, "parse error: the body is not JSON", Value::Null);
    };
    let Value::Object(fields) = message else {
        return refused(-32600, "invalid request: send one message, an object", Value::Null);
    };
    let is_id = |id: &Value| id.is_string() || id.is_i64() || id.is_u64();
    let id = fields.get("id").filter(|id| is_id(id)).cloned().unwrap_or_default();
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refused(-32600, "invalid request: `jsonrpc` is not \"2.0\"", id);
    }
    if fields.get("id").is_some_and(|id| !is_id(id)) {
        return refused(-32600, "invalid request: `id` is neither a string nor a whole number", Value::Null);
    }
    let is_reply = fields.contains_key("result") || fields.contains_key("error");
    match fields.get("method") {
        None if is_reply => Ok(()),
        Some(Value::String(_)) => match fields.get("params") {
            None | Some(Value::Object(_)) => Ok(()),
            Some(_) => refused(-32602, "invalid params: `params` is not an object", id),
        },
        _ => refused(-32600, "invalid request: `method` is not a string", id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_malformed_message_gets_the_error_of_the_specification() {
        let code = |text: &str| check(text.as_bytes()).map_err(|refused| (refused.code, refused.id));
        for text in ["", "{", "nul", "\u{0}", r#"{"jsonrpc": "2.0", "method": "ping"#] {
            assert_eq!(code(text), Err((-32700, Value::Null)), "{text}");
        }
        for text in [
            "1",
            "[]",
            r#"[{"jsonrpc":"2.0","method":"ping","id":1}]"#,
            "{}",
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
        ] {
            assert_eq!(code(text), Err((-32600, Value::Null)), "{text}");
        }
        assert_eq!(code(r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#), Err((-32600, json!(7))));
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":7,"method":1}"#), Err((-32600, json!(7))));
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":3}"#), Err((-32602, json!("a"))));
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ] {
            assert_eq!(code(text), Ok(()), "{text}");
        }
    }
}
