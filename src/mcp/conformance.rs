//! What the protocol's own conformance suite asks of a server by name: tools, resources and prompts that show each kind of content. Only in
//! builds with the feature `conformance-fixtures`, and there only where `--tools conformance` asks for it.
//!
//! Source: `@modelcontextprotocol/conformance`, the server scenarios, which say what each fixture is called and what it gives.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResult, ContentBlock, ErrorData, GetPromptResult, JsonObject, ProgressNotificationParam, PromptMessage,
    ReadResourceResult, ResourceContents, Role,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

/// A picture of one red dot, as PNG.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A sound of no length, as WAV.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

fn resource(uri: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type("text/plain"))
}

/// Runs a fixture of that name; `None` where there is none.
pub(super) async fn call_tool(name: &str, context: &RequestContext<RoleServer>) -> Option<CallToolResult> {
    let blocks = match name {
        "test_simple_text" => vec![ContentBlock::text("This is a simple text response for testing.")],
        "test_image_content" => vec![ContentBlock::image(PNG, "image/png")],
        "test_audio_content" => vec![ContentBlock::audio(WAV, "audio/wav")],
        "test_embedded_resource" => {
            vec![resource("test://embedded-resource", "This is an embedded resource content.")]
        }
        "test_multiple_content_types" => vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(PNG, "image/png"),
            resource("test://mixed-content-resource", r#"{"test":"data","value":123}"#),
        ],
        "test_error_handling" => {
            let error = ContentBlock::text("This tool intentionally returns an error for testing");
            return Some(CallToolResult::error(vec![error]));
        }
        "test_tool_with_progress" => {
            if let Some(token) = context.meta.get_progress_token() {
                for progress in [0.0, 50.0, 100.0] {
                    let told = ProgressNotificationParam::new(token.clone(), progress).with_total(100.0);
                    // A client that is gone hears nothing more.
                    let _ = context.peer.notify_progress(told).await;
                }
            }
            vec![ContentBlock::text("done")]
        }
        _ => return None,
    };
    Some(CallToolResult::success(blocks))
}

/// Reads a fixture at that address; `None` where there is none.
pub(super) fn read_resource(uri: &str) -> Option<ReadResourceResult> {
    let contents = match uri {
        "test://static-text" => {
            ResourceContents::text("This is the content of the static text resource.", uri).with_mime_type("text/plain")
        }
        "test://static-binary" => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let text = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") }).to_string();
            ResourceContents::text(text, uri).with_mime_type("application/json")
        }
    };
    Some(ReadResourceResult::new(vec![contents]))
}

/// Gives a fixture of that name; `None` where there is none.
pub(super) fn get_prompt(name: &str, arguments: Option<&JsonObject>) -> Option<Result<GetPromptResult, ErrorData>> {
    let given = |name: &str| arguments.and_then(|arguments| arguments.get(name)).and_then(Value::as_str).unwrap_or("");
    let user = |block: ContentBlock| PromptMessage::new(Role::User, block);
    let messages = match name {
        "test_simple_prompt" => vec![user(ContentBlock::text("This is a simple prompt for testing."))],
        "test_prompt_with_arguments" => {
            let text = format!("Prompt with arguments: arg1='{}', arg2='{}'", given("arg1"), given("arg2"));
            vec![user(ContentBlock::text(text))]
        }
        "test_prompt_with_embedded_resource" => vec![
            user(resource(given("resourceUri"), "Embedded resource content for testing.")),
            user(ContentBlock::text("Please process the embedded resource above.")),
        ],
        "test_prompt_with_image" => vec![
            user(ContentBlock::image(PNG, "image/png")),
            user(ContentBlock::text("Please analyze the image above.")),
        ],
        _ => return None,
    };
    Some(Ok(GetPromptResult::new(messages)))
}
