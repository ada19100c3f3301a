"""What schemathesis has to know beside the description of REST: formats, rules between fields, and states.

Loaded by schemathesis (`SCHEMATHESIS_HOOKS`). Whatever JSON Schema can say is in the description and not here.
"""

import schemathesis
from hypothesis import strategies
from schemathesis.specs.openapi import checks

schemathesis.openapi.format("glob", strategies.sampled_from(["reports/**", "*.md", "a?/{b,c}/*", "[a-z]*.txt", "", "ü*"]))
schemathesis.openapi.format("iana-time-zone", strategies.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))

# A request of the right form that is refused for what is there, or for how much is asked of the server, not for its form.
STATES = {
    "conflict", "is_a_folder", "no_text", "large_text", "passed_over", "not_a_file", "no_language_model",
    "out_of_range", "url_not_allowed", "filters_too_deep", "too_many_filters", "invalid_cursor", "no_match", "several_matches",
    "not_text", "no_change", "file_too_large", "invalid_idempotency_key", "locked", "fenced", "lock_lost", "condition_required", "idempotency_key_reused", "too_many_locks",
    "upload_link_over", "other_content",
}  # fmt: skip


@schemathesis.check
def valid_is_taken(ctx, response, case):
    """As `positive_data_acceptance`, which knows statuses alone."""
    if case.method.upper() == "HEAD":
        # A reply without a body does not say why it refuses; `GET` of the same path does.
        return None
    if response.status_code in (400, 409, 410, 412, 422, 423, 428):
        code = response.json().get("error", {}).get("code")
        names = str((case.path_parameters or {}).get("path", "")).split("/")
        is_long = any(len(name.encode("utf-8", "replace")) > 255 for name in names)
        if code in STATES or (code == "invalid_path" and is_long):
            return None
    return checks.positive_data_acceptance(ctx, response, case)


@schemathesis.hook
def before_call(context, case, kwargs):
    of_path = case.path_parameters or {}
    if of_path.get("ws") == "default" and case.operation.path == "/v1/workspaces/{ws}":
        # The files that all others ask for stay, and stay searchable.
        of_path["ws"] = "other"
    meta = case.meta
    body = case.body if isinstance(case.body, dict) else {}
    if "wait_ms" in body and isinstance(body["wait_ms"], int):
        body["wait_ms"] = min(body["wait_ms"], 20) if body["wait_ms"] <= 60_000 else body["wait_ms"]
    if case.operation.path.endswith("/locks") and body and body.get("path") is None and body.get("glob") is None:
        # One of the two has to be there, which a schema of both cannot say.
        body["path"] = "notes/locked.md"
    if meta is None or not meta.generation.mode.is_positive:
        return
    # Rules between two fields, and of names, which descriptions say in words.
    verb = case.operation.path.rsplit("/", 1)[-1]
    if verb in ("write", "edit", "move", "copy", "locks", "grep", "uploads"):
        for field, value in [("path", "notes/new.md"), ("from", "notes/new.md"), ("to", "notes/other.md"), ("pattern", "pump")]:
            if field in body:
                body[field] = value
        for field in ("content_base64", "agent", "run", "sandbox", "tags", "if_match", "on_conflict", "idempotency_key", "cursor"):
            body.pop(field, None)
        if verb == "uploads" and body:
            body["sha256"] = "0" * 64
        if verb == "write":
            body["content"] = body.get("content") or "words"
        if verb == "locks" and isinstance(case.body, dict):
            body.pop("glob", None)
            body["path"] = "notes/locked.md"
        if verb == "grep":
            body.pop("glob", None)
        if "wait_searchable_ms" in body:
            body["wait_searchable_ms"] = min(int(body["wait_searchable_ms"]), 20)
    if case.operation.path.endswith("/search") and "offset" in body:
        body["offset"] = min(int(body["offset"]), 100 - int(body.get("k", 10)))
    if case.operation.path.endswith(("/verify", "/verdicts")) and isinstance(body.get("citation"), dict):
        body["citation"]["workspace"] = of_path["ws"]
    if isinstance(body.get("url"), str):
        # No name is looked up, and nobody listens there.
        body["url"] = "http://127.0.0.1:9/hook"
    if isinstance(body.get("expires_at"), str):
        # A time of the right form may be over.
        del body["expires_at"]
    if body.get("decision") == "comment" and body.get("comment") is None:
        body["comment"] = "The second pump."
    if case.operation.path.endswith("/events"):
        for event in body.get("events", []):
            if event["type"] != "renamed":
                event.pop("from", None)
            elif event.get("from") is None:
                event["from"] = "moved/from.md"
            if event.get("content") is not None or event["type"] == "deleted":
                event.pop("content_base64", None)
            if event["type"] == "deleted":
                event.pop("content", None)
