//! JSON Schemas of tools, in the form that most clients and models get on with.
//!
//! No schema has the number formats that JSON Schema does not know. An input schema, which models read, is one object
//! without references, and says nothing twice. An output schema describes its outer fields alone; it also admits the error object,
//! because clients that check structured content check that of errors too.

use rmcp::model::JsonObject;
use rmcp::schemars::JsonSchema;
use rmcp::schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// What a tool takes.
pub(super) fn input<T: JsonSchema>() -> JsonObject {
    let mut schema = Value::Object(object_of::<T>(
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true),
    ));
    slim(&mut schema);
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}

/// What a tool gives: the outer fields of `T` with the types of their values, or `error` alone. What they mean and what is inside them
/// says the description of REST, which has the same fields.
pub(super) fn output<T: JsonSchema>() -> JsonObject {
    let schema = object_of::<T>(SchemaSettings::draft2020_12().for_serialize());
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    let required = schema.get("required").cloned().unwrap_or_else(|| json!([]));
    let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let mut properties = JsonObject::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let of_type = type_of(property, &definitions);
        // A reply leaves out what it does not have.
        let of_type = of_type.map(|of_type| if is_required(name) { of_type } else { without_null(of_type) });
        let of_type = of_type.map(|of_type| ("type".to_owned(), of_type));
        properties.insert(name.clone(), Value::Object(of_type.into_iter().collect()));
    }
    let error = json!({ "type": "object", "required": ["code", "message"] });
    properties.insert("error".into(), error);
    let mut outline = JsonObject::new();
    outline.insert("type".into(), json!("object"));
    outline.insert("properties".into(), Value::Object(properties));
    outline.insert("anyOf".into(), json!([{ "required": required }, { "required": ["error"] }]));
    outline
}

/// One type beside `null` as that type alone.
fn without_null(of_type: Value) -> Value {
    match &of_type {
        Value::Array(types) if types.len() == 2 && types[1] == json!("null") => types[0].clone(),
        _ => of_type,
    }
}

/// The type of a schema, also where it is one of several or stands elsewhere; `None` where it has none.
fn type_of(schema: &Value, definitions: &Value) -> Option<Value> {
    if let Some(of_type) = schema.get("type") {
        return Some(of_type.clone());
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.rsplit('/').next()) {
        return type_of(definitions.get(name)?, definitions);
    }
    let several = ["anyOf", "oneOf", "allOf"].iter().find_map(|word| schema.get(word)?.as_array())?;
    let mut types: Vec<Value> = Vec::new();
    for one in several {
        let of_type = type_of(one, definitions).or_else(|| one.get("const").map(|_| json!("string")))?;
        if !types.contains(&of_type) {
            types.push(of_type);
        }
    }
    if types.len() == 1 { types.pop() } else { Some(Value::Array(types)) }
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// Leaves out of the schema of an input what says nothing: defaults that are empty, least values of 0, `null` beside another type (what
/// is left out means the same), and one object for each word of a choice.
fn slim(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(slim);
            let is_empty = |value: &Value| match value {
                Value::Null | Value::Bool(false) | Value::Object(_) => true,
                Value::Array(items) => items.is_empty(),
                _ => false,
            };
            if object.get("default").is_some_and(is_empty) {
                object.remove("default");
            }
            if object.get("minimum").is_some_and(|least| *least == json!(0)) {
                object.remove("minimum");
            }
            if let Some(of_type) = object.get_mut("type") {
                *of_type = without_null(of_type.take());
            }
            let is_null = |schema: &Value| schema.get("type").is_some_and(|of_type| *of_type == json!("null"));
            if let Some([one, _]) = object
                .get("anyOf")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .filter(|two| two.get(1).is_some_and(is_null))
                && let Value::Object(one) = one.clone()
            {
                object.remove("anyOf");
                let description = object.get("description").cloned();
                object.extend(one);
                object.extend(description.map(|description| ("description".to_owned(), description)));
            }
            as_choice(object);
        }
        Value::Array(items) => items.iter_mut().for_each(slim),
        _ => {}
    }
}

/// Makes one list of the words that a field may have, with what each means in the description.
fn as_choice(object: &mut JsonObject) {
    let Some(words) = object.get("oneOf").and_then(Value::as_array) else { return };
    let word = |choice: &Value| {
        Some((choice.get("const")?.as_str()?.to_owned(), choice.get("description")?.as_str()?.to_owned()))
    };
    let Some(words) = words.iter().map(word).collect::<Option<Vec<_>>>() else { return };
    let meanings: Vec<String> =
        words.iter().map(|(word, meaning)| format!("`{word}`: {}", first_sentence(meaning))).collect();
    let description = object.get("description").and_then(Value::as_str).unwrap_or_default();
    // Where the field says what its words mean, they do not say it again.
    let says_it = words.iter().all(|(word, _)| description.contains(&format!("`{word}`")));
    let description = if says_it { description.to_owned() } else { format!("{description} {}", meanings.join(" ")) };
    object.remove("oneOf");
    object.insert("type".into(), json!("string"));
    object.insert("enum".into(), words.into_iter().map(|(word, _)| word).collect());
    object.insert("description".into(), description.trim().into());
}

/// Makes of arguments what their schema asks for, where it is clear: a number or a truth value of its text, a list of one value.
pub(super) fn mend(value: &mut Value, schema: &Value) {
    match (schema.get("type").and_then(Value::as_str), &mut *value) {
        (Some("object"), Value::Object(fields)) => {
            for (name, value) in fields {
                if let Some(schema) = schema.get("properties").and_then(|properties| properties.get(name)) {
                    mend(value, schema);
                }
            }
        }
        (Some("integer" | "number" | "boolean"), Value::String(text)) => {
            let parsed: Option<Value> = serde_json::from_str(text.trim()).ok();
            if let Some(parsed) = parsed.filter(|parsed| parsed.is_number() || parsed.is_boolean()) {
                *value = parsed;
            }
        }
        (Some("integer"), Value::Number(number)) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e9).contains(number));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within bounds")]
            if let Some(whole) = whole {
                *value = (whole as u64).into();
            }
        }
        (Some("array"), one) if !one.is_array() && !one.is_null() => *value = Value::Array(vec![one.take()]),
        _ => {}
    }
}

fn object_of<T: JsonSchema>(settings: SchemaSettings) -> JsonObject {
    let settings = settings.with(|settings| settings.meta_schema = None);
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
    fn a_schema_has_no_number_formats_and_that_of_an_input_no_references() {
        for schema in [input::<SearchRequest>(), output::<SearchReply>()] {
            let text = serde_json::to_string(&schema).unwrap();
            assert!(!text.contains("uint") && !text.contains("float\""), "{text}");
            assert_eq!(schema["type"], "object");
        }
        assert!(!serde_json::to_string(&input::<SearchRequest>()).unwrap().contains("$ref"));
    }

    #[test]
    fn an_output_schema_admits_an_error_instead_of_a_result() {
        let schema = output::<SearchReply>();
        assert_eq!(
            schema["anyOf"],
            json!([{ "required": ["revision", "coverage", "hits"] }, { "required": ["error"] }])
        );
        assert_eq!((&schema["properties"]["hits"]["type"], schema.get("$defs")), (&json!("array"), None));
        assert_eq!(schema["properties"]["error"]["required"], json!(["code", "message"]));
    }
}
