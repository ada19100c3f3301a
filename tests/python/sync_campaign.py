"""Kills `pincite sync` with SIGKILL at random moments while both sides are edited, and counts what is wrong afterwards.

usage: sync_campaign.py PINCITE ROUNDS SEED

PINCITE is the program. In each round an editor works in the folder and another one on the server while a sync (`--once`, `--flush` or
`--watch`) runs, which is killed; now and then the server is killed, too. Every content is written once. Both editors know exactly what
they replace: in the folder a new file changes places with the old one in one step (RENAME_EXCHANGE), and on the server a write has
`If-Match`. What an editor has not replaced or deleted itself is alive. After each few rounds both sides are brought in step:

  lost       a content that is alive is nowhere
  phantom    a file holds what nobody wrote
  apart      both sides are not the same

Prints one JSON document; exits 1 unless all three are 0. Only the standard library is needed.
"""

import ctypes
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from served import DEADLINE_S, Server

AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE = -100, 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)
NUM_PATHS = 9
CHECKS_EVERY = 4


def rename(old, new, flags: int) -> bool:
    """Renames in one step, and returns whether it was done."""
    old, new = os.fsencode(old), os.fsencode(new)
    if LIBC.renameat2(AT_FDCWD, old, AT_FDCWD, new, flags) == 0:
        return True
    error = ctypes.get_errno()
    if error in (2, 17, 20):  # ENOENT, EEXIST, ENOTDIR
        return False
    raise OSError(error, os.strerror(error), new)


