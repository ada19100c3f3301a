"""Fills and searches a server with the official OpenAI client, unchanged, and prints what it did as JSON; fails where a reply is not as documented.

usage: openai_stores.py FILE, a JSON object with `base_url` and the keys `all` (every right) and `searcher` (search alone)
"""

import json
import sys
import time
import urllib.request

import openai

TEXTS = {
    "reports/latency.md": ("# Latency\n\nThe harbour crane answers in 41 ms since run r3.\n", "coder-03", "r3", "nightly"),
    "reports/2026/cost.md": ("# Cost\n\nThe harbour crane costs 12 euro an hour, and twice as much at night.\n", "writer", "r4", "draft"),
    "notes/plan.txt": ("The harbour crane is painted in May.\n", None, None, None),
}
LATENCY, COST, PLAN = TEXTS


def sent(server: dict, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict:
    """The reply of a route of pincite's own."""
    headers = {"Authorization": f"Bearer {server['all']}", **headers}
    request = urllib.request.Request(server["base_url"] + path, body, headers, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
        return json.load(reply)


def put(server: dict, path: str) -> None:
    text, agent, run, tag = TEXTS[path]
    headers = {"Pincite-Agent": agent, "Pincite-Run": run, "Pincite-Tags": tag}
    sent(server, "PUT", f"/workspaces/default/files/{path}", text.encode(), {k: v for k, v in headers.items() if v})


def comes(holds) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def found(client: openai.OpenAI, **asked) -> list:
    return list(client.vector_stores.search("default", **{"query": "harbour crane", "max_num_results": 50, **asked}))


def filters(client: openai.OpenAI) -> int:
    """Filters of every kind, each with the files that pass it."""
    everything, now = set(TEXTS), int(time.time())

    def size(path: str) -> int:
        return len(TEXTS[path][0])

    def one(kind: str, key: str, value) -> dict:
        return {"type": kind, "key": key, "value": value}

    table = [
        (one("eq", "path", LATENCY), {LATENCY}),
        (one("ne", "path", LATENCY), {COST, PLAN}),
        (one("eq", "filename", "cost.md"), {COST}),
        (one("eq", "folder", "reports"), {LATENCY, COST}),
        (one("eq", "folder", "reports/2026"), {COST}),
        (one("eq", "type", "text"), {PLAN}),
        (one("in", "type", ["markdown", "pdf"]), {LATENCY, COST}),
        (one("nin", "type", ["markdown"]), {PLAN}),
        (one("eq", "agent", "coder-03"), {LATENCY}),
        (one("nin", "agent", ["coder-03", "writer"]), {PLAN}),
        (one("in", "run", ["r3", "r4"]), {LATENCY, COST}),
        (one("ne", "sandbox", "vm-1"), everything),
        (one("eq", "tag", "draft"), {COST}),
        (one("ne", "language", "xx"), everything),
        (one("gt", "modified", now - 3600), everything),
        (one("gte", "modified", now + 3600), set()),
        (one("lt", "modified", now - 3600), set()),
        (one("lte", "modified", now + 3600.5), everything),
        (one("eq", "size", size(PLAN)), {PLAN}),
        (one("gt", "size", size(LATENCY)), {COST}),
        (one("gte", "size", size(LATENCY)), {LATENCY, COST}),
        (one("lt", "size", size(LATENCY)), {PLAN}),
        (one("lte", "size", size(LATENCY)), {PLAN, LATENCY}),
        (one("in", "size", [size(PLAN), size(COST)]), {PLAN, COST}),
        ({"type": "and", "filters": [one("eq", "folder", "reports"), one("ne", "run", "r3")]}, {COST}),
        ({"type": "or", "filters": [one("eq", "run", "r3"), one("eq", "type", "text")]}, {LATENCY, PLAN}),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "and", "filters": [one("eq", "agent", "writer"), one("eq", "tag", "nightly")]},
                    {"type": "and", "filters": [one("eq", "tag", "draft"), one("eq", "type", "markdown")]},
                ],
            },
            {COST},
        ),
    ]
    for asked, wanted in table:
        paths = {result.attributes["path"] for result in found(client, filters=asked)}
        assert paths == wanted, (asked, paths)
    return len(table)


def refused(error: type[openai.APIStatusError], code: str, param: str | None, call) -> None:
    try:
        reply = call()
    except error as told:
        assert (told.code, told.param) == (code, param), (told.code, told.param, str(told))
        assert told.type in {"invalid_request_error", "authentication_error", "permission_error"}, told.type
        return
    raise AssertionError(f"{code} was expected, and there was a reply: {reply}")


def errors(client: openai.OpenAI, searcher: openai.OpenAI, nobody: openai.OpenAI) -> None:
    bad, missing = openai.BadRequestError, openai.NotFoundError
    unknown = {"type": "and", "filters": [{"type": "eq", "key": "author", "value": "ann"}]}
    refused(bad, "unknown_attribute", "filters.filters[0].key", lambda: found(client, filters=unknown))
    date = {"type": "gt", "key": "modified", "value": "2026-01-01"}
    refused(bad, "invalid_filter", "filters.value", lambda: found(client, filters=date))
    refused(bad, "invalid_request", "max_num_results", lambda: found(client, max_num_results=51))
    refused(bad, "invalid_request", "query", lambda: found(client, query=["crane"] * 9))
    refused(bad, "invalid_body", None, lambda: found(client, ranking_options={"ranker": "best"}))
    refused(bad, "unsupported", "purpose", lambda: client.files.create(file=b"{}", purpose="batch"))
    refused(missing, "unknown_workspace", None, lambda: client.vector_stores.retrieve("nowhere"))
    refused(missing, "unknown_file", "file_id", lambda: client.files.retrieve("file-nothing"))
    refused(bad, "invalid_cursor", "after", lambda: client.files.list(after="file-nothing"))
    refused(openai.APIStatusError, "method_not_allowed", None, lambda: client.vector_stores.delete("default"))
    refused(openai.AuthenticationError, "unauthorized", None, lambda: found(nobody))
    refused(openai.PermissionDeniedError, "insufficient_scope", None, lambda: searcher.vector_stores.list())
    refused(openai.PermissionDeniedError, "insufficient_scope", None, lambda: searcher.files.create(file=b"a", purpose="user_data"))


