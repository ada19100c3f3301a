"""What the journals of agents say when they are put together: whether work was lost or done twice, and whether two held one lock."""

import collections
import fnmatch
import re

from parts.agent import PATHS, SECTIONS, TTL_S
from served import Tally

CHANGES = {"edit_file", "write_file"}
# Refusals that a request keeps for good: what was read, or the lock, is gone.
FINAL = {"conflict", "fenced"}


class Request:
    """Something that was asked for, and each reply to it."""

    def __init__(self, agent: str, entry: dict):
        self.agent, self.tool, self.arguments, self.asked_at = agent, entry["tool"], entry["arguments"], entry["at"]
        self.told_at, self.ok, self.reply = None, None, None

    @property
    def key(self) -> str | None:
        return self.arguments.get("idempotency_key")


class Ledger:
    def __init__(self, journals: dict[str, list[dict]]):
        self.requests: list[Request] = []
        self.noted: list[str] = []
        for agent, lines in journals.items():
            numbered: dict[int, Request] = {}
            for entry in lines:
                if "ask" in entry:
                    numbered[entry["ask"]] = Request(agent, entry)
                elif "told" in entry:
                    request = numbered[entry["told"]]
                    request.told_at, request.ok, request.reply = entry["at"], entry["ok"], entry["reply"]
                elif "fault" in entry:
                    self.noted.append(f"{agent}: {entry['fault']}")
            self.requests.extend(numbered.values())
        self.requests.sort(key=lambda request: request.asked_at)
        self.tries: dict[str, list[Request]] = collections.defaultdict(list)
        for request in self.requests:
            if request.key:
                self.tries[request.key].append(request)

    def accepted(self) -> list[Request]:
        """The changes that were accepted, by the try that was told so first."""
        told = [[one for one in tries if one.ok] for tries in self.tries.values()]
        return [min(tries, key=lambda one: one.told_at) for tries in told if tries]

    def counts(self) -> dict[str, int]:
        """How many replies of each kind there were."""
        kinds = collections.Counter(
            f"{request.tool}: {'no reply' if request.ok is None else 'done' if request.ok else request.reply['code']}"
            for request in self.requests
        )
        merged = sum(1 for request in self.accepted() if request.reply.get("merged"))
        again = sum(max(0, len([one for one in tries if one.ok]) - 1) for tries in self.tries.values())
        return dict(sorted(kinds.items())) | {"merged": merged, "answered again": again, "accepted": len(self.accepted())}

    def check(self, tally: Tally, texts: dict[str, str]):
        for fault in self.noted:
            tally.check(False, fault)
        self.check_marks(tally, texts)
        self.check_replies(tally)
        self.check_order(tally, [one for one in self.requests if one.tool == "lock_file" and one.ok], "fence")
        firsts = [one for one in self.accepted() if one is self.tries[one.key][0]]
        self.check_order(tally, firsts, "revision")
        self.check_holders(tally, firsts)

    def check_marks(self, tally: Tally, texts: dict[str, str]):
        """Each accepted change is in its file exactly once, and a refused one in none."""
        found = {path: collections.Counter(re.findall(r"^- (\w+x\d+)$", text, re.M)) for path, text in texts.items()}
        for path, text in texts.items():
            lines = [line for line in text.split("\n") if line and not re.fullmatch(r"- \w+x\d+", line)]
            tally.check(lines == [f"## {section}" for section in SECTIONS], f"{path} has other lines: {lines[:20]}")
            for mark in found[path]:
                known = self.tries.get(mark)
                tally.check(bool(known) and known[0].arguments["path"] == path, f"{mark} stands in {path}, and was never sent there")
        for mark, tries in self.tries.items():
            path, times = tries[0].arguments["path"], found[tries[0].arguments["path"]][mark]
            if any(one.ok for one in tries):
                tally.check(times == 1, f"{mark} was accepted, and stands {times} times in {path}: {described(tries)}")
            elif any(one.ok is None for one in tries) and not any(one.ok is False and one.reply["code"] in FINAL for one in tries):
                tally.check(times <= 1, f"{mark} may have been accepted, and stands {times} times in {path}: {described(tries)}")
            else:
                tally.check(times == 0, f"{mark} was refused, and stands {times} times in {path}: {described(tries)}")

    def check_replies(self, tally: Tally):
        """A request that comes again is answered as before."""
        for mark, tries in self.tries.items():
            replies = {(one.reply["revision"], one.reply["etag"]) for one in tries if one.ok}
            tally.check(len(replies) < 2, f"{mark} was answered in two ways: {replies}")

    @staticmethod
    def check_order(tally: Tally, requests: list[Request], number: str):
        """Numbers rise: whoever asked when another one had been answered has a larger one, and no two have the same."""
        numbers = [one.reply[number] for one in requests]
        tally.check(len(set(numbers)) == len(numbers), f"a {number} was given twice")
        by_end = sorted(requests, key=lambda one: one.told_at)
        at, highest = 0, 0
        for one in sorted(requests, key=lambda one: one.asked_at):
            while by_end[at].told_at < one.asked_at:
                highest = max(highest, by_end[at].reply[number])
                at += 1
            tally.check(one.reply[number] > highest, f"{number} {one.reply[number]} came after {highest}: {one.agent} {one.reply}")

    def holds(self) -> list[tuple[float, float, Request]]:
        """The times in which each lock was held for certain: from its reply to its release, or to the end of its lease."""
        ends = collections.defaultdict(list)
        found = []
        for one in self.requests:
            if one.tool == "unlock_file":
                ends[one.arguments["lock_id"]].append(one.asked_at)
        for lock in (one for one in self.requests if one.tool == "lock_file" and one.ok):
            number = lock.reply["lock_id"]
            begins = [lock.asked_at]
            begins += [
                one.asked_at for one in self.requests
                if one.tool == "extend_lock" and one.ok and one.arguments["lock_id"] == number
            ]  # fmt: skip
            # A lease runs by the server's own time from some moment behind the request on.
            found.append((lock.told_at, min([max(begins) + TTL_S, *ends[number]]), lock))
        return found

    def check_holders(self, tally: Tally, changes: list[Request]):
        holds = sorted(self.holds(), key=lambda hold: hold[0])
        for at, (start, end, lock) in enumerate(holds):
            is_exclusive = lock.arguments.get("mode", "exclusive") == "exclusive"
            for other_start, other_end, other in holds[at + 1 :]:
                if other_start >= end:
                    break
                both = is_exclusive or other.arguments.get("mode", "exclusive") == "exclusive"
                meet = both and other_end > other_start and any(covers(lock, path) and covers(other, path) for path in PATHS)
                tally.check(not meet, f"two hold one lock: {lock.agent} {lock.reply} and {other.agent} {other.reply}")
            for change in changes:
                if change.asked_at > start and change.told_at < end and covers(lock, change.arguments["path"]):
                    own = is_exclusive and change.arguments.get("lock_token") == lock.reply["token"]
                    tally.check(own, f"{change.agent} changed what {lock.agent} held: {change.reply} {lock.reply}")


def covers(lock: Request, path: str) -> bool:
    return lock.arguments.get("path") == path or fnmatch.fnmatch(path, lock.arguments.get("glob", ""))


def described(tries: list[Request]) -> list:
    return [(one.tool, one.ok, one.reply and one.reply.get("code")) for one in tries]
