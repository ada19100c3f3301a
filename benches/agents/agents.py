"""What a workspace for agents costs: requests that change files and hold locks, beside others' servers, and a folder that is kept in step.

    cargo build --release
    python3 benches/agents/agents.py requests [--seconds 5]
    python3 benches/agents/agents.py writes --filesystem MCP_SERVER_FILESYSTEM --moto MOTO_SERVER [--rounds 5]
    python3 benches/agents/agents.py sync [--files 10000] [--rounds 2]

`--program` names another build, `--folder` a place on the disk to measure. Every part starts servers of its own with new folders there. Embeddings
are off: they come after a write was answered.

requests. Each of 1 and of 20 processes sends one request after the other for `--seconds`, over REST and one connection: it writes files of 2 KB of its own,
edits a line of a file of its own, reads it, takes and releases a lock, extends a lock. The table has the times of the replies in milliseconds and the
requests a second of all together. Needs the standard library.

writes. The same client writes the same files of 2 KB to two servers in turns, a round each, one request after the other: over MCP on standard input and
output to `pincite mcp` and to the official filesystem server (npm `@modelcontextprotocol/server-filesystem`; MCP_SERVER_FILESYSTEM is its program), and over S3
with boto3 to `pincite serve --s3` and to moto's server (PyPI `moto[server]`; MOTO_SERVER is its program). The former writes without waiting for the disk, and
the latter keeps objects in memory; pincite answers when a file and its change are on disk. Needs boto3.

sync. A folder of small files goes to an empty workspace: by `pincite sync --once`, and by `rclone copy` to the S3 endpoint of a server like it, in turns.
Needs rclone.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
API = "/v1/workspaces/default"
TEXT = ("The tide rose again over the outer wall and the keeper wrote it down.\n" * 30)[:2_000]


class Server:
    """A server over an empty folder."""

    def __init__(self, asked, *arguments):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pincite-agents-", dir=asked.folder))
        (self.folder / "files").mkdir()
        self.environment = environment_of(self.folder)
        # A key may send more than any client here does.
        (self.folder / "data").mkdir(mode=0o700)
        (self.folder / "data/config.toml").write_text("[limits]\nkey_requests_per_core = 10000\n")
        command = [asked.program, "serve", str(self.folder / "files"), "--listen", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        self.s3 = self.address = None
        for line in self.process.stderr:
            if line.startswith("S3 on "):
                self.s3 = line.split()[-1]
            if line.startswith("listening on "):
                self.address = urllib.parse.urlsplit(line.split()[-1]).netloc
                break
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def environment_of(folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PINCITE_", "AWS_"))}
    environment.pop("ORT_DYLIB_PATH", None)
    return {**environment, "PINCITE_DATA_DIR": str(folder / "data"), "PINCITE_OFFLINE": "1", "PINCITE_RUNTIME_DIR": str(folder / "none")}


class Client:
    def __init__(self, address, number):
        self.connection, self.number, self.count = http.client.HTTPConnection(address, timeout=60), number, 0
        self.file = f"{API}/files/c{number}/edited.md"
        self.path = f"c{number}/edited.md"

    def send(self, method, path, body=None):
        is_json = isinstance(body, dict)
        headers = {"Content-Type": "application/json"} if is_json else {}
        self.connection.request(method, path, json.dumps(body) if is_json else body, headers)
        reply = self.connection.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path}: {reply.status} {text[:300]}")
        return text

    def prepare(self):
        self.send("PUT", self.file, f"{TEXT}count 0 end\n")
        self.lock = json.loads(self.send("POST", f"{API}/locks", {"path": f"c{self.number}/held.md", "ttl_s": 3_600}))

    def write(self):
        self.count += 1
        self.send("PUT", f"{API}/files/c{self.number}/{self.count % 50}.md", f"{self.count}\n{TEXT}")

    def edit(self):
        self.count += 1
        edit = {"old_text": f"count {self.count - 1} end", "new_text": f"count {self.count} end"}
        self.send("POST", f"{API}/edit", {"path": self.path, "edits": [edit]})

    def read(self):
        self.send("GET", self.file)

    def take(self):
        self.taken = json.loads(self.send("POST", f"{API}/locks", {"path": f"c{self.number}/taken.md"}))

    def release(self):
        self.send("POST", f"{API}/locks/{self.taken['lock_id']}/release", {"token": self.taken["token"]})

    def heartbeat(self):
        self.send("POST", f"{API}/locks/{self.lock['lock_id']}/extend", {"token": self.lock["token"]})


KINDS = {"write": ["write"], "edit": ["edit"], "read": ["read"], "lock": ["take", "release"], "heartbeat": ["heartbeat"]}


def ask_for(address, number, kind, seconds, together, results):
    client, times = Client(address, number), []
    client.prepare()
    together.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for at, verb in enumerate(KINDS[kind]):
            begun = time.monotonic()
            getattr(client, verb)()
            if at == 0:
                times.append((time.monotonic() - begun) * 1_000)
    results.put(times)


def requests(asked):
    print(f"{'request':<10} {'clients':>7} {'p50 ms':>8} {'p99 ms':>8} {'a second':>9}")
    for kind in KINDS:
        for number in (1, 20):
            with Server(asked) as server:
                results, together = multiprocessing.Queue(), multiprocessing.Barrier(number)
                arguments = (kind, asked.seconds, together, results)
                processes = [multiprocessing.Process(target=ask_for, args=(server.address, at, *arguments)) for at in range(number)]
                for process in processes:
                    process.start()
                times = [one for _ in processes for one in results.get(timeout=asked.seconds + 120)]
                for process in processes:
                    process.join()
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            print(f"{kind:<10} {number:>7} {p50:>8.2f} {p99:>8.2f} {len(times) / asked.seconds:>9.0f}", flush=True)


class OverStdio:
    """A server of MCP as a child process."""

    def __init__(self, command, folder, **options):
        self.folder, self.number = folder, 0
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes, **options)
        info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        self.ask("initialize", info)
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, parameters):
        self.number += 1
        self.say({"jsonrpc": "2.0", "id": self.number, "method": method, "params": parameters})
        while (reply := json.loads(self.process.stdout.readline())).get("id") != self.number:
            pass
        if "error" in reply or reply["result"].get("isError"):
            raise SystemExit(f"{method}: {reply}")

    def write(self, name, text):
        self.ask("tools/call", {"name": "write_file", "arguments": {"path": f"{self.folder}{name}", "content": text}})

    def close(self):
        self.process.kill()
        self.process.wait()


class OverS3:
    def __init__(self, endpoint, key):
        import boto3

        names = ("aws_access_key_id", "aws_secret_access_key")
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **dict(zip(names, key, strict=True)))

    def write(self, name, text):
        self.client.put_object(Bucket="default", Key=name, Body=text.encode())


def a_second(client, label, seconds):
    """How many files a second the client writes."""
    count, begun = 0, time.monotonic()
    while time.monotonic() < begun + seconds:
        client.write(f"{label}-{count % 50}.md", f"{label} {count}\n{TEXT}")
        count += 1
    return count / (time.monotonic() - begun)


def in_pairs(rounds, seconds, ours, theirs, name):
    pairs = [(a_second(ours, at, seconds), a_second(theirs, at, seconds)) for at in range(rounds)]
    mine, others = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    print(f"{name:<40} {mine:>8.0f} {others:>8.0f} {ratios[0]:>7.2f} to {ratios[-1]:.2f}", flush=True)


def writes(asked):
    print(f"{'files of 2 KB a second':<40} {'pincite':>8} {'other':>8}   ratio")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pincite-agents-", dir=asked.folder)))
        for name in ("ours", "theirs"):
            (folder / name).mkdir()
        ours = OverStdio([asked.program, "mcp", str(folder / "ours")], "", env=environment_of(folder))
        stack.callback(ours.close)
        theirs = OverStdio([asked.filesystem, str(folder / "theirs")], f"{folder / 'theirs'}/")
        stack.callback(theirs.close)
        in_pairs(asked.rounds, asked.seconds, ours, theirs, "MCP, the official filesystem server")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(asked, "--s3", "127.0.0.1:0"))
        key = [asked.program, "key", "create", "--name", "bench", "--scope", "files:write", "--s3", "--json"]
        key = json.loads(subprocess.run(key, env=server.environment, check=True, capture_output=True).stdout)
        key = (key["s3_access_key_id"], key["s3_secret_access_key"])
        moto = subprocess.Popen([asked.moto, "-p", "59173"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(moto.kill)
        theirs = OverS3("http://127.0.0.1:59173", key)
        for _ in range(100):
            with contextlib.suppress(Exception):
                theirs.client.create_bucket(Bucket="default")
                break
            time.sleep(0.1)
        in_pairs(asked.rounds, asked.seconds, OverS3(server.s3, key), theirs, "S3, moto's server")


def took(command, environment):
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr[-2_000:]}")
    return time.monotonic() - begun


def sync(asked):
    rows = {}
    with tempfile.TemporaryDirectory(prefix="pincite-agents-", dir=asked.folder) as work:
        source = pathlib.Path(work) / "source"
        for at in range(asked.files):
            place = source / f"{at % 100}" / f"{at}.md"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"# Note {at}\n\n{TEXT[: 200 + at % 1_000]}")
        for _ in range(asked.rounds):
            for name, transfers in (("pincite sync --once", None), ("rclone copy", 4), ("rclone copy --transfers 16", 16)):
                shutil.rmtree(source / ".pincite-sync", ignore_errors=True)
                with Server(asked, "--s3", "127.0.0.1:0") as server:
                    url = f"http://{server.address}"
                    if transfers is None:
                        command = [asked.program, "sync", str(source), url, "--once"]
                    else:
                        command = ["rclone", "copy", "--config", "/dev/null", "--transfers", str(transfers), str(source), "P:default"]
                    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": server.s3}
                    remote = {f"RCLONE_CONFIG_P_{name}": value for name, value in remote.items()}
                    environment = {**server.environment, **remote, "PINCITE_DATA_DIR": str(server.folder / "client")}
                    seconds = took(command, environment)
                    again = took(command, environment)
                    num_there = sum(1 for path in (server.folder / "files").rglob("*.md"))
                    if num_there != asked.files:
                        raise SystemExit(f"{name}: {num_there} of {asked.files} files are there")
                    rows.setdefault(name, []).append((seconds, again))
    print(f"{'way':<28} {'first, s':>10} {'again, s':>10}   each round")
    for name, times in rows.items():
        first, again = (statistics.median(side) for side in zip(*times, strict=True))
        print(f"{name:<28} {first:>10.1f} {again:>10.2f}   {[round(one, 1) for one, _ in times]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["requests", "writes", "sync"])
    parser.add_argument("--program", default=str(ROOT / "target/release/pincite"))
    parser.add_argument("--folder", default=None)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--filesystem", default="mcp-server-filesystem")
    parser.add_argument("--moto", default="moto_server")
    asked = parser.parse_args()
    {"requests": requests, "writes": writes, "sync": sync}[asked.part](asked)


if __name__ == "__main__":
    main()
