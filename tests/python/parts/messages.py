"""JSON-RPC that is wrong in any way, over standard input and over HTTP."""

import copy
import http.client
import json
import pathlib
import random
import select
import subprocess
import time

from served import DEADLINE_S, Server, Tally, environment_of

PROTOCOL = "2025-06-18"
INITIALIZE = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "fuzzer", "version": "1"}},
}  # fmt: skip
ARGUMENTS = {
    "search_workspace": {"query": "lighthouse", "k": 3, "mode": "lexical", "filters": {"path": ["*.md"]}},
    "ask_workspace": {"question": "How many lamps has the lighthouse?", "max_sentences": 2},
    "search": {"query": "lighthouse"},
    "fetch": {"id": "a.md#0-5"},
    "read_file": {"path": "a.md", "start": 0, "max_bytes": 20},
    "list_files": {"limit": 2, "offset": 0, "glob": "*.md"},
    "recent_changes": {"limit": 2},
    "verify_citation": {
        "citation": {
            "workspace": "default", "path": "a.md", "content_hash": "0" * 64, "revision": 1, "span": {"start": 0, "end": 3},
            "quote": "The",
        },
    },
}  # fmt: skip
ODD = [
    None, True, 0, -1, 2**63, 2**64, 1e308, 1.5, "", "\0", "x" * 70_000, "{" * 300, "../../etc/passwd", "\ud800", "\u202e",
    [], [[]], {}, {"": {}}, ["a"] * 3_000,
]  # fmt: skip


def request(dice: random.Random, number: int) -> dict:
    method = dice.choice(["tools/call"] * 6 + ["tools/list", "ping", "prompts/list", "resources/read", "no/such", "initialize"])
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    if method == "tools/call":
        name = dice.choice(list(ARGUMENTS))
        message["params"] = {"name": name, "arguments": json.loads(json.dumps(ARGUMENTS[name]))}
    elif method == "initialize":
        message["params"] = INITIALIZE["params"]
    elif dice.random() < 0.5:
        message["params"] = {"cursor": "x", "uri": "file:///etc/passwd"}
    return message


def places(value, found=None) -> list:
    found = [] if found is None else found
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found.append((value, key))
        places(inner, found)
    return found


def spoilt(dice: random.Random, number: int) -> bytes:
    """A message in one line, spoilt in its structure, its JSON or its bytes."""
    message = request(dice, number)
    for _ in range(dice.randint(0, 3)):
        all_places = places(message)
        if not all_places:
            break
        holder, key = dice.choice(all_places)
        kind = dice.random()
        if kind < 0.3:
            del holder[key]
        elif kind < 0.9 or not isinstance(holder, dict):
            holder[key] = copy.deepcopy(dice.choice(ODD))
        else:
            holder[dice.choice(["extra", "id", "jsonrpc", "_meta", "\0"])] = copy.deepcopy(dice.choice(ODD))
    kind = dice.random()
    text = json.dumps([message] * dice.randint(0, 3) if kind < 0.05 else message)
    if kind > 0.9:
        text = text[: dice.randrange(len(text))]
    line = text.encode("utf-8", "replace")
    if 0.8 < kind <= 0.9:
        at = dice.randrange(len(line))
        line = line[:at] + dice.choice([b"\xff\xfe", b"\0", b"NaN", b"[" * 500, b"\\u12", b",,"]) + line[at + 1 :]
    return line.replace(b"\n", b" ").replace(b"\r", b" ")


def is_reply(message) -> bool:
    return isinstance(message, dict) and message.get("jsonrpc") == "2.0" and ("result" in message) != ("error" in message)


class Pipe:
    """`pincite mcp` over its standard input and output."""

    def __init__(self, program: str, data: pathlib.Path, folder: pathlib.Path):
        self.log = data.parent / "mcp.log"
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log.open("w")}
        environment = environment_of(data, words_alone=True)
        self.process = subprocess.Popen([program, "mcp", str(folder)], env=environment, bufsize=0, **streams)
        self.rest = b""

    def send(self, line: bytes):
        self.process.stdin.write(line + b"\n")

    def line(self) -> bytes | None:
        """The next line; `None` when the output has ended or nothing comes."""
        end = time.monotonic() + DEADLINE_S
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            part = self.process.stdout.read(65536) if ready else b""
            if not part:
                return None
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def sync(self, tally: Tally, number: str, sent: bytes) -> bool:
        """Reads replies until that to a ping, and checks each."""
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode())
        while True:
            line = self.line()
            if line is None:
                said = self.log.read_text()[-600:]
                tally.check(False, f"no reply after {sent[:300]!r}: exit {self.process.poll()}, {said}")
                return False
            try:
                message = json.loads(line)
            except ValueError:
                tally.check(False, f"a reply that is not JSON: {line[:200]!r} to {sent[:300]!r}")
                continue
            if message.get("id") == number:
                tally.check("result" in message, f"a ping is answered {message} after {sent[:300]!r}")
                return True
            is_told = is_reply(message) or "method" in message
            tally.check(is_told, f"a reply that is none: {line[:200]!r} to {sent[:300]!r}")


def folder_of(work: pathlib.Path) -> pathlib.Path:
    folder = work / "files"
    folder.mkdir()
    (folder / "a.md").write_text("# Lamps\n\nThe lighthouse has nine lamps.\n")
    return folder


def over_standard_input(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    tally, folder = Tally(), folder_of(work)

    def opened() -> Pipe:
        pipe = Pipe(program, work / "data", folder)
        pipe.send(json.dumps(INITIALIZE).encode())
        pipe.line()
        pipe.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return pipe

    pipe = opened()
    for number in range(20_000 if is_long else 200):
        line = spoilt(dice, number + 1)
        pipe.send(line)
        if not pipe.sync(tally, f"sync-{number}", line):
            pipe.process.kill()
            pipe = opened()
    pipe.process.stdin.close()
    tally.check(pipe.process.wait(DEADLINE_S) == 0, f"it ends with {pipe.process.returncode}")
    tally.check("panicked" not in pipe.log.read_text(), f"a panic: {pipe.log.read_text()[-600:]}")
    return tally


def over_http(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    tally = Tally()
    server = Server(program, work / "data", folder_of(work), words_alone=True)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_S)
    for number in range(20_000 if is_long else 300):
        line = spoilt(dice, number + 1)
        more = {"MCP-Protocol-Version": dice.choice([PROTOCOL] * 9 + ["", "nonsense"])}
        method = dice.choice(["POST"] * 19 + ["GET", "DELETE", "PUT"])
        try:
            connection.request(method, dice.choice(["/mcp", "/mcp/default"]), line, {**headers, **more})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            # A server that answers before it has read a body may close the connection with its reply.
            tally.check(server.process.poll() is None, f"{error!r} after {method} {line[:300]!r}")
            connection.close()
            continue
        tally.check(response.status < 500, f"{response.status} {text[:200]!r} to {method} {line[:300]!r}")
        if response.status == 200 and method == "POST":
            kind = response.getheader("content-type", "")
            is_told = "event-stream" in kind or (kind.startswith("application/json") and is_reply(json.loads(text)))
            tally.check(is_told, f"a reply that is none: {text[:200]!r} to {line[:300]!r}")
    tally.unharmed(server)
    server.kill()
    return tally
