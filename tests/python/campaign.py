"""Everything that can be done to a server from outside, in parts, and a table of what was tried and what was wrong.

usage: campaign.py PINCITE [--long] [--seed N] [PART ...]

PINCITE is the program. Without parts all are done; `--long` takes some minutes more for each. Prints the table, then one JSON document
in one line; exits 1 where there is a fault. All parts but `openapi` need the standard library alone; that one needs
`requirements.txt` and is run by the interpreter that has it. A second run with the same seed does the same, as far as the machine lets it.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from parts import clients, folders, machine, messages
from served import Tally

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "fixtures" / "workspace"


def openapi(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Schemathesis over all operations, with all its checks."""
    examples, seed = ("200" if is_long else "5"), str(dice.randrange(1_000))
    return counted("openapi_campaign.py", [program, str(FIXTURES), examples, seed], "requests", "faults")


def killed(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """SIGKILL at any moment, and what is lost, there still or there twice after each."""
    return counted("crash_campaign.py", [program, "100" if is_long else "8", str(dice.randrange(1_000))], "checked", "wrong")


def counted(script: str, arguments: list[str], tries: str, faults: str) -> Tally:
    ran = subprocess.run([sys.executable, str(HERE / script), *arguments], capture_output=True, text=True)
    tally = Tally()
    try:
        told = json.loads(ran.stdout)
        tally.tries, tally.faults = told[tries], [json.dumps(fault) for fault in told[faults]]
    except (ValueError, KeyError):
        tally.faults = [f"{script} did not run: {ran.stderr[-2000:]}"]
    if ran.returncode != 0:
        tally.faults.append(ran.stderr[-20_000:])
    return tally


PARTS = {
    "openapi": openapi,
    "mcp-stdio": messages.over_standard_input,
    "mcp-http": messages.over_http,
    "slow-clients": clients.slow,
    "exchange": folders.exchange,
    "zoo": folders.zoo,
    "many-files": folders.many,
    "deep": folders.deep,
    "descriptors": machine.descriptors,
    "clocks": machine.clocks,
    "locked": machine.locked,
    "full-disk": machine.full,
    "killed": killed,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rows = {}
    for name in asked.parts or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
            tally = PARTS[name](asked.program, pathlib.Path(work), asked.long, random.Random(f"{asked.seed} {name}"))
        rows[name] = {"tries": tally.tries, "faults": tally.faults, "seconds": round(time.monotonic() - began, 1)}
        print(f"{name:14} {tally.tries:8} tries {len(tally.faults):4} faults {rows[name]['seconds']:8} s", file=sys.stderr, flush=True)
    print(json.dumps(rows))
    sys.exit(1 if any(row["faults"] for row in rows.values()) else 0)


if __name__ == "__main__":
    main()