class Campaign:
    def __init__(self, program: str, seed: int, work: pathlib.Path):
        self.program, self.dice = program, random.Random(seed)
        self.data, self.root, self.folder, self.desk = work / "data", work / "root", work / "sandbox", work / "desk"
        for folder in (self.root, self.folder, self.desk):
            folder.mkdir()
        self.lock = threading.Lock()
        self.serial = self.edits = 0
        self.alive: set[bytes] = set()
        self.written: set[bytes] = set()
        self.counts = {"lost": 0, "phantom": 0, "apart": 0}
        self.numbers = {"killed": 0, "ended": 0, "here": 0, "there": 0, "refused": 0, "servers": 0, "conflicts": 0}
        self.wrong: list[str] = []
        self.server = None

    def content(self) -> bytes:
        with self.lock:
            self.serial += 1
            size = self.dice.choice([1, 10, 1_000, 200_000])
            content = f"content {self.serial}\n".encode() + b"x" * size
            # Before it is anywhere, so that nobody finds it and takes it for a phantom.
            self.written.add(content)
            return content

    def replaced(self, old: bytes | None, new: bytes | None):
        with self.lock:
            if old is not None:
                self.alive.discard(old)
            if new is not None:
                self.alive.add(new)

    def path(self) -> str:
        number = self.dice.randrange(NUM_PATHS)
        return [f"notes/n{number}.md", f"top{number}.txt", f"Köln/übung {number}.md"][number % 3]

    def edit_here(self, dice: random.Random):
        """Writes, replaces or deletes a file of the folder, and knows what was there."""
        place = self.folder / self.path()
        place.parent.mkdir(exist_ok=True)
        self.edits += 1
        beside = self.desk / f"new-{self.edits}"
        if dice.random() < 0.25:
            if rename(place, beside, RENAME_NOREPLACE):
                self.replaced(beside.read_bytes(), None)
                self.numbers["here"] += 1
            return
        new = self.content()
        beside.write_bytes(new)
        # It counts as soon as it can be seen: who replaces it meanwhile has seen it.
        self.replaced(None, new)
        if rename(beside, place, RENAME_EXCHANGE):
            self.replaced(beside.read_bytes(), None)
        elif not rename(beside, place, RENAME_NOREPLACE):
            # Another one came first.
            self.replaced(new, None)
            return
        self.numbers["here"] += 1

    def edit_there(self, dice: random.Random, address):
        """Writes or deletes a file of the workspace, and says what it expects there."""
        target = "/v1/workspaces/default/files/" + urllib.parse.quote(self.path())
        connection = http.client.HTTPConnection(*address, timeout=DEADLINE_S)
        old = new = None
        try:
            connection.request("GET", target, headers={"Accept": "application/octet-stream"})
            reply = connection.getresponse()
            text, tag = reply.read(), reply.headers["ETag"]
            old = text if reply.status == 200 else None
            headers = {"If-Match": tag} if old is not None else {"If-None-Match": "*"}
            method = "DELETE" if old is not None and dice.random() < 0.25 else "PUT"
            new = self.content() if method == "PUT" else None
            self.replaced(None, new)
            connection.request(method, target, body=new, headers={**headers, "Pincite-Agent": "editor"})
            status = connection.getresponse().status
            is_done = status in (200, 201)
            self.replaced(old if is_done else new, None)
            self.numbers["there" if is_done else "refused"] += 1
        except (OSError, http.client.HTTPException):
            # Whether it was done is not known: neither is missed, and either may be found.
            self.replaced(new, None)
            self.replaced(old, None)
        finally:
            connection.close()

    def sync(self, *mode: str) -> subprocess.Popen:
        url = "http://{}:{}".format(*self.server.address)
        command = [self.program, "sync", str(self.folder), url, *mode, "--agent", "sandbox"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def round(self, number: int):
        dice = random.Random(self.dice.random())
        mode = dice.choice(["--once", "--once", "--flush", "--watch"])
        process = self.sync(mode)
        stop = threading.Event()
        address = self.server.address

        def there():
            own = random.Random(number)
            while not stop.is_set():
                self.edit_there(own, address)
                stop.wait(own.random() * 0.03)

        editor = threading.Thread(target=there)
        editor.start()
        # A moment that nobody chose.
        end = time.monotonic() + dice.random() * (1.2 if mode == "--watch" else 0.4)
        while time.monotonic() < end:
            self.edit_here(dice)
            time.sleep(dice.random() * 0.03)
        if dice.random() < 0.1:
            self.server.kill()
            self.numbers["servers"] += 1
        is_over = process.poll() is not None
        self.numbers["ended" if is_over else "killed"] += 1
        process.kill()
        process.communicate()
        stop.set()
        editor.join()

    def check(self):
        for _ in range(5):
            process = self.sync("--once", "--json")
            out, err = process.communicate(timeout=120)
            if process.returncode == 0:
                break
        if process.returncode != 0:
            self.report("apart", f"exit code {process.returncode}: {out.decode()} {err.decode()}")
        self.numbers["conflicts"] += len(json.loads(out or b"{}").get("conflicts", []))
        here, there = self.tree(self.folder), self.tree(self.root)
        if here != there:
            both = sorted(set(here) | set(there))
            self.report("apart", f"{[path for path in both if here.get(path) != there.get(path)]}")
        found = set(here.values())
        for content in self.alive - found:
            self.report("lost", repr(content[:20]))
        for path, content in here.items():
            if content not in self.written:
                self.report("phantom", f"{path}: {content[:20]!r}, {len(content)} bytes")
        # What is in conflict was seen, and is put away.
        for path in [path for path in here if ".conflict-" in path]:
            content = (self.folder / path).read_bytes()
            (self.folder / path).unlink()
            self.replaced(content, None)

    @staticmethod
    def tree(folder: pathlib.Path) -> dict[str, bytes]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        relative = {path: path.relative_to(folder) for path in files}
        # Without what a kill has left of a file on its way, which a later run removes.
        is_shown = lambda rel: not any(part.startswith(".") for part in rel.parts)
        return {str(rel): path.read_bytes() for path, rel in relative.items() if is_shown(rel)}

    def report(self, kind: str, what: str):
        self.counts[kind] += 1
        self.wrong.append(f"{kind}: {what}")

    def start(self):
        self.server = Server(self.program, self.data, self.root, words_alone=True)

    def run(self, rounds: int):
        self.start()
        # So that never all files are gone on one side.
        keep = self.content()
        (self.folder / "keep.md").write_bytes(keep)
        self.replaced(None, keep)
        for number in range(rounds):
            self.round(number)
            if self.server.process.poll() is not None:
                self.start()
            if number % CHECKS_EVERY == CHECKS_EVERY - 1 or number == rounds - 1:
                self.check()
            if self.wrong:
                break
        self.server.kill()


def main(program: str, rounds: str, seed: str):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        campaign = Campaign(program, int(seed), pathlib.Path(work))
        campaign.run(int(rounds))
    print(json.dumps({"rounds": int(rounds), **campaign.counts, **campaign.numbers, "wrong": campaign.wrong[:20]}))
    sys.exit(1 if campaign.wrong else 0)


main(*sys.argv[1:])
