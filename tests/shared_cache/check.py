"""Checks shared build caches with the edgec of the first argument.

"Machine one" has an empty folder and writes to the store. "Machine two" has another empty folder,
and reads. It must take every step from the store, and its artifacts must be the same, byte for
byte, as those of a build without a cache. With a store that is dead, slow or broken off, a build
must end with the same artifacts, exit code 0, and one warning.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import servers

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GUEST = REPOSITORY.parent / "shared/guests/rust-http-proxy.wasm"
SMALL = """(module
  (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "run") (param i32) (result i32)
    (i32.add (call $double (local.get 0)) (i32.const {number}))))
"""


class Machine:
    """A machine with an empty cache folder, in the folder of the test."""

    def __init__(self, place, name, url, more=()):
        self.place, self.name, self.url, self.more = place, name, url, list(more)

    def build(self, program, options=()):
        """The artifacts, the part of the report about the cache, and the warnings."""
        return self.place.build(
            program,
            f"out-{self.name}",
            ["--cache", f"cache-{self.name}", "--cache", self.url, *self.more, *options],
        )


class Place:
    """A folder with keys and programs."""

    def __init__(self, edgec, folder):
        self.edgec, self.folder, self.count = edgec, folder, 0
        for key in ("key", "cache", "other"):
            self.run("keygen", "-o", f"{key}.pem")

    def run(self, *arguments, code=0):
        environment = {
            name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ
        }
        environment |= servers.AWS | {"HOME": str(self.folder)}
        ended = subprocess.run(
            [str(self.edgec), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, (arguments, ended.returncode, ended.stderr)
        for stream in (ended.stdout, ended.stderr):
            assert servers.PASSWORD not in stream, f"the password was printed: {stream}"
        return ended

    def build(self, program, out, options):
        shutil.rmtree(self.folder / out, ignore_errors=True)
        common = ["build", program, "-o", f"{out}/", "--key", "key.pem", "--format", "json"]
        ended = self.run(*common, "-O0", "--cache-scope", "test", *options)
        artifacts = {it.name: it.read_bytes() for it in (self.folder / out).glob("*.cwasm")}
        assert len(artifacts) == 2, artifacts.keys()
        return artifacts, json.loads(ended.stdout).get("cache", {}), ended.stderr

    def machine(self, url, *more):
        self.count += 1
        return Machine(self, str(self.count), url, more)

    def writer(self, url, *more):
        return self.machine(url, "--cache-write", "--cache-key", "cache.pem", *TRUST, *more)

    def reader(self, url, *more):
        return self.machine(url, *TRUST, *more)

    def uncached(self, program):
        return self.build(program, "out", ["--no-cache"])[0]


TRUST = ["--cache-trust", "cache.pub.pem"]


def no_warning(text):
    assert "warning" not in text, text


def one_warning(text, code):
    assert text.count("warning") == 1 and f"warning[{code}]: " in text, text


def shared(place, url, program, changed):
    """Two machines share what a build found out."""
    expected = place.uncached(program)
    artifacts, cache, said = place.writer(url).build(program)
    assert artifacts == expected
    no_warning(said)
    assert cache["shared"]["hits"] == 0, cache

    second = place.reader(url)
    artifacts, cache, said = second.build(program)
    assert artifacts == expected, "another artifact"
    no_warning(said)
    assert cache["misses"] == 0 and cache["shared"]["hits"] == cache["hits"] > 2, cache
    # Now its own folder has everything.
    artifacts, cache, said = second.build(program)
    assert artifacts == expected
    assert cache["misses"] == 0 and cache["shared"]["hits"] == 0, cache

    # Another input of the same application gets the functions of the line.
    name = ["--name", Path(program).stem]
    third = place.reader(url, *name)
    artifacts, cache, said = third.build(changed)
    no_warning(said)
    assert cache["shared"]["hits"] >= 2, cache
    assert cache["misses"] > 0, cache
    without = place.build(changed, "out", ["--no-cache", *name])[0]
    assert artifacts == without, "another artifact"

    # This key is not trusted, and this is another kind of builds.
    _, cache, said = place.machine(url, "--cache-trust", "other.pub.pem").build(program)
    assert cache["shared"]["hits"] == 0, cache
    one_warning(said, "cache-refused")
    _, cache, said = place.reader(url, "--cache-namespace", "release").build(program)
    assert cache["shared"]["hits"] == 0, cache
    no_warning(said)


def looked_after(place, url):
    """Stores that list what they hold."""
    kept = ["cache", "--cache", url]
    stats = json.loads(place.run(*kept, "stats", "--format", "json").stdout)
    assert stats["packs"] >= 1 and stats["bytes"] > 1000, stats
    whole = json.loads(place.run(*kept, "verify", *TRUST, "--format", "json").stdout)
    assert whole["whole"] > 2 and whole["damaged"] == whole["refused"] == 0, whole
    other = ["--cache-trust", "other.pub.pem", "--format", "json"]
    refused = json.loads(place.run(*kept, "verify", *other, code=1).stdout)
    assert refused["refused"] >= 1 and refused["whole"] == 0, refused
    place.run(*kept, "prune", code=2)


def troubled(place, server, url, program):
    """The store is dead, slow, or broken off in the middle."""
    expected = place.uncached(program)

    def alone(machine, code):
        artifacts, cache, said = machine.build(program)
        assert artifacts == expected, "another artifact"
        assert cache["shared"]["hits"] == 0, cache
        one_warning(said, code)

    slow = servers.Proxy(server.port, servers.slow(5))
    alone(place.writer(url(slow.port), "--cache-deadline", "1"), "cache-late")
    slow.close()
    for after in (0, 10, 1500):
        broken = servers.Proxy(server.port, servers.broken_off(after))
        # A client of Redis tries to connect again until the deadline.
        machine = place.reader(url(broken.port), "--cache-deadline", "2")
        artifacts, _, said = machine.build(program)
        assert artifacts == expected, "another artifact"
        assert said.count("warning") == 1, said
        broken.close()
    server.kill()
    alone(place.writer(url(server.port)), "cache-store")
    alone(place.reader(url(server.port)), "cache-store")


def refused(place):
    """What cannot be meant is an error, before any work."""
    for url, code in [
        ("http://host", "cache-scheme"),
        ("redis://", "cache-url"),
        (f"s3://key:{servers.PASSWORD}@bucket", "cache-url"),
    ]:
        ended = place.run("build", "small.wat", "--cache", url, *TRUST, code=2)
        assert f"error[{code}]" in ended.stderr, ended.stderr
    trustless = place.run("build", "small.wat", "--cache", "redis://host", code=2)
    assert "error[cache-trust]" in trustless.stderr, trustless.stderr
    keyless = ["--cache", "redis://host", "--cache-write", *TRUST]
    keyless = place.run("build", "small.wat", *keyless, code=2)
    assert "error[cache-key]" in keyless.stderr, keyless.stderr


def programs(place):
    """Pairs: a program, and the same with another function."""
    (place.folder / "small.wat").write_text(SMALL.format(number=1))
    (place.folder / "changed.wat").write_text(SMALL.format(number=2))
    yield "small.wat", "changed.wat"
    if GUEST.is_file():
        guest = GUEST.read_bytes()
        (place.folder / "guest.wasm").write_bytes(guest)
        text = guest.rindex(b"http")
        edited = guest[:text] + b"H" + guest[text + 1 :]
        (place.folder / "guest-changed.wasm").write_bytes(edited)
        yield "guest.wasm", "guest-changed.wasm"


def main():
    edgec = Path(sys.argv[1]).resolve()
    for start, url in [
        (servers.redis, servers.redis_url),
        (servers.s3, servers.s3_url),
        (servers.webdav, servers.webdav_url),
    ]:
        with tempfile.TemporaryDirectory(prefix="edgec-shared-") as folder:
            place = Place(edgec, Path(folder))
            (place.folder / "store").mkdir()
            server = start(place.folder / "store")
            try:
                for program, changed in programs(place):
                    shared(place, url(server.port), program, changed)
                    print(f"{start.__name__}: {program}", flush=True)
                if start is not servers.redis:
                    looked_after(place, url(server.port))
                troubled(place, server, url, "small.wat")
                print(f"{start.__name__}: dead, slow, broken off", flush=True)
                refused(place)
            finally:
                server.kill()


if __name__ == "__main__":
    main()
