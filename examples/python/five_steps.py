"""An agent writes a file, its sandbox hibernates and loses its disk, and the file loads again, is searchable and cited.

usage: python five_steps.py FOLDER

FOLDER is the folder of the sandbox that is kept in step with the workspace. Reads PINCITE_URL and PINCITE_API_KEY; `pincite` is in PATH.
"""

import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL, KEY = os.environ["PINCITE_URL"], os.environ["PINCITE_API_KEY"]
REPORT = "# Tide gauge\n\nThe gauge at the pier reads 3 mm too high.\n"
NOTE = "# To do\n\nSomebody cleans the gauge at the pier on Monday.\n"


def sync(folder: pathlib.Path, how: str) -> int:
    """Brings the folder and the workspace in step; returns the revision up to which they are."""
    command = ["pincite", "sync", folder, URL, how, "--agent", "gauge-reader", "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["revision"]


async def call(client: Client, tool: str, **arguments) -> dict:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(f"{tool}: {result.content[0].text}")
    return result.structured_content


async def main(folder: pathlib.Path):
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
    async with http, Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as client:
        # 1. The agent sees which files there are.
        listed = await call(client, "list_files", limit=20)
        print("files:", *(file["path"] for file in listed["files"]))

        # 2. It writes a report, which must be new; the reply comes when searches find it.
        report = {"path": "runs/8/report.md", "content": REPORT, "if_match": "absent", "agent": "gauge-reader", "run": "run-8"}
        written = await call(client, "write_file", **report, wait_searchable_ms=30_000)
        print("written:", written["path"], "revision", written["revision"])

        # 3. A program in the sandbox writes a note on the disk. Before it hibernates, the folder is flushed; then the disk is gone.
        sync(folder, "--once")
        (folder / "runs/8/note.md").write_text(NOTE)
        revision = sync(folder, "--flush")
        print("durable up to revision", revision)
        shutil.rmtree(folder)

        # 4. It resumes with an empty disk, and both files load.
        sync(folder, "--once")
        if (folder / "runs/8/report.md").read_text() != REPORT or (folder / "runs/8/note.md").read_text() != NOTE:
            raise RuntimeError("the files are others")
        print("loaded: runs/8/note.md runs/8/report.md")

        # 5. The note is found, and its citation holds.
        asked = {"query": "Who cleans the gauge at the pier?", "filters": {"path": ["runs/8/note.md"]}}
        hits = (await call(client, "search_workspace", **asked, min_revision=revision, wait_ms=30_000))["hits"]
        citation = hits[0]["citation"]
        verified = await call(client, "verify_citation", citation=citation)
        print(f"cited: {citation['path']}:{citation['lines']['start']} {verified['verdict']}")


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1])))
