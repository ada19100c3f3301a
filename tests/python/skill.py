"""Validates the skill for agents, and runs each of its commands as it is written against a server.

usage: skill.py PINCITE SKILL

PINCITE is the program, SKILL the folder of the skill. Prints one JSON document: the fields of the frontmatter, and of each block of commands
the first line, the exit code and the output. Exits 1 where the skill is not valid or a command fails.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from served import Server, comes, environment_of
from skills_ref.parser import parse_frontmatter
from skills_ref.validator import validate

GAUGE = """# Tide gauge

The tide gauge GAUGE-17 at the pier is calibrated every 90 days.
The calibration of the gauge takes two hours.
"""


def key_of(program: str, data: pathlib.Path) -> str:
    """A key with the rights of an agent that reads, writes and locks."""
    scopes = "search,ask,files:read,files:write,locks"
    command = [program, "key", "create", "--name", "an agent", "--scope", scopes]
    made = subprocess.run(command, env=environment_of(data, True), capture_output=True, text=True, check=True)
    return made.stdout.splitlines()[0]


def run_all(program: str, blocks: list[str], work: pathlib.Path) -> list[dict]:
    folder, home = work / "files", work / "home"
    for path in (folder / "notes", home, work / "bin"):
        path.mkdir(parents=True)
    (folder / "notes/gauge.md").write_text(GAUGE)
    (work / "bin/pincite").symlink_to(program)
    key = key_of(program, work / "data")
    server = Server(program, work / "data", folder, words_alone=True)
    environment = {
        **os.environ,
        "PATH": f"{work / 'bin'}:{os.environ['PATH']}",
        "PINCITE_URL": "http://{}:{}".format(*server.address),
        "PINCITE_API_KEY": key,
        "PINCITE_DATA_DIR": str(work / "agent"),
        "HOME": str(home),
    }
    ready = ["pincite", "status", "--json"]

    def is_ready() -> bool:
        said = subprocess.run(ready, env=environment, capture_output=True, text=True)
        return said.returncode == 0 and json.loads(said.stdout)["coverage"]["ready"] > 0

    try:
        if not comes(is_ready):
            raise SystemExit("the server never indexes its file")
        ran = []
        for block in blocks:
            command = ["bash", "-euo", "pipefail", "-c", block]
            done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120)
            ran.append({"block": block.splitlines()[0], "code": done.returncode, "out": done.stdout, "err": done.stderr})
        return ran
    finally:
        server.kill()


def main(program: str, skill: str):
    text = (pathlib.Path(skill) / "SKILL.md").read_text()
    faults = validate(pathlib.Path(skill))
    frontmatter, body = parse_frontmatter(text)
    blocks = re.findall(r"^```bash\n(.*?)^```$", body, re.M | re.S)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        ran = run_all(os.path.abspath(program), blocks, pathlib.Path(work))
    print(json.dumps({"faults": faults, "frontmatter": frontmatter, "ran": ran}))
    sys.exit(1 if faults or any(block["code"] for block in ran) else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
