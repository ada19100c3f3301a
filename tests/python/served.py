"""A server of pincite over a folder, for the campaigns: started, asked, ended. Needs the standard library alone."""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

DEADLINE_S = 120


class Server:
    def __init__(self, program: str, data: pathlib.Path, folder: pathlib.Path, words_alone=False, config="", **options):
        """`options` go to `subprocess.Popen`."""
        self.data = data
        if config:
            data.mkdir(exist_ok=True)
            (data / "config.toml").write_text(config)
        environment = environment_of(data, words_alone)
        command = [program, "serve", str(folder), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.match(r"listening on http://([\d.]+):(\d+)", line):
                self.address = (found[1], int(found[2]))
                break
        else:
            raise SystemExit(f"the server did not start:\n{''.join(self.said)}")
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json", headers=None):
        """The status and the reply; an OSError or HTTPException where the server is gone."""
        connection = http.client.HTTPConnection(*self.address, timeout=DEADLINE_S)
        try:
            of_body = {"Content-Type": kind} if body is not None else {}
            connection.request(method, path, body, {**of_body, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
            is_json = response.getheader("content-type", "").startswith("application/json")
            return response.status, json.loads(text or b"null") if is_json else text.decode()
        finally:
            connection.close()

    def files(self, path: str) -> str:
        return f"/v1/workspaces/default/files/{path}"

    def search(self, word: str) -> list[str]:
        """The paths of the passages that hold the word."""
        body = json.dumps({"query": word, "mode": "lexical", "k": 100}).encode()
        status, reply = self.ask("POST", "/v1/workspaces/default/search", body)
        if status != 200:
            raise SystemExit(f"a search was refused: {reply}")
        hits = [hit for hit in reply["hits"] if word in hit["text"]]
        places = [hit["citation"]["path"] for hit in hits]
        return places + [place["path"] for hit in hits for place in hit.get("also_at", [])]

    def status(self):
        return self.ask("GET", "/v1/workspaces/default/status")[1]

    def is_alive(self) -> bool:
        return self.process.poll() is None and self.ask("GET", "/livez")[0] == 200

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


def environment_of(data: pathlib.Path, words_alone: bool) -> dict[str, str]:
    environment = {**os.environ, "PINCITE_DATA_DIR": str(data)}
    if words_alone:
        environment.pop("ORT_DYLIB_PATH", None)
        environment.update(PINCITE_OFFLINE="1", PINCITE_RUNTIME_DIR=str(data / "none"))
    return environment


def comes(holds, deadline_s: float = DEADLINE_S, step_s: float = 0.02) -> bool:
    """Whether it holds within the deadline; asked every `step_s` seconds."""
    end = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(step_s)
    return True


class Tally:
    """What a part of the campaign has tried, and what was wrong."""

    def __init__(self):
        self.tries = 0
        self.faults: list[str] = []

    def check(self, holds: bool, fault: str):
        self.tries += 1
        if not holds and len(self.faults) < 20:
            self.faults.append(fault[:600])

    def unharmed(self, server: Server):
        """The server is there and has not panicked."""
        self.check(server.is_alive(), f"the server is gone: {''.join(server.said[-20:])}")
        panics = [line for line in server.said if "panicked" in line]
        self.check(not panics, f"a panic: {panics[:1]}")
