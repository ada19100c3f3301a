"""One agent: a client of MCP that edits and locks files beside others, and keeps a journal of what it asked and what it was told.

A line of the journal is written before each request and behind each reply, so that it tells the truth wherever the agent is killed. Each line
that an agent adds to a file has a mark of its own, which is the idempotency key of the request, too. A request without a reply is sent again,
also by the agent that takes a killed one's place, until it is told what has become of it.
"""

import asyncio
import json
import os
import pathlib
import random
import time

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

PATHS = [f"shared/f{number}.md" for number in range(5)]
SECTIONS = ["Log", "Plan", "Open", "Done"]
# The shortest lease that there is.
TTL_S = 10
REPLY_S = 20
# Refusals after which the same request may still be taken.
NOT_YET = {"locked", "overloaded", "too_many_requests", "too_many_waits", "too_many_waits_of_caller", "busy", "store_busy"}


class Lost(Exception):
    """No reply came."""


class Agent:
    def __init__(self, name: str, key: str, seed: int, work: pathlib.Path):
        self.name, self.key, self.dice = name, key, random.Random(seed)
        self.addresses, self.stop, place = work / "addresses.json", work / "stop", work / f"{name}.jsonl"
        asked, told, self.held = {}, set(), {}
        for entry in entries(place):
            if "ask" in entry:
                asked[entry["ask"]] = entry
            elif "told" in entry:
                request = asked[entry["told"]]
                told.add(request["arguments"].get("idempotency_key"))
                self.remember(request["tool"], request["arguments"], entry["ok"], entry["reply"])
        self.count = max(asked, default=0)
        doubtful = {ask["arguments"]["idempotency_key"]: ask for ask in asked.values() if "idempotency_key" in ask["arguments"]}
        self.pending = [ask for key, ask in doubtful.items() if key not in told]
        self.accepted: list[dict] = []
        self.journal = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.comes_late = self.count == 0 and name == "agent0"

    def note(self, **entry):
        os.write(self.journal, (json.dumps({"at": time.monotonic(), **entry}) + "\n").encode())

    def remember(self, tool: str, arguments: dict, ok: bool, reply: dict):
        """Which locks are to be released."""
        if tool == "lock_file" and ok:
            self.held[reply["lock_id"]] = reply["token"]
        elif tool == "unlock_file" and ok:
            self.held.pop(arguments["lock_id"], None)

    async def ask(self, tool: str, **arguments) -> tuple[bool, dict]:
        self.count += 1
        number = self.count
        self.note(ask=number, tool=tool, arguments=arguments)
        try:
            async with asyncio.timeout(REPLY_S):
                result = await self.client.call_tool(tool, arguments)
        except Exception as error:
            self.note(lost=number, why=str(error)[:200])
            raise Lost from error
        reply = result.structured_content
        if result.is_error:
            reply = reply or json.loads(result.content[0].text)
            reply = reply.get("error", reply)
        self.note(told=number, ok=not result.is_error, reply={**reply, "diff": None, "content": None, "conflicts": None})
        self.remember(tool, arguments, not result.is_error, reply)
        return not result.is_error, reply

    async def change(self, tool: str, **arguments) -> tuple[bool, dict]:
        """Asks for a change until it is told what became of it; it is pending until then."""
        self.pending.append({"tool": tool, "arguments": arguments})
        while True:
            ok, reply = await self.ask(tool, **arguments)
            if ok or reply["code"] not in NOT_YET:
                self.pending.pop()
                if ok:
                    self.accepted.append({"tool": tool, "arguments": arguments})
                return ok, reply
            await asyncio.sleep(self.dice.uniform(0, 0.5))

    async def settle(self):
        """Ends what a lost connection, or the agent before this one, has left."""
        while self.pending:
            request = self.pending.pop()
            await self.change(request["tool"], **request["arguments"])
        for lock_id, token in list(self.held.items()):
            # Some locks stay until their leases are over.
            if self.dice.random() < 0.8:
                await self.ask("unlock_file", lock_id=lock_id, token=token)
            self.held.pop(lock_id, None)

    def mark(self) -> str:
        return f"{self.name}x{self.count + 1}"

    async def read(self, path: str) -> dict:
        ok, reply = await self.ask("read_file", path=path, max_bytes=131_072)
        if not ok:
            raise Lost(reply["code"])
        return reply

    def with_line(self, text: str, mark: str) -> str:
        heading = f"## {self.dice.choice(SECTIONS)}\n"
        if text.count(heading) != 1:
            raise ValueError(f"{heading!r} stands {text.count(heading)} times")
        return text.replace(heading, f"{heading}- {mark}\n")

    async def append(self, path: str):
        mark = self.mark()
        await self.change("edit_file", path=path, append=f"- {mark}\n", idempotency_key=mark)

    async def insert(self, path: str):
        mark, heading = self.mark(), f"## {self.dice.choice(SECTIONS)}\n"
        edits = [{"old_text": heading, "new_text": f"{heading}- {mark}\n"}]
        await self.change("edit_file", path=path, edits=edits, idempotency_key=mark)

    async def replace(self, path: str, **more):
        """Writes the whole file on the condition that it is what was read."""
        for _ in range(4):
            read, mark = await self.read(path), self.mark()
            text = self.with_line(read["content"], mark)
            ok, _ = await self.change("write_file", path=path, content=text, if_match=read["etag"], idempotency_key=mark, **more)
            if ok:
                return

    async def merge(self, path: str):
        await self.replace(path, on_conflict="merge")

    async def replace_locked(self, path: str):
        """Takes the lock for the one write."""
        await self.replace(path, lock=True)

    async def take(self, **arguments) -> dict | None:
        ok, lock = await self.ask("lock_file", ttl_s=TTL_S, **arguments)
        return lock if ok else None

    async def rework(self, path: str):
        """Holds the lock and writes without any condition, which loses work if the lock does not hold."""
        covers = {"glob": "shared/**"} if self.dice.random() < 0.05 else {"path": path}
        lock = await self.take(wait_ms=self.dice.choice([0, 2_000, 5_000]), reason="rework", **covers)
        if not lock:
            return
        for _ in range(self.dice.randint(1, 3)):
            if self.dice.random() < 0.3:
                await self.ask("extend_lock", lock_id=lock["lock_id"], token=lock["token"], ttl_s=TTL_S)
            read, mark = await self.read(path), self.mark()
            await asyncio.sleep(self.dice.uniform(0, 0.1))
            text = self.with_line(read["content"], mark)
            await self.change("write_file", path=path, content=text, lock_token=lock["token"], idempotency_key=mark)
        await self.ask("unlock_file", lock_id=lock["lock_id"], token=lock["token"])

    async def watch(self, path: str):
        """Holds a shared lock, under which nobody writes."""
        if lock := await self.take(path=path, mode="shared", wait_ms=2_000):
            # What was being written is written: locks are given between writes.
            before = await self.read(path)
            await asyncio.sleep(self.dice.uniform(0, 0.3))
            after = await self.read(path)
            if before["etag"] != after["etag"]:
                self.note(fault=f"{path} changed under a shared lock: {lock['lock_id']}")
            await self.ask("unlock_file", lock_id=lock["lock_id"], token=lock["token"])

    async def come_late(self, path: str):
        """Writes when the lease is over."""
        if lock := await self.take(path=path, wait_ms=5_000, reason="comes late"):
            self.held.pop(lock["lock_id"])
            read, mark = await self.read(path), self.mark()
            await asyncio.sleep(TTL_S + 0.5)
            text = self.with_line(read["content"], mark)
            ok, _ = await self.change("write_file", path=path, content=text, lock_token=lock["token"], idempotency_key=mark)
            if ok:
                self.note(fault=f"a write was taken after its lease was over: {lock['lock_id']}")

    async def repeat(self, path: str):
        """Sends a request again that was accepted, and expects the same reply; the journal says whether it was."""
        if self.accepted:
            request = self.dice.choice(self.accepted)
            await self.ask(request["tool"], **request["arguments"])

    async def live(self):
        often = [self.append, self.insert, self.replace, self.merge]
        ways = [*often, *often, *often, self.replace_locked, self.rework, self.watch, self.repeat, self.repeat]
        while not self.stop.exists() or self.pending:
            addresses = json.loads(self.addresses.read_text())
            url = self.dice.choice(addresses)
            try:
                http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {self.key}"}, timeout=REPLY_S)
                transport = streamable_http_client(url, http_client=http)
                mode = self.dice.choice(["2026-07-28", "legacy"])
                async with http, Client(transport, mode=mode, read_timeout_seconds=REPLY_S) as self.client:
                    await self.settle()
                    if self.comes_late:
                        self.comes_late = False
                        await self.come_late(self.dice.choice(PATHS))
                    for _ in range(self.dice.randint(5, 30)):
                        if self.stop.exists():
                            break
                        way = self.come_late if self.dice.random() < 0.003 else self.dice.choice(ways)
                        await way(self.dice.choice(PATHS))
            except Exception as error:
                for cause in causes(error):
                    if not is_of_connection(cause):
                        self.note(fault=f"an agent failed: {cause!r}")
            await asyncio.sleep(self.dice.uniform(0, 0.2))


def causes(error: BaseException) -> list[BaseException]:
    """An error, or the errors of a group."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for one in error.exceptions for cause in causes(one)]
    return [error]


def is_of_connection(error: BaseException) -> bool:
    """Whether the connection was lost, as the client and the libraries below it tell it."""
    libraries = ("mcp", "httpx2", "httpcore2", "anyio")
    return isinstance(error, Lost | OSError | asyncio.CancelledError) or type(error).__module__.split(".")[0] in libraries


def entries(place: pathlib.Path) -> list[dict]:
    """The whole lines of a journal."""
    if not place.exists():
        return []
    return [json.loads(line) for line in place.read_text().split("\n")[:-1]]


def live(name: str, key: str, seed: int, work: pathlib.Path):
    asyncio.run(Agent(name, key, seed, work).live())
