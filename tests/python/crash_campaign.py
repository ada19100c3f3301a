"""Kills a server with SIGKILL at random moments while it is written to and read, and counts what is wrong after each restart.

usage: crash_campaign.py PINCITE CYCLES SEED

PINCITE is the program. A writer PUTs and DELETEs files over REST and writes and removes others in the folder itself; a reader
searches for words that an answered write or deletion has replaced. After each restart every passage is counted:

  lost       an answered write, or a file of the folder, of which a passage is not found
  phantom    a passage of something that was replaced or deleted is found, also while the writer was at work
  duplicate  a passage is found twice, or the index holds more chunks than its files have

Prints one JSON document; exits 1 unless all three are 0. Each passage has a word of its own. What was not answered when the
server died may have been done or not: there the file on disk is the truth. Only the standard library is needed.
"""

import http.client
import json
import pathlib
import random
import re
import sys
import tempfile
import threading
import time

from served import DEADLINE_S, Server

SETTLES_S = 20
MAX_PASSAGES = 3
LETTERS = "bcdfghjklmnpqrvw"
FILLER = "The tide rose again over the outer wall and the keeper wrote it down. " * 22


class Campaign:
    def __init__(self, program: str, seed: int, work: pathlib.Path):
        self.program, self.dice = program, random.Random(seed)
        self.data, self.folder = work / "data", work / "files"
        self.folder.mkdir()
        self.serial = 0
        self.live: dict[str, list[str]] = {}  # path -> words, as answered (or as written into the folder)
        self.unsure: dict[str, list[str]] = {}  # the one write that was not answered
        self.dead: list[str] = []  # words that nothing may show any more
        self.lock = threading.Lock()
        self.counts = {"lost": 0, "phantom": 0, "duplicate": 0}
        self.numbers = {"answered": 0, "unanswered": 0, "plain": 0, "reads": 0, "checked": 0}
        self.wrong: list[str] = []

    def words(self) -> list[str]:
        found = []
        for _ in range(self.dice.randint(1, MAX_PASSAGES)):
            self.serial += 1
            digits = f"{self.serial:x}".rjust(4, "0")
            found.append("xz" + "".join(LETTERS[int(digit, 16)] for digit in digits) + "zx")
        return found

    @staticmethod
    def text(words: list[str]) -> str:
        return "\n\n".join(f"{word} stands here. {FILLER}" for word in words) + "\n"

    def report(self, kind: str, what: str):
        self.counts[kind] += 1
        self.wrong.append(f"{kind}: {what}")

    def settle(self, path: str, words: list[str]):
        with self.lock:
            self.dead.extend(word for word in self.live.pop(path, []) if word not in words)
            if words:
                self.live[path] = words

    def write_once(self, server: Server):
        way = self.dice.random()
        if way < 0.25:
            path = f"plain/{self.dice.randrange(12)}.txt"
            place = self.folder / path
            place.parent.mkdir(exist_ok=True)
            # Not told before it is brought in, so what it replaces is not dead until the server has been restarted.
            if way < 0.05:
                place.unlink(missing_ok=True)
            else:
                place.write_text(self.text(self.words()))
            self.numbers["plain"] += 1
            return
        path = f"put/{self.dice.randrange(20)}.md"
        words = [] if way < 0.4 and path in self.live else self.words()
        self.unsure = {path: words}
        target = f"/v1/workspaces/default/files/{path}"
        if words:
            status, reply = server.ask("PUT", target, self.text(words).encode(), "text/markdown")
        else:
            status, reply = server.ask("DELETE", target)
        if status not in (200, 201):
            raise SystemExit(f"a write was refused: {status} {reply}")
        self.unsure = {}
        self.numbers["answered"] += 1
        self.settle(path, words)

    def write(self, server: Server, killed: threading.Event):
        try:
            while not killed.is_set():
                self.write_once(server)
        except (OSError, http.client.HTTPException):
            self.numbers["unanswered"] += 1

    def read(self, server: Server, killed: threading.Event):
        dice = random.Random(0)
        try:
            while not killed.is_set():
                with self.lock:
                    recent = self.dead[-40:]
                word = dice.choice(recent) if recent else "tide"
                found = server.search(word)
                self.numbers["reads"] += 1
                if word != "tide" and found:
                    self.report("phantom", f"{word} in {found} while it was written")
        except (OSError, http.client.HTTPException):
            pass

    def on_disk(self) -> dict[str, list[str]]:
        files = [file for file in self.folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
        found = {str(file.relative_to(self.folder)): re.findall(r"xz\w{4}zx", file.read_text()) for file in files}
        return found

    def wait_until(self, server: Server, what: str, holds):
        end = time.monotonic() + DEADLINE_S
        while not holds():
            if time.monotonic() > end:
                self.wrong.append(f"it never came that {what}: {''.join(server.said[-20:])}")
                return
            time.sleep(0.02)

    def check(self, server: Server, cycle: int):
        disk = self.on_disk()
        for path, words in self.unsure.items():
            if disk.get(path, []) not in (words, self.live.get(path, [])):
                self.report("lost", f"{path} is neither what it was nor what it was to be")
            if disk.get(path, []) == words:
                self.settle(path, words)
            else:
                self.dead.extend(words)
        self.unsure = {}
        self.wait_until(server, "it is ready", lambda: server.ask("GET", "/readyz")[0] == 200)
        for path, words in self.live.items():
            if path.startswith("put/") and disk.get(path) != words:
                self.report("lost", f"the file {path} itself, after an answered write")
        for path in [path for path in disk if path.startswith("put/") and path not in self.live]:
            self.report("phantom", f"the file {path} itself, after an answered deletion")
        # The scan at the start finds what was written into the folder: the newest of it is then indexed.
        for path in {path for path in (*disk, *self.live) if path.startswith("plain/")}:
            self.settle(path, disk.get(path, []))

        def is_brought_in() -> bool:
            _, listed = server.ask("GET", "/v1/workspaces/default/files?limit=1000")
            ready = {file["path"] for file in listed["files"] if file["state"] == "ready"}
            if ready != set(disk) or len(ready) != len(listed["files"]):
                return False
            plain = [(path, word) for path, words in disk.items() if path.startswith("plain/") for word in words]
            return all(path in server.search(word) for path, word in plain)

        self.wait_until(server, "the folder is brought in", is_brought_in)
        for path, words in disk.items():
            for word in words:
                found = server.search(word)
                self.numbers["checked"] += 1
                if path not in found:
                    self.report("lost", f"cycle {cycle}: {word} of {path}, found in {found}")
                elif len(found) > 1:
                    self.report("duplicate", f"cycle {cycle}: {word} in {found}")
        dead = self.dead[-60:] + self.dice.sample(self.dead, min(40, len(self.dead)))
        for word in dead:
            if found := server.search(word):
                self.report("phantom", f"cycle {cycle}: {word} in {found}")
        # A watch may tell once more of what the scan has found: until that is done the listing says less.
        end = time.monotonic() + SETTLES_S
        while (chunks := self.chunks(server))[0] != chunks[1] and time.monotonic() < end:
            time.sleep(0.02)
        if chunks[0] != chunks[1]:
            kind = "duplicate" if chunks[0] > chunks[1] else "lost"
            self.report(kind, f"cycle {cycle}: {chunks[0]} chunks, the files have {chunks[1]}")

    @staticmethod
    def chunks(server: Server) -> tuple[int, int]:
        """How many chunks the index holds, and how many its files have."""
        _, status = server.ask("GET", "/v1/workspaces/default/status")
        _, listed = server.ask("GET", "/v1/workspaces/default/files?limit=1000")
        return status["num_chunks"], sum(file["num_chunks"] for file in listed["files"])

    def run(self, cycles: int) -> dict:
        server = Server(self.program, self.data, self.folder)
        done = 0
        for cycle in range(cycles):
            killed = threading.Event()
            threads = [threading.Thread(target=work, args=(server, killed)) for work in (self.write, self.read)]
            for thread in threads:
                thread.start()
            # The moment is what is tried here, not something that is waited for.
            time.sleep(self.dice.uniform(0.0, 0.8))
            server.kill()
            killed.set()
            for thread in threads:
                thread.join()
            server = Server(self.program, self.data, self.folder)
            if self.dice.random() < 0.2:
                # Also while it recovers.
                time.sleep(self.dice.uniform(0.0, 0.1))
                server.kill()
                server = Server(self.program, self.data, self.folder)
            self.check(server, cycle)
            done = cycle + 1
            if self.wrong:
                break
        server.kill()
        return {"cycles": done, **self.counts, **self.numbers, "wrong": self.wrong[:20]}


def main(program: str, cycles: str, seed: str):
    with tempfile.TemporaryDirectory() as work:
        result = Campaign(program, int(seed), pathlib.Path(work)).run(int(cycles))
    print(json.dumps(result))
    sys.exit(1 if result["wrong"] else 0)


main(*sys.argv[1:])
