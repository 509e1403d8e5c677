#!/usr/bin/env python3
"""A simulated fleet: points of presence on this machine follow a tag in a registry, in waves.

    tests/fleet/run.py --edgec EDGEC --small          nine hosts; a minute or two
    tests/fleet/run.py --edgec EDGEC                  fifty hosts, three caches
    tests/fleet/run.py --edgec EDGEC good bad         only these cases
    tests/fleet/run.py --edgec EDGEC --document docs/fleet.md --measured tests/fleet/measured.json

Each host is an `edgec sync` with a store and a host profile of its own. Hosts whose programs this
machine runs also serve them with `edgec serve`, and clients ask them all the time. Everything is on
the loopback interface. docs/fleet.md describes the fleet and the cases.

It needs docker-registry, and uses wrk if it is installed. With `EDGEC_FLEET_LOGS`, the end prints
the logs of some hosts. Exit codes: 0 everything is as it should be, 1 something is not, 3
docker-registry is missing. edgec is `--edgec`, or `EDGEC`, or target/release/edgec.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent / "registry", HERE.parent / "serve", HERE):
    sys.path.insert(0, str(folder))

import situations
from document import write_tables
from fleet import Fleet
from host import Edgec, Failed
from settings import SMALL, WHOLE

CASES = {
    "quiet": lambda fleet, last, new: situations.quiet(fleet, 15 * fleet.pace.poll),
    "good": lambda fleet, last, new: situations.good(fleet, new),
    "bad": lambda fleet, last, new: situations.bad(fleet, new, last),
    "cache": lambda fleet, last, new: situations.cache_dies(fleet, new, last),
    "origin": lambda fleet, last, new: situations.origin_away(fleet, new, last),
}


def say(text):
    print(text, flush=True)


def main():
    options = arguments()
    if not shutil.which("docker-registry"):
        print("error: docker-registry is not installed (a package of Debian)", file=sys.stderr)
        return 3
    pace = SMALL if options.small else WHOLE
    measured = {"pace": vars(pace), "machine": machine()}
    with folder_for(options.keep) as folder:
        edgec = Edgec(options.edgec, Path(folder))
        try:
            with Fleet(edgec, pace, say) as fleet:
                simulate(fleet, options.cases or list(CASES), measured)
        except Failed as error:
            say(f"  FAILED: {error}")
            return 1
    if options.measured:
        options.measured.write_text(json.dumps(measured, indent=2) + "\n")
    if options.document:
        write_tables(options.document, measured)
    return 0


def simulate(fleet, names, measured):
    pace = fleet.pace
    built = fleet.publisher.build(1)
    measured["sizes"] = fleet.publisher.sizes(1)
    say(
        f"{len(fleet.pops)} hosts of {len({pop.kind['name'] for pop in fleet.pops})} kinds, "
        f"{len(fleet.serving)} of them serve ({len(fleet.canaries)} in the first wave); "
        f"{pace.caches} caches; version 1 for {len(fleet.publisher.targets)} targets was built "
        f"in {built:.0f} s"
    )
    took, counts = fleet.start(1)
    say(f"  all hosts have version 1 {took:.1f} s after it was pushed")
    measured["start"] = {"seconds": round(took, 1), "registries": counts.numbers()}
    measured["hosts"] = {
        "serving": len(fleet.serving),
        "first-wave": len(fleet.canaries),
        "with-wrk": min(pace.with_wrk, len(fleet.serving)) if shutil.which("wrk") else 0,
        "by-target": dict(Counter(pop.kind["target"] for pop in fleet.pops)),
        "cache-targets": [
            sorted({pop.kind["target"] for pop in fleet.pops if pop.cache is front})
            for front in fleet.registries.fronts
        ],
    }
    last = newest = 1
    for name in names:
        begin = time.monotonic()
        say(f"{name}: {situations.ABOUT[name]}")
        newest += 1
        measured[name] = CASES[name](fleet, last, newest)
        if name not in ("quiet", "bad"):
            last = newest
        say(f"  ({time.monotonic() - begin:.0f} s)")


def folder_for(keep):
    if keep:
        keep.mkdir(parents=True)
        return contextlib.nullcontext(keep.resolve())
    return tempfile.TemporaryDirectory(prefix="edgec-fleet-")


def machine():
    return {"processors": os.cpu_count(), "architecture": platform.machine()}


def arguments():
    parser = argparse.ArgumentParser(description="A simulated fleet.")
    parser.add_argument("cases", nargs="*", help="only these: " + " ".join(CASES))
    parser.add_argument(
        "--edgec", type=Path, default=os.environ.get("EDGEC", "target/release/edgec")
    )
    parser.add_argument("--small", action="store_true", help="nine hosts and one cache")
    parser.add_argument("--document", type=Path, help="replace the tables in this document")
    parser.add_argument("--keep", type=Path, help="make this folder, and leave all files in it")
    parser.add_argument("--measured", type=Path, help="write all numbers to this file")
    options = parser.parse_args()
    for case in options.cases:
        if case not in CASES:
            parser.error(f"no case {case}")
    if options.document and (options.cases or options.small):
        parser.error("--document needs all cases, and the whole fleet")
    if not Path(options.edgec).is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    return options


if __name__ == "__main__":
    sys.exit(main())
