"""Whether one caller can slow another down, and whether the time of a refusal tells anything about a key.

    cargo build --release
    python3 benches/callers/callers.py flood [--seconds 30] [--rate 1000] [--mode hybrid]
    python3 benches/callers/callers.py guesses [--tries 4000]

needs the standard library alone. `--program` names another build. Each part starts a server of its own, over a copy of
fixtures/workspace, with a data folder that is removed at the end.

flood. A good caller sends a search ten times a second with its key: first alone, then beside a second key that sends
`--rate` requests a second, whatever is answered. Both phases take `--seconds`. The tables are the good caller's times in
milliseconds, from the moment at which a request was due, and what each caller was answered. The goal is a p99 beside the
flood of at most twice the quiet one, with every request of the good caller answered by 200. The first
`--warm-up` seconds of the flood use up what its bucket held and are reported by themselves. The processes that send the
flood run at the lowest priority: elsewhere they would be on another machine, and take no processor from the server.

guesses. Keys of the right form are refused with 401: of an id that no key has, and of the id of a key that holds, with
another secret. Both are sent in turns, in random order, over one connection. The table shows the medians and the
difference between them in microseconds, with the range that 95 of 100 random divisions of the same times have. A
difference within that range tells nothing apart. The limit on bad keys is raised for this.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import statistics
import string
import subprocess
import tempfile
import time
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIGNS = string.digits + string.ascii_letters
SEARCH = "/v1/workspaces/default/search"
QUESTIONS = [
    "How long was the gateway down on 2 November?",
    "cold start latency",
    "who is responsible for the pilot boat",
    "acceptance report Ravensholm",
    "what did the last run say about latency",
]
PER_PROCESS = 125


class Server:
    """A server over a copy of the fixtures, and the command line on its data folder."""

    def __init__(self, program, config=""):
        self.program = program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pincite-callers-"))
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        (self.data / "config.toml").write_text(config, encoding="utf-8")
        shutil.copytree(ROOT / "fixtures" / "workspace", self.folder / "files")
        self.command("index", str(self.folder / "files"))

    def __enter__(self):
        command = [self.program, "serve", str(self.folder / "files"), "--listen", "127.0.0.1:0"]
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([*command, "--data-dir", str(self.data)], stderr=self.log)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            found = [line for line in (self.folder / "log").read_text(encoding="utf-8").splitlines() if "listening on" in line]
            if found:
                self.address = urllib.parse.urlsplit(found[0].split()[-1]).netloc
                return self
            time.sleep(0.05)
        raise SystemExit("the server does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments):
        done = subprocess.run(
            [self.program, *arguments, "--data-dir", str(self.data), "--json"], check=True, capture_output=True, text=True
        )
        return json.loads(done.stdout)

    def key(self, name):
        return self.command("key", "create", "--name", name, "--scope", "search,files:read")["secret"]


def send(connection, key, method="GET", path="/v1/limits", body=None):
    """The status of a reply, whose body is read."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
    reply = connection.getresponse()
    reply.read()
    return reply.status


def call_at(address, key, rate, seconds, mode, niceness, results):
    """Sends searches at a rate, open loop: one that is late is sent at once, and its time counts from when it was due."""
    os.nice(niceness)
    connection, times, statuses = http.client.HTTPConnection(address, timeout=30), [], {}
    begun, number = time.monotonic(), 0
    while (due := begun + number / rate) < begun + seconds:
        time.sleep(max(0.0, due - time.monotonic()))
        body = {"query": QUESTIONS[number % len(QUESTIONS)], "k": 5, "mode": mode}
        try:
            status = send(connection, key, "POST", SEARCH, body)
        except (OSError, http.client.HTTPException):
            connection.close()
            connection, status = http.client.HTTPConnection(address, timeout=30), 0
        times.append((time.monotonic() - due) * 1_000)
        statuses[status] = statuses.get(status, 0) + 1
        number += 1
    results.put((times, statuses))


