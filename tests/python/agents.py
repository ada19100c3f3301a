"""Twenty agents edit and lock the same five files over MCP, while agents and servers are killed, and nothing is lost or done twice.

usage: agents.py PINCITE [--long] [--seconds N] [--agents N] [--seed N] [--work DIR]

PINCITE is the program; DIR is a new folder in which everything stays. Two servers share one data folder, so that each kill of the one that indexes is a takeover. The agents are processes
with the official client, each with a key of its own (`parts/agent.py`); their journals are compared at the end (`parts/ledger.py`):

  every accepted change stands in its file exactly once, and every refused one nowhere
  a request that is sent again is answered as before, also behind a restart
  fences and revisions rise
  no two agents hold one exclusive lock, nobody writes what another one holds, and nobody writes when the lease is over
  what stands in a file is found

`--long` takes three minutes; on a slow machine it takes longer, until enough was done. Prints one JSON document; exits 1 where there is a fault. Needs the packages of `requirements.txt`.
"""

import argparse
import json
import multiprocessing
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from parts import agent as agents
from parts.ledger import Ledger
from served import Server, Tally, comes, environment_of

SCOPES = "search,files:read,files:write,locks"
SERVERS = 2
SEARCHED = 40
# Changes that are accepted, at least.
LEAST = 40


class Campaign:
    def __init__(self, program: str, work: pathlib.Path, number: int, seed: int):
        self.program, self.work, self.dice = program, work, random.Random(seed)
        self.folder = work / "files"
        (self.folder / "shared").mkdir(parents=True)
        for path in agents.PATHS:
            (self.folder / path).write_text("".join(f"## {section}\n" for section in agents.SECTIONS))
        self.keys = {f"agent{at}": self.key(f"agent{at}") for at in range(number)}
        self.servers = [self.server() for _ in range(SERVERS)]
        self.tell()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["parts.agent"])
        self.context = context
        self.kills = {"agents": 0, "servers": 0, "hung": 0}

    def key(self, name: str) -> str:
        command = [self.program, "key", "create", "--name", name, "--scope", SCOPES, "--agent", name]
        made = subprocess.run(command, env=environment_of(self.work / "data", True), capture_output=True, text=True, check=True)
        return made.stdout.splitlines()[0]

    def server(self) -> Server:
        return Server(self.program, self.work / "data", self.folder, words_alone=True)

    def tell(self):
        """Tells the agents where the servers are."""
        urls = ["http://{}:{}/mcp".format(*server.address) for server in self.servers]
        place = self.work / "addresses.new"
        place.write_text(json.dumps(urls))
        place.rename(self.work / "addresses.json")

    def start(self, name: str):
        arguments = (name, self.keys[name], self.dice.randrange(2**32), self.work)
        process = self.context.Process(target=agents.live, args=arguments, name=name)
        process.start()
        return process

    def run(self, seconds: float):
        until = time.monotonic() + seconds
        running = {name: self.start(name) for name in self.keys}
        next_server = time.monotonic() + min(4, seconds / 4)
        while time.monotonic() < until or not self.has_worked():
            time.sleep(self.dice.uniform(0.3, 1.0))
            name = self.dice.choice(list(running))
            running[name].kill()
            running[name].join()
            self.kills["agents"] += 1
            running[name] = self.start(name)
            if time.monotonic() > next_server:
                at = self.dice.randrange(SERVERS)
                self.servers[at].kill()
                self.kills["servers"] += 1
                print(f"{time.monotonic():.3f} killed the server at {self.servers[at].address}", file=sys.stderr)
                self.servers[at] = self.server()
                self.tell()
                next_server = time.monotonic() + self.dice.uniform(2, 6)
        (self.work / "stop").touch()
        for name in running:
            # A client that hangs, as the library does now and then when its server was killed, is killed like the others before it.
            for _ in range(3):
                running[name].join(45)
                if running[name].is_alive():
                    running[name].kill()
                    running[name].join()
                    self.kills["hung"] += 1
                    running[name] = self.start(name)
        return [name for name, process in running.items() if process.exitcode != 0]

    def has_worked(self) -> bool:
        """Whether enough was done on a slow machine, too: every way of asking was answered, and some of it twice."""
        counts = Ledger({name: agents.entries(self.work / f"{name}.jsonl") for name in self.keys}).counts()
        return counts["accepted"] >= LEAST and counts["answered again"] > 0 and "lock_file: done" in counts

    def found(self, mark: str) -> list[str]:
        """The paths in which a search finds a mark."""
        body = json.dumps({"query": mark, "mode": "lexical", "k": 20}).encode()
        headers = {"Authorization": f"Bearer {self.keys['agent0']}"}
        status, reply = self.servers[0].ask("POST", "/v1/workspaces/default/search", body, headers=headers)
        if status != 200:
            raise SystemExit(f"a search was refused: {reply}")
        return sorted({hit["citation"]["path"] for hit in reply["hits"] if mark in hit["text"]})

    def check(self, tally: Tally) -> dict:
        journals = {name: agents.entries(self.work / f"{name}.jsonl") for name in self.keys}
        ledger = Ledger(journals)
        texts = {path: (self.folder / path).read_text() for path in agents.PATHS}
        ledger.check(tally, texts)
        accepted = ledger.accepted()
        for change in self.dice.sample(accepted, min(SEARCHED, len(accepted))):
            mark, path = change.key, change.arguments["path"]
            came = comes(lambda mark=mark, path=path: self.found(mark) == [path], 60)
            tally.check(came, f"{mark} stands in {path} and is found in {self.found(mark)}")
        for server in self.servers:
            tally.unharmed(server)
        return ledger.counts() | {f"killed {kind}": number for kind, number in self.kills.items()}

    def stop(self):
        for server in self.servers:
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path)
    asked = parser.parse_args()
    tally, seconds = Tally(), asked.seconds or (180 if asked.long else 12)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        campaign = Campaign(asked.program, asked.work or pathlib.Path(work), asked.agents, asked.seed)
        try:
            failed = campaign.run(seconds)
            print(f"{time.monotonic():.3f} the agents have ended", file=sys.stderr)
            tally.check(not failed, f"agents ended badly: {failed}")
            counts = campaign.check(tally)
        finally:
            campaign.stop()
    print(json.dumps({"tries": tally.tries, "faults": tally.faults, "counts": counts}))
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
