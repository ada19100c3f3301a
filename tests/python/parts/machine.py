"""A machine that refuses: no descriptors, another process's lock, a full disk, times that cannot be."""

import json
import os
import pathlib
import random
import resource
import signal
import sqlite3
import subprocess
import threading
import time

from parts.folders import word
from served import DEADLINE_S, Server, Tally, comes, environment_of


def descriptors(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """`ulimit -n 24` and around: what does not go says so, and nothing is lost for when it goes again."""
    tally, folder = Tally(), work / "files"
    number = 400 if is_long else 60
    for at in range(number):
        (folder / f"{at % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{at % 7}/{at}.txt").write_text(f"Gauge {word(at)} stands here.")
    for most in range(12, 92, 2) if is_long else (16, 24, 64):
        data = work / f"data-{most}"
        limited = {"preexec_fn": lambda most=most: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))}
        for arguments in (["index", str(folder)], ["search", word(1), "--json"], ["status", "--json"]):
            ran = subprocess.run(
                [program, *arguments], env=environment_of(data, True), capture_output=True, text=True, timeout=300, **limited
            )
            told = f"{arguments[0]} with {most} descriptors: {ran.returncode} {ran.stderr[-300:]}"
            tally.check(ran.returncode in (0, 1, 2) and "panicked" not in ran.stderr, told)
            tally.check(ran.returncode == 0 or "error" in ran.stderr, told)
        server = None
        try:
            server = Server(program, data, folder, words_alone=True, **limited)
        except SystemExit as refused:
            tally.check("error" in str(refused) and "panicked" not in str(refused), f"serve with {most}: {refused}")
        if server:
            for at in range(number, number + 10):
                try:
                    status, reply = server.ask("PUT", server.files(f"{at}.txt"), f"Gauge {word(at)}.".encode())
                    tally.check(status in (200, 201) or isinstance(reply, dict), f"PUT with {most}: {status} {reply}")
                except OSError as error:
                    tally.check(server.process.poll() is None, f"serve with {most} ended: {error}")
            tally.check(server.process.poll() is None, f"serve with {most} ended")
            tally.check(not any("panicked" in line for line in server.said), f"a panic with {most}: {server.said[-5:]}")
            server.kill()
        # With descriptors as usual, everything that is on disk is found.
        server = Server(program, data, folder, words_alone=True)
        expected = sum(1 for _ in folder.rglob("*.txt"))
        ready = lambda: server.status()["coverage"]["ready"]  # noqa: E731
        tally.check(comes(lambda: ready() == expected, 60), f"after {most}: {ready()} of {expected} are ready")
        server.kill()
    return tally