def started(target, *arguments):
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=target, args=(*arguments, results))
    process.start()
    return process, results


def row(name, times, statuses):
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{name:<24} {len(times):>6}  p50 {p50:8.2f} ms  p99 {p99:8.2f} ms  {statuses}")
    return p99


def good_caller(server, key, seconds, mode):
    process, results = started(call_at, server.address, key, 10, seconds, mode, 0)
    times, statuses = results.get()
    process.join()
    return times, statuses


def flood(arguments):
    with Server(arguments.program) as server:
        good, bad = server.key("good"), server.key("flood")
        good_caller(server, good, 2, arguments.mode)
        print(f"{os.cpu_count()} processors, {arguments.mode} searches; statuses of replies, 0 for none")
        quiet = row("good, alone", *good_caller(server, good, arguments.seconds, arguments.mode))
        num = max(1, arguments.rate // PER_PROCESS)
        seconds = arguments.warm_up + arguments.seconds
        flooding = [
            started(call_at, server.address, bad, arguments.rate / num, seconds, arguments.mode, 19) for _ in range(num)
        ]
        row("good, flood begins", *good_caller(server, good, arguments.warm_up, arguments.mode))
        beside = row("good, beside the flood", *good_caller(server, good, arguments.seconds, arguments.mode))
        all_times, all_statuses = [], {}
        for process, results in flooding:
            times, statuses = results.get()
            process.join()
            all_times += times
            for status, number in statuses.items():
                all_statuses[status] = all_statuses.get(status, 0) + number
        row("the flood", all_times, all_statuses)
        print(f"p99 beside the flood is {beside / quiet:.2f} times the quiet one; sent {len(all_times) / seconds:.0f} a second")


def secret_of(key_id):
    """A key of the right form and checksum, with a random secret."""
    text = f"pin_{key_id}_{''.join(random.choices(SIGNS, k=32))}"
    return f"{text}_{zlib.crc32(text.encode()):08x}"


def guesses(arguments):
    with Server(arguments.program, "[limits]\naddress_bad_keys_per_minute = 1000000000\n") as server:
        known = server.key("known")[4:12]
        with contextlib.closing(http.client.HTTPConnection(server.address, timeout=30)) as connection:
            times = {"unknown id": [], "known id, wrong secret": []}
            for turn in range(arguments.tries * 2 + 200):
                name = random.choice(list(times))
                key_id = known if name.startswith("known") else "".join(random.choices(SIGNS, k=8))
                key = secret_of(key_id)
                begun = time.perf_counter()
                status = send(connection, key)
                taken = (time.perf_counter() - begun) * 1e6
                if status != 401:
                    raise SystemExit(f"a guess is answered with {status}")
                if turn >= 200:
                    times[name].append(taken)
        for name, taken in times.items():
            print(f"{name:<24} {len(taken):>6}  median {statistics.median(taken):9.1f} us")
        first, second = times.values()
        difference = statistics.median(second) - statistics.median(first)
        both, by_chance = first + second, []
        for _ in range(400):
            random.shuffle(both)
            by_chance.append(statistics.median(both[: len(first)]) - statistics.median(both[len(first) :]))
        edges = statistics.quantiles(by_chance, n=40)
        print(f"difference {difference:.1f} us; by chance {edges[0]:.1f} to {edges[-1]:.1f} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "target" / "release" / "pincite"))
    parts = parser.add_subparsers(dest="part", required=True)
    of_flood = parts.add_parser("flood")
    of_flood.add_argument("--seconds", type=int, default=30)
    of_flood.add_argument("--warm-up", type=int, default=30)
    of_flood.add_argument("--rate", type=int, default=1_000)
    of_flood.add_argument("--mode", default="hybrid", choices=["hybrid", "lexical", "dense"])
    of_guesses = parts.add_parser("guesses")
    of_guesses.add_argument("--tries", type=int, default=4_000)
    arguments = parser.parse_args()
    {"flood": flood, "guesses": guesses}[arguments.part](arguments)


if __name__ == "__main__":
    main()
