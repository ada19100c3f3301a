"""A table or text of a gigabyte through the program, by words alone: time, and the memory of each process. Linux only.

    cargo build --release && python3 benches/large/large.py [table|text] [MEGABYTES]

It needs some 2.5 times the file's size in the temporary folder, and five minutes for a gigabyte. The file is made from a seed. What is
printed: seconds and peak memory (as it resides, mapped files of the index with it) of the indexing process and of the child that
reads, then seconds and peak memory of a search for a word that stands in the last row alone, and of the check of its citation.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release" / "pincite"
LAST = "zanzibar"


def words(rng):
    letters = "bcdfglmnprstvz"
    return [
        "".join(rng.choice(letters) + rng.choice("aeiou") for _ in range(rng.randrange(1, 5))) for _ in range(30_000)
    ]


def write(path, kind, num_bytes):
    rng = random.Random(1)
    known = words(rng)
    written = number = 0
    with open(path, "w", encoding="ascii") as file:
        if kind == "table":
            file.write("id,station,level,note\n")
        while written < num_bytes:
            lines = []
            for _ in range(1_000):
                number += 1
                start = rng.randrange(len(known) - 20)
                some = " ".join(known[start : start + rng.randrange(4, 18)])
                if kind == "table":
                    lines.append(f'{number},station {rng.randrange(5_000)},{rng.random() * 10:.2f},"{some}"\n')
                else:
                    lines.append(f"{some}.\n" + "\n" * (number % 5 == 0))
            block = "".join(lines)
            file.write(block)
            written += len(block)
        file.write(f'{number + 1},{LAST},9.99,"the last row"\n' if kind == "table" else f"The {LAST} stands last.\n")


def tree(pid):
    """The process and those below it."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            found += [below for child in children for below in tree(int(child))]
    except OSError:
        pass
    return found


def measured(arguments, environment):
    """Runs the program; its output, seconds, and the peak memory of it and of its largest child in megabytes."""
    began = time.monotonic()
    process = subprocess.Popen([str(PROGRAM), *arguments], env=environment, stdout=subprocess.PIPE, text=True)
    own = child = 0
    while process.poll() is None:
        for pid in tree(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            peak = [int(line.split()[1]) // 1_000 for line in status.splitlines() if line.startswith("VmHWM")]
            if pid == process.pid:
                own = max([own, *peak])
            else:
                child = max([child, *peak])
        time.sleep(0.05)
    return process.stdout.read(), time.monotonic() - began, own, child


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "table"
    num_megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    with tempfile.TemporaryDirectory() as folder:
        files, data = Path(folder) / "files", Path(folder) / "data"
        files.mkdir()
        write(files / ("large.csv" if kind == "table" else "large.txt"), kind, num_megabytes * 1_000_000)
        environment = {
            **os.environ,
            "PINCITE_DATA_DIR": str(data),
            "PINCITE_RUNTIME_DIR": str(data / "none"),
            "PINCITE_OFFLINE": "1",
        }
        environment.pop("ORT_DYLIB_PATH", None)
        print(f"| {kind} of {num_megabytes:,} MB | s | MB, process | MB, its child |\n|---|---|---|---|")

        def row(name, arguments):
            out, seconds, own, child = measured(arguments, environment)
            print(f"| {name} | {seconds:.1f} | {own} | {child or ''} |", flush=True)
            return out

        row("index, by words", ["index", str(files)])
        found = row("search", ["search", LAST, "--mode", "lexical", "-k", "1", "--json"])
        citation = Path(folder) / "citation.json"
        cited = json.loads(found)["hits"][0]["citation"]
        citation.write_text(json.dumps(cited))
        verdict = json.loads(row("verify", ["verify", str(citation), "--json"]))["verdict"]
        used = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        print(f"\nlines {cited['lines']}, {verdict}; data folder {used / 1_000_000:,.0f} MB")


if __name__ == "__main__":
    main()
