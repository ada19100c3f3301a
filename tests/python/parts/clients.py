"""Clients that are slow or deaf, beside one that is not."""

import pathlib
import random
import re
import socket
import time

from served import Server, Tally, comes

CONFIG = """
[limits]
header_ms = 400
body_ms = 600
write_ms = 400
connections = 200
connections_per_address = 150
bodies_bytes = 1000000
"""
REQUEST = b"POST /v1/workspaces/default/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def slow(program: str, work: pathlib.Path, is_long: bool, dice: random.Random) -> Tally:
    """Headers and bodies that come byte by byte or stop, replies that nobody reads, connections that say nothing."""
    tally = Tally()
    folder = work / "files"
    folder.mkdir()
    (folder / "a.md").write_text("# Lamps\n\nThe lighthouse has nine lamps.\n")
    server = Server(program, work / "data", folder, words_alone=True, config=CONFIG)
    tally.check(comes(lambda: server.search("lighthouse") == ["a.md"]), "the file is never found")

    def attack() -> socket.socket:
        client = socket.create_connection(server.address, timeout=5)
        kind = dice.randrange(6)
        said = [
            b"",
            REQUEST[: dice.randrange(1, len(REQUEST))],
            REQUEST + b"Content-Length: 1000\r\n\r\n{",
            REQUEST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"que",
            b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100,
            b"PUT /v1/workspaces/default/files/slow.md HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhalf",
        ][kind]
        client.sendall(said)
        return client

    end = time.monotonic() + (60 if is_long else 3)
    held: list[socket.socket] = []
    while time.monotonic() < end:
        while len(held) < 100:
            held.append(attack())
        # One more byte from some of them, which may be gone by now.
        for client in dice.sample(held, 20):
            try:
                client.sendall(b"x")
            except OSError:
                held.remove(client)
                client.close()
        for path, body in (("/livez", None), ("/v1/workspaces/default/search", b'{"query":"lamps","mode":"lexical"}')):
            status, reply = server.ask("GET" if body is None else "POST", path, body)
            tally.check(status == 200, f"a client that is not slow gets {status} {reply} of {path}")

    def connections() -> int:
        found = re.search(r"pincite_connections (\d+)", server.ask("GET", "/metrics")[1])
        return int(found[1])

    tally.check(comes(lambda: connections() <= 1, 30), f"slow clients are never cut off: {connections()} are left")
    tally.check(server.ask("GET", server.files("slow.md"))[0] == 404, "half a file was written")
    for client in held:
        client.close()
    tally.unharmed(server)
    server.kill()
    return tally
