"""A proxy that counts requests by kind and status, and all bytes that clients receive.

`tests/registry/proxy.py` makes faults, and counts bodies. This one counts heads too, and one thread
serves the connections of fifty hosts.
"""

import asyncio
import re
import threading
from collections import Counter

from proxy import kind_of

# One loop serves all proxies, in a thread of its own.
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


class Count:
    """What passed a proxy until now, or between two moments (`later - earlier`)."""

    def __init__(self, requests=(), received=(), heads=()):
        # By kind, method and status. `received` has the bytes that went to the client, and `heads`
        # how many of them were heads.
        self.requests, self.received = Counter(requests), Counter(received)
        self.heads = Counter(heads)

    def parts(self):
        return self.requests, self.received, self.heads

    def copy(self):
        return Count(*self.parts())

    def __sub__(self, other):
        return Count(*(now - then for now, then in zip(self.parts(), other.parts(), strict=True)))

    def __add__(self, other):
        return Count(*(one + more for one, more in zip(self.parts(), other.parts(), strict=True)))

    def count(self, *kinds, status=None):
        return self.sum(self.requests, kinds, status)

    def bytes(self, *kinds, status=None):
        return self.sum(self.received, kinds, status)

    def bodies(self, *kinds, status=None):
        """The bytes without heads."""
        heads = self.sum(self.heads, kinds, status)
        return self.sum(self.received, kinds, status) - heads

    @staticmethod
    def sum(counter, kinds, status):
        return sum(
            number
            for (what, _, code), number in counter.items()
            if (not kinds or what in kinds) and status in (None, code)
        )


class Proxy:
    """Passes connections to a port of this machine on. `cut` makes that port unreachable."""

    def __init__(self, behind):
        self.behind, self.is_cut = behind, False
        self.total, self.clients = Count(), set()
        self.server = asyncio.run_coroutine_threadsafe(self.listen(), LOOP).result()
        self.port = self.server.sockets[0].getsockname()[1]

    async def listen(self):
        return await asyncio.start_server(self.pass_on, "127.0.0.1", 0, backlog=1024)

    def count(self):
        return self.total.copy()

    def cut(self):
        """From now on, connections end at once, those that are open included."""
        self.is_cut = True
        LOOP.call_soon_threadsafe(lambda: [writer.close() for writer in self.clients])

    def mend(self):
        self.is_cut = False

    async def pass_on(self, reader, writer):
        behind = None
        self.clients.add(writer)
        try:
            if self.is_cut:
                return
            from_behind, behind = await asyncio.open_connection("127.0.0.1", self.behind)
            self.clients.add(behind)
            exchange = Exchange(self.total)
            ways = [
                asyncio.ensure_future(relay(reader, behind, exchange.asks)),
                asyncio.ensure_future(relay(from_behind, writer, exchange.answers)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        finally:
            for side in (writer, behind):
                if side is not None:
                    self.clients.discard(side)
                    side.close()


async def relay(reader, writer, see):
    try:
        while part := await reader.read(1 << 16):
            see(part)
            writer.write(part)
            await writer.drain()
    except (OSError, asyncio.CancelledError):
        pass


class Exchange:
    """One connection of HTTP/1.1, whose client does not pipeline."""

    def __init__(self, total):
        self.total = total
        self.head, self.body = b"", 0
        self.what, self.method, self.status, self.answer = "other", "-", 0, b""

    def asks(self, part):
        while part:
            if self.body:
                passed = min(self.body, len(part))
                self.body -= passed
                part = part[passed:]
                continue
            self.head += part
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, part = self.head[:end].decode("latin-1"), self.head[end + 4 :]
            self.head = b""
            self.begin(head)

    def begin(self, head):
        line, *fields = head.split("\r\n")
        self.method, path = (line.split(" ") + ["", ""])[:2]
        self.what = kind_of(path)
        self.status, self.answer = 0, b""
        for field in fields:
            name, _, value = field.partition(":")
            if name.lower() == "content-length":
                self.body = int(value)
            if name.lower() == "transfer-encoding":
                # No client here sends one; counting ends, and nothing else does.
                self.body = 1 << 62

    def answers(self, part):
        if not self.status:
            self.answer += part
            head, end, _ = self.answer.partition(b"\r\n\r\n")
            found = re.match(rb"HTTP/1\.1 (\d{3})", head)
            if found and end and found[1][:1] != b"1":
                self.status = int(found[1])
                what = self.what, self.method, self.status
                self.total.requests[what] += 1
                self.total.received[what] += len(self.answer)
                self.total.heads[what] += len(head) + len(end)
            elif found and end:
                # 100 Continue: the answer follows.
                self.answer = self.answer[len(head) + len(end) :]
            return
        self.total.received[self.what, self.method, self.status] += len(part)
