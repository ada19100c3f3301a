"""Folders as nobody wishes for them: exchanged for links, full of pipes and devices, of many files, deep."""

import ctypes
import os
import pathlib
import random
import socket
import threading
import time

from served import Server, Tally, comes

AT_FDCWD, EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None, use_errno=True)
SECRET = "zanzibarquux"


def seconds_of(name: str, short: float, long: float, is_long: bool) -> float:
    return float(os.environ.get(name) or (long if is_long else short))


def exchange(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """A folder and a link out of the workspace change places without a pause, while every verb of REST goes through it."""
    tally = Tally()
    inside, outside = work / "files", work / "outside"
    names = ["read.txt", "written.txt", "deleted.txt", "renamed.txt", ".gitignore"]
    for folder, text in ((inside / "swapped/deep", "inside words"), (outside / "deep", f"{SECRET} outside")):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(text)
    (inside / ".link").symlink_to(outside)
    before = {path: path.read_text() for path in outside.rglob("*") if path.is_file()}
    server = Server(program, work / "data", inside, words_alone=True)
    one, other = (str(inside / name).encode() for name in ("swapped", ".link"))
    stop, swaps = threading.Event(), [0]

    def swap():
        while not stop.is_set():
            if LIBC.renameat2(AT_FDCWD, one, AT_FDCWD, other, EXCHANGE) == 0:
                swaps[0] += 1

    seen = {"inside": 0}

    def ask(*request, **more):
        status, reply = server.ask(*request, **more)
        text = str(reply)
        seen["inside"] += "inside words" in text
        tally.check(status < 500 or status == 503, f"{request[:2]}: {status} {text}")
        tally.check(SECRET not in text, f"{request[:2]} shows what is outside: {text}")
        return status, reply

    def verbs(number: int):
        event = '{"events":[{"id":"%s","type":"%s","path":"swapped/deep/%s"%s}]}'
        of_events = "/v1/workspaces/default/events"
        while not stop.is_set():
            number += 1
            ask("GET", server.files("swapped/deep/read.txt"))
            ask("PUT", server.files("swapped/deep/written.txt"), b"inside words")
            ask("PUT", server.files(f"swapped/deep/new{number % 7}/a.txt"), b"inside words")
            ask("DELETE", server.files("swapped/deep/deleted.txt"))
            ask("PUT", server.files("swapped/deep/deleted.txt"), b"inside words")
            content = ',"content":"inside words"'
            ask("POST", of_events, (event % (f"c{number}", "modified", "written.txt", content)).encode())
            moved = ',"from":"swapped/deep/renamed.txt"'
            ask("POST", of_events, (event % (f"r{number}", "renamed", "moved.txt", moved)).encode())
            back = ',"from":"swapped/deep/moved.txt"'
            ask("POST", of_events, (event % (f"b{number}", "renamed", "renamed.txt", back)).encode())
            ask("POST", of_events, (event % (f"m{number}", "modified", "read.txt", "")).encode())
            for word in (SECRET[:-1] + "*", "words"):
                ask("POST", "/v1/workspaces/default/search", b'{"query":"%s","mode":"lexical"}' % word.encode())
            ask("POST", "/v1/workspaces/default/ask", b'{"question":"What is outside?"}')
            for route in ("files", "changes?limit=3", "status"):
                ask("GET", f"/v1/workspaces/default/{route}")

    threads = [threading.Thread(target=swap)]
    threads += [threading.Thread(target=verbs, args=(first,)) for first in (0, 1_000_000)]
    for thread in threads:
        thread.start()
    time.sleep(seconds_of("PINCITE_EXCHANGE_SECONDS", 2, 120, is_long))
    stop.set()
    for thread in threads:
        thread.join()
    after = {path: path.read_text() for path in outside.rglob("*") if path.is_file()}
    tally.check(after == before, f"outside changed: {sorted(map(str, set(after) ^ set(before)))}")
    tally.check(swaps[0] > 100 and seen["inside"] > 0, f"{swaps[0]} exchanges, {seen['inside']} reads inside: nothing was tried")
    tally.unharmed(server)
    server.kill()
    return tally


def zoo(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Links, pipes, sockets and devices in the place of files, folders and ignore files, and files exchanged for them."""
    tally = Tally()
    folder, outside = work / "files", work / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text(f"The {SECRET} is outside.")
    (folder / "plain").mkdir(parents=True)
    (folder / "a.md").write_text("The lighthouse has nine lamps.")
    (folder / "plain/b.md").write_text("The lighthouse has ten lamps.")

    def pipe(path):
        os.mkfifo(path)

    def bound(path):
        socket.socket(socket.AF_UNIX).bind(str(path))

    def device(path, numbers=(1, 5)):
        try:
            os.mknod(path, 0o20666, os.makedev(*numbers))
        except PermissionError:
            # Only root makes devices: another one is as good where it can be linked to.
            os.symlink("/dev/zero", path)

    beasts = {
        "pipe": pipe,
        "socket": bound,
        "zero": device,
        "tty": lambda path: device(path, (5, 0)),
        "out": lambda path: os.symlink(outside / "secret.md", path),
        "folder-out": lambda path: os.symlink(outside, path),
        "root": lambda path: os.symlink("/", path),
        "itself": lambda path: os.symlink(path, path),
        "above": lambda path: os.symlink("..", path),
        "nowhere": lambda path: os.symlink("/no/such/file", path),
        "process": lambda path: os.symlink("/proc/self/mem", path),
        "input": lambda path: os.symlink("/dev/stdin", path),
        "zero-link": lambda path: os.symlink("/dev/zero", path),
    }
    paths = []
    for name, make in beasts.items():
        (folder / name).mkdir()
        (folder / name / "good.md").write_text(f"The lighthouse of {name}.")
        for at in ("beast.md", ".gitignore", ".ignore"):
            make(folder / name / at)
        paths.append(f"{name}/beast.md")
    server = Server(program, work / "data", folder, words_alone=True)
    good = {"a.md", "plain/b.md", *(f"{name}/good.md" for name in beasts)}
    came = comes(lambda: set(server.search("lighthouse")) == good, 60)
    tally.check(came, f"not found: {good ^ set(server.search('lighthouse'))}")
    tally.check(comes(lambda: server.ask("GET", "/readyz")[0] == 200, 30), f"not ready: {server.ask('GET', '/readyz')}")
    for path in paths:
        for method, body in (("GET", None), ("PUT", b"words"), ("DELETE", None)):
            status, reply = server.ask(method, server.files(path), body)
            text = str(reply)
            tally.check(status < 500, f"{method} {path}: {status} {text}")
            tally.check(SECRET not in text and "root:" not in text, f"{method} {path} shows what is outside")
    # A file that is exchanged for a beast and back, again and again, in front of the watch.
    for _ in range(200 if is_long else 8):
        for name, make in beasts.items():
            path = folder / name / "good.md"
            path.unlink()
            make(path)
            server.ask("GET", server.files(f"{name}/good.md"))
            path.unlink()
            path.write_text(f"The lighthouse of {name}.")
    came = comes(lambda: set(server.search("lighthouse")) == good, 60)
    tally.check(came, f"not found afterwards: {good ^ set(server.search('lighthouse'))}")
    tally.check(server.search(SECRET) == [], "what is outside is found")
    tally.check((outside / "secret.md").read_text() == f"The {SECRET} is outside.", "outside changed")
    stuck = server.ask("GET", "/readyz")[1]
    tally.check("stuck" not in str(stuck), f"stuck: {stuck}")
    tally.unharmed(server)
    server.kill()
    return tally


def many(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """A folder of many files, all found, changed and gone."""
    tally, folder = Tally(), work / "files"
    number = 100_000 if is_long else 400
    for start in range(0, number, 500):
        below = folder / f"{start // 500:03}"
        below.mkdir(parents=True)
        for at in range(start, min(start + 500, number)):
            (below / f"{at}.txt").write_text(f"Gauge {word(at)} stands here.")
    server = Server(program, work / "data", folder, words_alone=True)
    deadline_s = 600 if is_long else 120
    # A status names each file that is pending: 13 MB of 100,000, made in half a second. Asked all the time it takes a core from the line.
    step_s = 3 if is_long else 0.02

    def ready() -> int:
        return server.status()["coverage"]["ready"]

    tally.check(comes(lambda: ready() == number, deadline_s, step_s), f"{ready()} of {number} are ready")
    for at in dice.sample(range(number), 100):
        path = f"{at // 500:03}/{at}.txt"
        tally.check(server.search(word(at)) == [path], f"{word(at)} is found in {server.search(word(at))}, not in {path}")
    changed = dice.sample(range(number), number // 100)
    for at in changed:
        (folder / f"{at // 500:03}/{at}.txt").write_text(f"Gauge {word(at + number)} stands here.")
    for at in changed[:100]:
        came = comes(lambda at=at: server.search(word(at + number)) and not server.search(word(at)), deadline_s)
        tally.check(came, f"the change of {at} is never found")
    for below in folder.iterdir():
        for path in below.iterdir():
            path.unlink()
    tally.check(comes(lambda: ready() == 0, deadline_s, step_s), f"{ready()} are left of what is gone")
    tally.unharmed(server)
    server.kill()
    return tally


def word(at: int) -> str:
    return "xz" + "".join("bcdfghjklm"[int(digit)] for digit in f"{at:06}") + "zx"


def deep(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Folders in folders: files up to the limit of names are found, those below are told, and nothing takes long."""
    tally, folder = Tally(), work / "files"
    folder.mkdir()
    depth = 5_000 if is_long else 300
    handle = os.open(folder, os.O_RDONLY)
    paths, path = {}, ""
    for level in range(depth):
        if level % 20 == 0:
            file = os.open("a.txt", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=handle)
            os.write(file, f"Gauge {word(level)} stands here.".encode())
            os.close(file)
            paths[level] = f"{path}a.txt"
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle, path = below, f"{path}d/"
    os.close(handle)
    began = time.monotonic()
    server = Server(program, work / "data", folder, words_alone=True)
    for level, path in paths.items():
        if level < 100:
            came = comes(lambda level=level, path=path: server.search(word(level)) == [path], 60)
            tally.check(came, f"level {level} is never found: {server.search(word(level))}")
    tally.check(comes(lambda: server.ask("GET", "/readyz")[0] == 200, 60), f"not ready: {server.ask('GET', '/readyz')}")
    tally.check("limits.path_parts" in str(server.status()), f"what is too deep is not told: {server.status()}")
    for level, path in paths.items():
        for method, body in (("GET", None), ("PUT", b"words"), ("DELETE", None)):
            if len(path) < 4_096 and (level >= 100 or method == "GET"):
                status, reply = server.ask(method, server.files(path), body)
                tally.check(status == 200 if level < 100 else 400 <= status < 500, f"{method} at {level}: {status} {reply}")
    tally.check(time.monotonic() - began < 120, f"it took {time.monotonic() - began:.0f} s")
    tally.unharmed(server)
    server.kill()
    remove_deep(folder)
    return tally


def remove_deep(folder: pathlib.Path):
    """Removes what is too deep for a path: each level is moved up before it is emptied."""
    while (folder / "d").exists():
        below, aside = folder / "d/d", folder / "e"
        if below.exists():
            below.rename(aside)
        for path in (folder / "d").iterdir():
            path.unlink()
        (folder / "d").rmdir()
        if aside.exists():
            aside.rename(folder / "d")
