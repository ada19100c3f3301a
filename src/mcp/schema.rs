//! JSON Schemas of tools, in the form that most clients and models get on with.
//!
//! Every schema is one object without references, and without the number formats that JSON Schema does not know. An
//! output schema also admits the error object: clients that check structured content check that of errors too.

use rmcp::model::JsonObject;
use rmcp::schemars::JsonSchema;
use rmcp::schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::error::ErrorReport;

/// What a tool takes.
pub(super) fn input<T: JsonSchema>() -> JsonObject {
    object_of::<T>(SchemaSettings::draft2020_12())
}

/// What a tool gives: the fields of `T`, or `error` alone.
pub(super) fn output<T: JsonSchema>() -> JsonObject {
    let mut schema = object_of::<T>(SchemaSettings::draft2020_12().for_serialize());
    let mut error = object_of::<ErrorReport>(SchemaSettings::draft2020_12().for_serialize());
    error.insert("description".into(), json!("Instead of all else, when the tool could not do it."));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("error".into(), Value::Object(error));
    }
    let required = schema.remove("required").unwrap_or_else(|| json!([]));
    schema.insert("anyOf".into(), json!([{ "required": required }, { "required": ["error"] }]));
    schema
}

fn object_of<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    drop_number_formats(&mut schema);
    let Value::Object(mut schema) = schema else { return JsonObject::new() };
    schema.remove("title");
    schema.remove("description");
    schema
}

fn drop_number_formats(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let is_of_numbers = |format: &str| {
                format.starts_with("uint") || format.starts_with("int") || matches!(format, "float" | "double")
            };
            if object.get("format").and_then(Value::as_str).is_some_and(is_of_numbers) {
                object.remove("format");
            }
            object.values_mut().for_each(drop_number_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_number_formats),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{SearchReply, SearchRequest};

    #[test]
    fn a_schema_has_no_references_and_no_number_formats() {
        for schema in [input::<SearchRequest>(), output::<SearchReply>()] {
            let text = serde_json::to_string(&schema).unwrap();
            assert!(!text.contains("$ref") && !text.contains("uint") && !text.contains("float\""), "{text}");
            assert_eq!(schema["type"], "object");
        }
    }

    #[test]
    fn an_output_schema_admits_an_error_instead_of_a_result() {
        let schema = output::<SearchReply>();
        assert_eq!(
            schema["anyOf"],
            json!([{ "required": ["revision", "coverage", "hits"] }, { "required": ["error"] }])
        );
        assert_eq!(schema["properties"]["error"]["required"], json!(["code", "message"]));
    }
}