def clocks(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Files and events of times that lie far behind or ahead, and times that jump back."""
    tally, folder = Tally(), work / "files"
    folder.mkdir()
    times = [0, 1, -1, -(2**31), 2**31 - 1, 2**31, 2**32, 4_102_444_800, 2**33, 253_402_300_799, 253_402_300_800, 2**34, 2**40]
    server = Server(program, work / "data", folder, words_alone=True)

    def write(name: str, at: int, seconds: int):
        (folder / name).write_text(f"Gauge {word(at)} stands here.")
        try:
            os.utime(folder / name, (seconds, seconds))
        except OverflowError:
            pass

    for at, seconds in enumerate(times):
        write(f"{at}.txt", at, seconds)
    at = len(times)
    for at, seconds in enumerate(times):
        came = comes(lambda at=at: server.search(word(at)) == [f"{at}.txt"], 60)
        tally.check(came, f"a file of the time {seconds} is never found")
        for path, body in (
            ("files", None), ("status", None), ("changes", None), (f"files/{at}.txt", None),
            ("ask", {"question": "What changed today?"}), ("ask", {"question": "What changed since Monday?"}),
            ("search", {"query": "gauge after:2026-01-01", "mode": "lexical"}),
        ):  # fmt: skip
            text = json.dumps(body).encode() if body else None
            status, reply = server.ask("POST" if body else "GET", f"/v1/workspaces/default/{path}", text)
            tally.check(status == 200, f"{path} {body}: {status} {reply}")
    # The clock goes back and forth: each content is seen, whatever its time.
    for round_number in range(40 if is_long else 4):
        jumps = dice.sample(times, len(times))
        for at, seconds in enumerate(jumps):
            write(f"{at}.txt", 1_000 + 100 * round_number + at, seconds)
        for at, seconds in enumerate(jumps):
            wanted = word(1_000 + 100 * round_number + at)
            came = comes(lambda wanted=wanted, at=at: server.search(wanted) == [f"{at}.txt"], 60)
            tally.check(came, f"a change with the time {seconds} is never found")
    stamps = ["-009999-01-02T01:59:59Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"]
    stamps += ["2026-02-30T00:00:00Z", "2262-04-12T00:00:00Z", "9999-12-30T22:00:00Z", "2016-12-31T23:59:60Z", "tomorrow"]
    for number, stamp in enumerate(stamps):
        event = {"id": f"e{number}", "type": "modified", "path": f"e{number}.txt", "content": "words", "occurred_at": stamp}
        status, reply = server.ask("POST", "/v1/workspaces/default/events", json.dumps({"events": [event]}).encode())
        tally.check(status in (200, 422), f"an event of {stamp}: {status} {reply}")
        question = {"question": "What changed yesterday?", "now": stamp, "time_zone": dice.choice(["UTC", "Pacific/Apia"])}
        status, reply = server.ask("POST", "/v1/workspaces/default/ask", json.dumps(question).encode())
        tally.check(status in (200, 422), f"a question at {stamp}: {status} {reply}")
        for name in ("since", "until"):
            status, reply = server.ask("GET", f"/v1/workspaces/default/changes?{name}={stamp}")
            tally.check(status in (200, 400), f"changes {name} {stamp}: {status} {reply}")
    tally.unharmed(server)
    server.kill()
    return tally


def locked(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Another process holds an exclusive lock on the database: replies say so, nothing is lost, and it goes on afterwards."""
    tally, folder = Tally(), work / "files"
    folder.mkdir()
    (folder / "a.md").write_text("The lighthouse has nine lamps.")
    server = Server(program, work / "data", folder, words_alone=True)
    tally.check(comes(lambda: server.search("lighthouse") == ["a.md"]), "the file is never found")
    written: dict[str, str] = {}
    for number in range(12 if is_long else 2):
        database = sqlite3.connect(work / "data/pincite.db", timeout=30, isolation_level=None, check_same_thread=False)
        database.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(dice.choice([1, 3, 12]) if is_long else (1, 11.5)[number], database.execute, ["ROLLBACK"])
        release.start()
        at = 0
        while release.is_alive():
            at += 1
            name, words = f"{number}-{at}.txt", word(10_000 * number + at)
            status, reply = server.ask("PUT", server.files(name), f"Gauge {words} stands here.".encode())
            told = reply.get("error", {}) if isinstance(reply, dict) else {}
            tally.check(status in (200, 201, 503), f"a write beside a lock: {status} {reply}")
            tally.check(status != 503 or bool(told.get("hint")), f"a write beside a lock has no hint: {reply}")
            if status < 300:
                written[name] = words
            status, reply = server.ask(
                "POST", "/v1/workspaces/default/search", b'{"query":"lighthouse","mode":"lexical"}'
            )
            tally.check(status in (200, 503), f"a search beside a lock: {status} {reply}")
        release.join()
        database.close()
        status, reply = server.ask("PUT", server.files(f"{number}-after.txt"), b"It goes on.")
        tally.check(status == 201, f"a write after a lock: {status} {reply}")
        for name, words in written.items():
            tally.check(comes(lambda name=name, words=words: server.search(words) == [name]), f"{name} was answered and is lost")
    tally.check(comes(lambda: server.status()["coverage"]["pending"] == 0), "the line does not go on")
    tally.unharmed(server)
    server.kill()
    return tally


def full(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """The disk fills up: writes are refused with a reason, what was answered stays, and it goes on when there is room again."""
    tally = Tally()
    for number in range(6 if is_long else 1):
        mount = work / f"disk-{number}"
        mount.mkdir()
        size = f"size={dice.choice([6, 8, 12, 20]) if is_long else 8}m"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(mount)], capture_output=True)
        is_mounted = mounted.returncode == 0
        # Who may not mount has files end where they would be full; the signal for that is ignored.
        options = {} if is_mounted else {"preexec_fn": limit_files, "restore_signals": False}
        (mount / "files").mkdir()
        server = Server(program, mount / "data", mount / "files", words_alone=True, **options)
        try:
            fill(tally, server, mount, is_mounted, dice)
        finally:
            server.kill()
        server = Server(program, mount / "data", mount / "files", words_alone=True)
        check_written(tally, server, mount, "after a restart")
        tally.unharmed(server)
        server.kill()
        if is_mounted:
            subprocess.run(["umount", str(mount)], check=True)
    return tally


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def fill(tally: Tally, server: Server, mount: pathlib.Path, is_mounted: bool, dice: random.Random):
    ballast, refused, at = mount / "ballast", 0, 0
    written: dict[str, str] = {}
    tally.written = written
    end = time.monotonic() + 60
    while refused < 30 and time.monotonic() < end:
        at += 1
        if is_mounted and at == 20:
            # The rest but for little.
            free = os.statvfs(mount)
            ballast.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 300_000))
        words = word(at)
        body = f"Gauge {words} stands here. {'The tide rose again. ' * dice.randint(1, 3_000)}".encode()
        try:
            status, reply = server.ask("PUT", server.files(f"{at}.txt"), body)
        except OSError as error:
            tally.check(server.process.poll() is None, f"the server ended on a full disk: {error} {server.said[-5:]}")
            break
        refused += status >= 400
        tally.check(status in (200, 201, 503, 507), f"a write to a full disk: {status} {reply}")
        tally.check(status < 400 or bool(reply["error"].get("hint")), f"no hint: {reply}")
        if status < 400:
            written[f"{at}.txt"] = words
        status, reply = server.ask("POST", "/v1/workspaces/default/search", b'{"query":"gauge","mode":"lexical"}')
        tally.check(status in (200, 503, 507), f"a search beside a full disk: {status} {reply}")
    tally.check(refused > 0 or not is_mounted, "the disk was never full")
    ballast.unlink(missing_ok=True)
    for name in list(written)[::2]:
        status, reply = server.ask("DELETE", server.files(name))
        tally.check(status in (200, 503, 507) or not is_mounted, f"a deletion on a full disk: {status} {reply}")
        if status == 200:
            del written[name]
    if is_mounted:
        came = comes(lambda: server.ask("PUT", server.files("after.txt"), b"It goes on.")[0] in (200, 201), 60)
        tally.check(came, f"it does not go on: {server.ask('PUT', server.files('after.txt'), b'It goes on.')}")
        check_written(tally, server, mount, "when there is room again")


def check_written(tally: Tally, server: Server, mount: pathlib.Path, when: str):
    for name, words in tally.written.items():
        is_on_disk = (mount / "files" / name).exists() and words in (mount / "files" / name).read_text()
        tally.check(is_on_disk, f"{name} was answered and is not on disk {when}")
        came = comes(lambda name=name, words=words: server.search(words) == [name], 60)
        tally.check(came, f"{name} was answered and is not found {when}: {server.said[-5:]}")