def uploads(client: openai.OpenAI) -> None:
    content = b"# Keel\n\nThe keel of the Marlow is replaced every ninth winter.\r\n\xff\n"
    file = client.files.create(file=("..\\keel plan.md", content), purpose="user_data", extra_headers={"Pincite-Agent": "yard"})
    assert (file.object, file.filename, file.bytes, file.purpose) == ("file", "keel plan.md", len(content), "user_data"), file
    again = client.files.create(file=("keel plan.md", b"Another keel plan of the Marlow."), purpose="assistants")
    assert again.id != file.id
    ready = client.files.wait_for_processing(file.id, poll_interval=0.02)
    assert (ready.status, ready.purpose, ready.bytes) == ("processed", "user_data", len(content)), ready
    client.files.wait_for_processing(again.id, poll_interval=0.02)
    assert client.files.content(file.id).read() == content
    assert {one.id for one in client.files.list()} == {file.id, again.id}
    assert [one.id for one in client.files.list(purpose="user_data", limit=1)] == [file.id]
    assert [one.id for one in client.files.list(order="asc", limit=1)] == [file.id, again.id], "the client goes through all pages"

    attached = client.vector_stores.files.create_and_poll(vector_store_id="default", file_id=file.id, poll_interval_ms=20)
    assert (attached.id, attached.status, attached.attributes["agent"]) == (file.id, "completed", "yard"), attached
    text = "".join(piece.text for piece in client.vector_stores.files.content(file.id, vector_store_id="default"))
    assert text.startswith("# Keel\n\nThe keel of the Marlow"), text
    best = found(client, query="How often is the keel of the Marlow replaced?", max_num_results=1)[0]
    assert best.file_id == file.id and "ninth winter" in best.content[0].text, best

    # Into another store the file is copied, and is found there under the id that it was uploaded under.
    copied = client.vector_stores.files.upload_and_poll(vector_store_id="yard", file=("mast.md", b"The mast is larch."), poll_interval_ms=20)
    assert (copied.status, copied.vector_store_id) == ("completed", "yard"), copied
    there = list(client.vector_stores.search("yard", query="mast larch"))
    assert [result.filename for result in there] == ["mast.md"] and there[0].file_id == copied.id, there
    assert {one.id for one in client.vector_stores.files.list("yard")} == {copied.id}
    assert client.vector_stores.files.delete(copied.id, vector_store_id="yard").deleted
    assert not list(client.vector_stores.search("yard", query="mast larch"))
    own = client.with_options(project="yard")
    direct = own.files.create(file=("boom.md", b"The boom is spruce."), purpose="assistants")
    own.files.wait_for_processing(direct.id, poll_interval=0.02)
    assert [one.id for one in own.files.list()] == [direct.id]

    gone = client.files.delete(file.id)
    assert (gone.id, gone.deleted) == (file.id, True), gone
    refused(openai.NotFoundError, "file_gone", None, lambda: client.files.retrieve(file.id))
    assert all(result.file_id != file.id for result in found(client, query="keel of the Marlow"))


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        server = json.load(file)
    with openai.DefaultHttpxClient(trust_env=False) as http:

        def client_of(key: str) -> openai.OpenAI:
            return openai.OpenAI(base_url=server["base_url"], api_key=key, max_retries=0, timeout=60, http_client=http)

        client = client_of(server["all"])
        for name in TEXTS:
            put(server, name)
        comes(lambda: client.vector_stores.retrieve("default").status == "completed")
        stores = {store.id: store for store in client.vector_stores.list(limit=1)}
        assert list(stores) == ["default", "yard"], stores
        default = stores["default"]
        assert (default.object, default.name, default.file_counts.total) == ("vector_store", "default", len(TEXTS)), default
        assert default.usage_bytes == sum(len(text[0]) for text in TEXTS.values()), default

        page = client.vector_stores.search("default", query=["crane latency", "crane cost"], rewrite_query=True)
        assert page.object == "vector_store.search_results.page" and page.search_query == ["crane latency", "crane cost"], page
        scores = [result.score for result in page]
        assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores), scores
        threshold = {"ranker": "auto", "score_threshold": scores[0]}
        assert len(found(client, query=page.search_query, ranking_options=threshold)) < len(scores)
        assert len(found(client_of(server["searcher"]), max_num_results=1)) == 1

        best = found(client, query="How fast does the harbour crane answer?")[0]
        told = best.attributes
        assert best.filename == "latency.md" and told["agent"] == "coder-03" and told["quote"] == best.content[0].text, best
        citation = {
            "workspace": told["workspace"],
            "path": told["path"],
            "content_hash": told["content_hash"],
            "revision": int(told["revision"]),
            "span": {"start": int(told["start"]), "end": int(told["end"])},
            "quote": told["quote"],
        }
        body = json.dumps({"citation": citation}).encode()
        verdict = sent(server, "POST", "/workspaces/default/citations/verify", body, {"Content-Type": "application/json"})

        num_filters = filters(client)
        uploads(client)
        errors(client, client_of(server["searcher"]), client_of("pin_x"))
    print(json.dumps({"filters": num_filters, "verdict": verdict}))


if __name__ == "__main__":
    main(*sys.argv[1:])
