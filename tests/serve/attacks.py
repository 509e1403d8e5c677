#!/usr/bin/env python3
"""Hostile clients, each aimed at one address for some seconds.

    tests/serve/attacks.py ATTACK PORT HOST SECONDS

HOST is the name in the requests. Prints what the attacker saw as a line of JSON. It only talks to
127.0.0.1, and ends by itself.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter

# The HTTP/2 frames of an attack (RFC 9113, section 6).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, GOAWAY = 1, 3, 4, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL = 8

# A host that lets an attacker keep a connection for longer than this, in seconds, holds it. A
# request may wait for 1 s and be silent for 2 s; the rest is for a busy machine.
HELD = 5


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def header_block(host, path):
    """A GET request in HPACK (RFC 7541): entries of the static table, and literals."""
    literal = lambda index, text: bytes([index, len(text)]) + text
    return b"\x82\x86" + literal(0x04, path) + literal(0x01, host)


class Attacker:
    def __init__(self, port, host, seconds):
        self.port, self.host, self.end = port, host, time.monotonic() + seconds
        self.seen = Counter()
        self.longest = 0.0

    def is_over(self):
        return time.monotonic() >= self.end

    async def connect(self):
        """A connection, or `None` if there is none."""
        try:
            return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 5)
        except (OSError, asyncio.TimeoutError):
            self.seen["not connected"] += 1
            return None

    async def answered(self, reader, seconds):
        """Counts the status of the answer, or what came in its place."""
        try:
            line = await asyncio.wait_for(reader.readline(), max(seconds, 0.1))
        except asyncio.TimeoutError:
            self.seen["no answer"] += 1
            return
        except OSError:
            self.seen["reset"] += 1
            return
        words = line.split()
        self.seen[words[1].decode() if len(words) > 1 else "closed"] += 1

    def closed(self, began):
        self.seen["closed"] += 1
        self.longest = max(self.longest, time.monotonic() - began)

    async def many(self, count, task):
        await asyncio.gather(*(task(number) for number in range(count)))

    async def requests(self, path, clients, rate=None):
        """Requests of this many clients, each on a new connection, `rate` a second in all."""

        async def client(number):
            pause = clients / rate if rate else 0
            await asyncio.sleep(pause * number / clients)
            while not self.is_over():
                began = time.monotonic()
                opened = await self.connect()
                if opened:
                    reader, writer = opened
                    text = f"GET {path} HTTP/1.1\r\nhost: {self.host}\r\nconnection: close\r\n\r\n"
                    writer.write(text.encode())
                    await self.answered(reader, 10)
                    writer.close()
                await asyncio.sleep(max(0.001, began + pause - time.monotonic()))

        await self.many(clients, client)

    async def storm(self):
        """640 requests a second to a program of which the host can answer 64 a second."""
        await self.requests("/w", 200, rate=640)

    async def slow_headers(self):
        """A request whose head never ends: a byte now and then."""
        head = f"GET /a HTTP/1.1\r\nhost: {self.host}\r\n"
        await self.trickle(head.encode(), b"x: y\r\n", pause=0.2)

    async def slow_body(self):
        """A request whose body never ends: a byte, and then silence."""
        head = f"POST /r HTTP/1.1\r\nhost: {self.host}\r\ncontent-length: 100000\r\n\r\n"
        # A second byte would begin a new silence, and a request that waited before it was served
        # could get one in time.
        await self.trickle(head.encode(), b"x", pause=HELD + 1)

    async def trickle(self, head, drop, pause):
        async def client(_):
            while not self.is_over():
                opened = await self.connect()
                if not opened:
                    await asyncio.sleep(0.5)
                    continue
                reader, writer = opened
                began = time.monotonic()
                reading = asyncio.ensure_future(reader.read())
                writer.write(head)
                while not reading.done() and not self.is_over():
                    writer.write(drop)
                    left = max(0, self.end - time.monotonic())
                    await asyncio.wait([reading], timeout=min(pause, left))
                self.note(reading, began)
                writer.close()

        await self.many(200, client)

    def note(self, reading, began):
        """Counts how a connection ended, and returns what came on it."""
        if not reading.done():
            reading.cancel()
            # A connection may be new when the attack ends.
            self.seen["held for long"] += time.monotonic() - began > HELD
            return b""
        answer = b"" if reading.exception() else reading.result()
        if answer.startswith(b"HTTP/1."):
            self.seen[answer.split()[1].decode()] += 1
        self.closed(began)
        return answer

    async def idle(self):
        """10,000 connections on which nothing is sent."""

        async def client(number):
            await asyncio.sleep(number / 5000)
            opened = await self.connect()
            if not opened:
                return
            reader, writer = opened
            began = time.monotonic()
            self.seen["opened"] += 1
            reading = asyncio.ensure_future(reader.read())
            await asyncio.wait([reading], timeout=max(0, self.end - time.monotonic()))
            self.note(reading, began)
            writer.close()

        await self.many(10_000, client)

    async def rapid_reset(self):
        """Streams of HTTP/2 that are reset as soon as they are open (CVE-2023-44487)."""
        block = header_block(self.host.encode(), b"/w")

        async def client(_):
            while not self.is_over():
                opened = await self.connect()
                if not opened:
                    await asyncio.sleep(0.5)
                    continue
                reader, writer = opened
                began = time.monotonic()
                reading = asyncio.ensure_future(reader.read())
                writer.write(PREFACE + frame(SETTINGS, 0, 0))
                stream = 1
                while not reading.done() and not self.is_over() and stream < 1 << 30:
                    burst = b""
                    for _ in range(50):
                        burst += frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
                        burst += frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4))
                        stream += 2
                    writer.write(burst)
                    self.seen["streams"] += 50
                    try:
                        await asyncio.wait_for(writer.drain(), 1)
                    except (OSError, asyncio.TimeoutError):
                        pass
                    await asyncio.wait([reading], timeout=0.01)
                if has_frame(self.note(reading, began), GOAWAY):
                    self.seen["GOAWAY"] += 1
                writer.close()
                # An attacker that must connect again is slow already.
                await asyncio.sleep(0.1)

        await self.many(20, client)


def has_frame(answer, kind):
    while len(answer) >= 9:
        if answer[3] == kind:
            return True
        answer = answer[9 + int.from_bytes(answer[:3]) :]
    return False


def guest(path, clients=8):
    """Requests for what a hostile program does."""

    async def attack(self):
        await self.requests(path, clients)

    return attack


ATTACKS = {
    "endless loop": guest("/l"),
    "memory to the limit": guest("/m"),
    "huge response": None,
    "trap": guest("/t"),
    "handle storm": guest("/h"),
    "request storm": Attacker.storm,
    "slow headers": Attacker.slow_headers,
    "slow body": Attacker.slow_body,
    "rapid reset": Attacker.rapid_reset,
    "idle connections": Attacker.idle,
}


async def huge_response(self):
    """Reads everything that a program without end sends."""

    async def client(_):
        while not self.is_over():
            opened = await self.connect()
            if not opened:
                await asyncio.sleep(0.5)
                continue
            reader, writer = opened
            writer.write(f"GET /b HTTP/1.1\r\nhost: {self.host}\r\n\r\n".encode())
            length, began = 0, time.monotonic()
            try:
                while part := await asyncio.wait_for(reader.read(1 << 16), 5):
                    length += len(part)
                    if self.is_over():
                        break
                else:
                    self.closed(began)
            except (OSError, asyncio.TimeoutError):
                self.closed(began)
            self.seen["longest answer"] = max(self.seen["longest answer"], length)
            writer.close()

    await self.many(4, client)


ATTACKS["huge response"] = huge_response


def main():
    name, port, host, seconds = sys.argv[1:]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attacker = Attacker(int(port), host, float(seconds))
    asyncio.run(ATTACKS[name](attacker))
    seen = {what: count for what, count in attacker.seen.items() if count}
    print(json.dumps({**seen, "longest": round(attacker.longest, 1)}))


if __name__ == "__main__":
    main()
