"""Hostile programs and hostile clients: each meets its limit and is counted, and the others go on.

Beside the times of the others are those of a control experiment: the same attack, aimed at an idle
port. The attackers share the processors with the host, so their work alone slows it.
"""

import json
import subprocess
import sys

from host import HERE, Failed, Server, Store, application, expect, wait_until
from probe import Probe

# Each attack, and the name that counts it in the metrics.
ATTACKS = {
    # On a busy machine, the time of a request may end before its program has got its time of the
    # processor, or has sent so much.
    "endless loop": "cpu.time|wall.time",
    "memory to the limit": "memory|memory.total|application.memory.total",
    "huge response": "response.body|wall.time",
    "trap": "traps|trapped",
    "handle storm": "resources|handles",
    "request storm": "queue|application.queue|queue.time",
    "slow headers": "header.read.time",
    "slow body": "request.body.time",
    "rapid reset": "http2.resets",
    "idle connections": "header.read.time|connections",
}
SECONDS = 6

LIMITS = {
    "connections": 12_000,
    "header-read-time": "2s",
    "request-body-time": "2s",
}
# What the hostile program may take. It answers 64 slow requests a second.
OF_HOSTILE = {
    "requests": 16,
    "queue": 16,
    "cpu-time": "200ms",
    "wall-time": "5s",
    "memory": "32MiB",
    "response-body": "4MiB",
    "resources": 1000,
    "handles": 1000,
}


def run(edgec):
    store = Store(edgec)
    guest = HERE / "guests" / "hostile.wat"
    store.add(edgec.build(guest, "hostile"), edgec.build(guest, "good"))
    applications = [application("hostile", limits=OF_HOSTILE), application("good")]
    idle = subprocess.Popen(
        [sys.executable, HERE / "idle_port.py"], stdout=subprocess.PIPE, text=True
    )
    failures = []
    try:
        port = int(idle.stdout.readline())
        with Server(store, applications, limits=LIMITS) as server:
            print("  attack               the others' p50 and p99   control                   counted")
            for attack, counted in ATTACKS.items():
                try:
                    print(f"  {one(server, port, attack, counted)}", flush=True)
                except Failed as failed:
                    failures.append(f"{attack}: {failed}")
                    print(f"  {attack}: FAILED: {failed}", flush=True)
            wait_until(lambda: server.ask("hostile", "/a")[0] == 200, "the program is gone")
            memory = server.resident()
            expect(server.stop() == 0, "the host does not end well")
            print(f"  {memory:.0f} MiB resident at the end")
    finally:
        idle.kill()
        idle.wait()
    expect(not failures, "; ".join(failures))


def one(server, idle, attack, counted):
    """A line about an attack."""
    control, _ = under(server, idle, attack)
    before = count(server, counted)
    probe, seen = under(server, server.port, attack)
    hits = count(server, counted) - before
    failed = probe.failures
    expect(not failed, f"{len(failed)} honest requests failed: {failed[:1]}")
    expect(hits > 0, f"nothing is counted as {counted}; the attacker saw {seen}")
    expect("held for long" not in seen, f"the host holds attackers: {seen}")
    times = lambda it: f"{it.percentile(0.5):6.1f} {it.percentile(0.99):8.1f} ms"
    return f"{attack:20} {times(probe):25} {times(control):25} {hits:.0f} {counted}; {seen}"


def count(server, names):
    """How often limits with these names were hit."""
    return server.count(rf'(="({names})"|_({names})_total)')


def under(server, port, attack):
    """The honest clients during an attack on a port, and what the attacker saw."""
    command = [sys.executable, HERE / "attacks.py", attack, port, "hostile.test", SECONDS]
    attacker = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    with Probe(server.port, "good.test", "/a") as probe:
        said, _ = attacker.communicate(timeout=120)
    expect(attacker.returncode == 0, "the attacker failed")
    return probe, json.loads(said)
