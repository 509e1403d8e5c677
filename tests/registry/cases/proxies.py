"""The proxy makes the faults that it promises, so that later cases show what they say."""

import hashlib
import http.client
import threading
import time

from fault import Cut, Flip, Old, Short, Stall, Status
from proxy import Proxy
from servers import blob, get, manifest
from world import expect

CONTENT = hashlib.shake_128(b"content").digest(1_000_000)


def run(world):
    registry = world.registry("proxies")
    proxy = world.start(Proxy(registry.port))
    digest = push(world, proxy, CONTENT)
    with world.case("requests and bytes are counted") as note:
        proxy.counters.clear()
        expect(blob(proxy.host, "a/b", digest) == CONTENT, "other bytes come")
        expect(proxy.counters.requests(method="GET", kind="blob") == 1, proxy.counters.line())
        expect(proxy.counters.sent(kind="blob") == len(CONTENT), proxy.counters.line())
        note(proxy.counters.line())
    with world.case("faults of bodies") as note:
        note(bodies(proxy, digest))
    with world.case("a stalled answer, and an end in the middle") as note:
        note(stalled(proxy, digest))
    with world.case("a slow link") as note:
        # A bound from below, which no busy machine breaks.
        begin = time.monotonic()
        with proxy.slow(1_000_000):
            blob(proxy.host, "a/b", digest)
        took = time.monotonic() - begin
        expect(took > 0.9, f"{took} s")
        note(f"{len(CONTENT)} bytes in {took:.1f} s")
    with world.case("an old tag through a cache, which has the new one") as note:
        note(brought_back(world, proxy))


def push(world, proxy, content):
    (world.folder / "content").write_bytes(content)
    world.tool("oras", "push", "--plain-http", f"{proxy.host}/a/b:v1", "content:application/wasm")
    return manifest(proxy.host, "a/b", "v1")[1]["layers"][0]["digest"]


def bodies(proxy, digest):
    ask = lambda: get(proxy.host, f"/v2/a/b/blobs/{digest}")
    with proxy.fault(Cut(1000, times=1)):
        expect(broken(ask) == 1000, "another number of bytes came")
        expect(ask()[2] == CONTENT, "it happens more often")
    with proxy.fault(Short(5)):
        expect(ask()[2] == CONTENT[:-5], "the end is there")
    with proxy.fault(Flip(77)):
        changed = [at for at, (new, old) in enumerate(zip(ask()[2], CONTENT)) if new != old]
        expect(changed == [77], f"other bytes are changed: {changed[:9]}")
    with proxy.fault(Status(503, {"retry-after": "3"})):
        status, fields, _ = ask()
        expect((status, fields["retry-after"]) == (503, "3"), f"{status} {fields}")
    expect(ask()[2] == CONTENT, "faults stay")
    return "cut, short, flip, status"


def broken(ask):
    """How many bytes came before the connection ended."""
    try:
        ask()
    except http.client.IncompleteRead as error:
        return len(error.partial)
    return None


def stalled(proxy, digest):
    ask = lambda: get(proxy.host, f"/v2/a/b/blobs/{digest}")
    came = []
    with proxy.fault(Stall(1000)) as stall:
        asking = threading.Thread(target=lambda: came.append(broken(ask)))
        asking.start()
        expect(stall.reached.wait(30), "nobody asks")
        proxy.stop()
        asking.join()
    expect(came == [1000], f"{came} bytes came")
    proxy.start()
    expect(ask()[2] == CONTENT, "it does not start again")
    return "1000 bytes, then nothing; started again on its port"


def brought_back(world, proxy):
    cache = world.registry("proxies-cache", cache_of=proxy.host)
    before, _ = manifest(cache.host, "a/b", "v1")
    old = Old(proxy, "a/b", "v1")
    push(world, proxy, b"new")
    after, _ = manifest(cache.host, "a/b", "v1")
    with proxy.fault(old):
        again, _ = manifest(cache.host, "a/b", "v1")
    expect(before == again != after, f"{before}, {after}, {again}")
    return "old, new, old"
