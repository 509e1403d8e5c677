#!/usr/bin/env python3
"""Loads a serving host for an hour, by hand, and shows that its memory stays flat.

    cargo build --profile dist
    tests/serve/soak.py --edgec target/dist/edgec              an hour
    tests/serve/soak.py --edgec target/dist/edgec --minutes 5

Honest clients ask a large and a small program. At the same time new versions come, hostile
programs meet their limits, and the policy is written again. Each minute it prints a row with the
memory of the host (resident pages, each counted once), its resident memory, open files and threads,
and the times of the answers. It fails if an honest request fails, or if the memory of the last
quarter is more than a tenth above that of the second one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import components  # noqa: I001 - it makes other folders of tests importable
import host
from cases.replacement import versions
from probe import Probe

# One after the other. Those that hold connections would measure the limits of this machine.
ATTACKS = ["endless loop", "trap", "memory to the limit", "handle storm", "slow headers"]
LIMITS = {"requests": 8, "queue": 8, "cpu-time": "100ms", "memory": "32MiB"}


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="edgec-soak-") as folder:
        edgec = host.Edgec(options.edgec, Path(folder))
        store = host.Store(edgec)
        guest = HERE / "guests" / "hostile.wat"
        large = components.examples()["cors"]
        store.add(edgec.build(guest, "hostile"), edgec.build(large, "cors"), *versions(edgec))
        applications = [
            host.application("hostile", limits=LIMITS),
            host.application("cors", config={"origins": ""}),
            host.application("moving"),
        ]
        limits = {"header-read-time": "2s"}
        with host.Server(store, applications, limits=limits) as server:
            return soak(server, store, options.minutes)


def soak(server, store, minutes):
    print("| minute | memory | resident | files | threads | requests | p50 | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    memory = []
    for minute in range(1, minutes + 1):
        attack = ATTACKS[minute % len(ATTACKS)]
        command = [sys.executable, HERE / "attacks.py", attack, server.port, "hostile.test", 50]
        attacker = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        with (
            Probe(server.port, "cors.test", clients=4, pause=0.01) as large,
            Probe(server.port, "moving.test", "/a", clients=4, pause=0.002) as small,
        ):
            number = 0
            while time.monotonic() < end:
                number += 1
                store.use("moving", 1 + number % 2)
                store.write_policy()
                time.sleep(2)
        attacker.wait()
        failures = large.failures + small.failures
        host.expect(not failures, f"minute {minute}, {attack}: {failures[:3]}")
        process = Path(f"/proc/{server.process.pid}")
        files, threads = (len(os.listdir(process / name)) for name in ("fd", "task"))
        memory.append(server.memory())
        size = f"{memory[-1]:.0f} MiB | {server.resident():.0f} MiB"
        count = len(large.times) + len(small.times)
        times = f"{large.percentile(0.5):.1f} ms | {large.percentile(0.99):.1f} ms"
        print(
            f"| {minute} | {size} | {files} | {threads} | {count} | {times} |",
            flush=True,
        )
    quarter = max(1, minutes // 4)
    early, late = (max(part) for part in (memory[quarter : 2 * quarter] or memory, memory[-quarter:]))
    print(f"largest in the second quarter: {early:.0f} MiB, in the last one: {late:.0f} MiB")
    host.expect(late <= 1.1 * early, "the memory grows")
    return 0


def arguments():
    parser = argparse.ArgumentParser(description="Loads a serving host for long.")
    parser.add_argument(
        "--edgec", type=Path, default=os.environ.get("EDGEC", "target/release/edgec")
    )
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    if not Path(options.edgec).is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except host.Failed as failed:
        sys.exit(f"FAILED: {failed}")
