"""Asks a server of the fixtures everything that its description allows, and what it does not, by schemathesis with all checks.

usage: openapi_campaign.py PINCITE FOLDER EXAMPLES SEED

Prints one JSON document: how many operations and requests there were, and each fault; exits 1 where there is one.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from served import Server

RUN = "from schemathesis.cli import schemathesis; schemathesis()"


def made_key(program: str, data: pathlib.Path) -> str:
    """The secret of a key that may do everything."""
    command = [program, "key", "create", "--name", "campaign", "--scope", "admin", "--json", "--data-dir", str(data)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["secret"]


def main(program: str, folder: str, examples: str, seed: str):
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as made:
        work = pathlib.Path(made)
        shutil.copytree(folder, work / "files")
        config = "[webhooks]\nallow_networks = ['127.0.0.0/8']\n"
        # What is made with it would end a campaign without a key, and its rate would.
        config += "[limits]\nkey_requests_per_core = 1000000\naddress_bad_keys_per_minute = 1000000\n"
        key = made_key(program, work / "data")
        server = Server(program, work / "data", work / "files", config=config)
        report = work / "report.json"
        command = [sys.executable, "-c", RUN, "run", f"http://{server.address[0]}:{server.address[1]}/openapi.json"]
        command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing"]
        command += ["-n", examples, "--seed", seed, "--continue-on-failure", "--no-shrink", "--request-timeout", "60"]
        command += ["--header", f"Authorization: Bearer {key}"]
        command += ["--generation-database", "none", "--report-json-path", str(report)]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(here / "openapi_hooks.py"), "NO_COLOR": "1"}
        ran = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        ready, _ = server.ask("GET", "/livez")
        server.kill()
        if not report.exists():
            sys.exit(f"schemathesis did not run:\n{ran.stdout}\n{ran.stderr}")
        told = json.loads(report.read_text())
    faults = told["failures"] + told["errors"] + ([] if ready == 200 else [{"title": "the server is gone"}])
    counted = {
        "operations": told["operations"]["tested"],
        "requests": told["test_cases"]["generated"],
        "faults": faults,
    }
    print(json.dumps(counted))
    if faults or ran.returncode != 0 or told["operations"]["tested"] != told["operations"]["total"]:
        sys.exit(ran.stdout[-20_000:])


if __name__ == "__main__":
    main(*sys.argv[1:])
