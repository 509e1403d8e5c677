"""A name moves a hundred times under load, and no request fails."""

import re
import shutil
import subprocess

from host import HERE, Server, Store, application, expect, wait_until
from probe import Probe

VERSIONS = 100


def versions(edgec):
    """Two versions of a program whose answers differ."""
    text = (HERE / "guests" / "hostile.wat").read_text()
    for version in (1, 2):
        expect(text.count('"ok\\n') == 1, "the program has one answer to replace")
        source = edgec.folder / f"version{version}.wat"
        source.write_text(text.replace('"ok\\n', f'"v{version}\\n'))
        yield edgec.build(source, "moving", version)


def run(edgec):
    store = Store(edgec)
    store.add(*versions(edgec))
    with Server(store, [application("moving")]) as server:
        without = load(server, lambda: None, seconds=10)
        print(f"  nothing changes:  {without.line()}")
        expect(not without.failures, f"failed: {without.failures[:3]}")

        def replace():
            for number in range(VERSIONS):
                version = 1 + number % 2
                store.use("moving", version)
                wait_until(
                    lambda: server.ask("moving", "/a")[1] == f"v{version}\n",
                    f"version {version} does not come",
                )

        with_changes = load(server, replace)
        print(f"  {VERSIONS} versions come: {with_changes.line()}")
        expect(not with_changes.failures, f"failed: {with_changes.failures[:3]}")


def load(server, change, seconds=None):
    """Requests while something changes: of the honest clients, and of `wrk` if it is installed."""
    wrk = None
    if program := shutil.which("wrk"):
        url = f"http://127.0.0.1:{server.port}/a"
        command = [program, "-t2", "-c16", "-d600s", "-H", "Host: moving.test", "--latency", url]
        wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        with Probe(server.port, "moving.test", "/a", clients=4) as probe:
            change()
            if seconds:
                probe.is_over.wait(seconds)
    finally:
        if wrk:
            # It prints what it has measured.
            wrk.send_signal(2)
            said, _ = wrk.communicate(timeout=60)
    if wrk:
        expect("Non-2xx" not in said and "Socket errors" not in said, said)
        rate, p99 = (re.search(text, said)[1] for text in (r"Requests/sec:\s+(\S+)", r"99%\s+([\d.]+\w+)"))
        print(f"  wrk, 16 connections: {rate} requests/s, p99 {p99}, none failed")
    return probe
