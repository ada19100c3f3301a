"""Searches a server from many clients at once, and tells how long those that were served took.

    python3 tests/python/load.py PORT CLIENTS SECONDS          # the server is on loopback
    python3 tests/python/load.py PORT --workspaces NUMBER      # makes so many workspaces of one file each instead

Clients search without a pause; one that is told 503 waits for a second, as `Retry-After` says. Needs Python alone.
"""

import asyncio
import http.client
import json
import random
import sys
import time

WORDS = "gateway retention sensor station encryption backlog latency disk frames modem harbour decision outage".split()
HEADERS = {"Host": "localhost", "Content-Type": "application/json"}


async def client(port, number, end, took, replies):
    chooser, stream = random.Random(number), None
    while time.monotonic() < end:
        try:
            if stream is None:
                stream = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = stream
            words = " ".join(chooser.sample(WORDS, 3))
            body = json.dumps({"query": f"how long did the {words} take?", "k": 10}).encode()
            began = time.monotonic()
            head = "POST /v1/workspaces/default/search HTTP/1.1\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            fields = [line.lower().split(b":") for line in head.split(b"\r\n")]
            await reader.readexactly(next(int(field[1]) for field in fields if field[0] == b"content-length"))
            status = int(head[9:12])
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            status, stream = type(error).__name__, None
        replies[status] = replies.get(status, 0) + 1
        if status == 200:
            took.append(1000 * (time.monotonic() - began))
        else:
            await asyncio.sleep(1)


async def load(port, num_clients, seconds):
    took, replies, end = [], {}, time.monotonic() + seconds
    await asyncio.gather(*(client(port, number, end, took, replies) for number in range(num_clients)))
    took.sort()
    if not took:
        sys.exit(f"none was served: {replies}")
    p50, p99 = (took[min(len(took) - 1, int(len(took) * part))] for part in (0.5, 0.99))
    print(f"{num_clients} clients: p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(took) / seconds:.0f} a second; {replies}")


def make(port, number):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for name in (f"w{count}" for count in range(number)):
        for method, path, body in (
            ("POST", "", json.dumps({"name": name})),
            ("PUT", f"/{name}/files/a.md", f"# Note\n\nThe lighthouse {name} is white.\n"),
        ):
            connection.request(method, f"/v1/workspaces{path}", body, HEADERS)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status >= 400:
                sys.exit(f"{name}: {reply.status} {text.decode()}")
    print(f"made {number} workspaces")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if sys.argv[2] == "--workspaces":
        make(int(sys.argv[1]), int(sys.argv[3]))
    else:
        asyncio.run(load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
