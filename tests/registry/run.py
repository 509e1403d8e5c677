#!/usr/bin/env python3
"""Tests push, pull, copy and sync with real registries, and with the tools of others.

    tests/registry/run.py --edgec EDGEC                all
    tests/registry/run.py --edgec EDGEC --only tools   one of: proxies tools referrers points
                                                       reproducible access faults kills

It installs what it needs as root on Debian (`tools.sh`), and compiles the clients and the registry
of `clients/`. Every server is on the loopback interface, and ends with the run. No test has an
upper bound for a time. Exit codes: 0 everything is as it should be, 1 something is not, 3 a tool is
missing.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CASES = ("proxies", "tools", "referrers", "points", "reproducible", "access", "faults", "kills")


def main():
    options = arguments()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgec" / "registry"
    try:
        tools, clients = installed(cache), options.clients or compiled(cache)
    except subprocess.CalledProcessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    from world import World

    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgec-registry-") as folder:
        world = World(options.edgec, folder, tools, clients, options.guests)
        try:
            for name in options.only or CASES:
                module = importlib.import_module(f"cases.{name}")
                print(f"{name}: {module.__doc__.splitlines()[0]}", flush=True)
                with world.case(name):
                    module.run(world)
        finally:
            world.stop()
    return told(world.results, time.monotonic() - begin)


def told(results, took):
    """Prints the table of all results. Returns the exit code."""
    failed = [name for name, why, _, _ in results if why]
    width = max(len(name) for name, _, _, _ in results)
    print(f"\n{'case':{width}}  result  seconds  numbers")
    for name, why, notes, seconds in results:
        result = "FAILED" if why else "ok"
        print(f"{name:{width}}  {result:6}  {seconds:7.1f}  {'; '.join(notes)}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, {took:.0f} s")
    return 1 if failed else 0


def installed(folder):
    """The folder of the tools that are not on the path."""
    subprocess.run([HERE / "tools.sh", folder], check=True, stdout=sys.stderr)
    return folder / "bin"


def compiled(folder):
    """The folder of the programs of `clients/`, compiled."""
    target = Path(os.environ.get("EDGEC_CLIENTS_TARGET_DIR", folder / "target"))
    environment = os.environ | {"CARGO_TARGET_DIR": str(target)}
    # This workspace is not checked by Clippy in the compiler's place.
    environment.pop("RUSTC_WORKSPACE_WRAPPER", None)
    manifest = HERE / "clients" / "Cargo.toml"
    command = ["cargo", "build", "--locked", "--quiet", "--manifest-path", manifest]
    subprocess.run(command, check=True, env=environment)
    return target / "debug"


def arguments():
    parser = argparse.ArgumentParser(description="Tests with real registries.")
    parser.add_argument("--edgec", type=Path, default=os.environ.get("EDGEC"), required=False)
    parser.add_argument("--only", nargs="+", choices=CASES, help="only these")
    parser.add_argument("--guests", type=Path, help="a folder with real programs")
    parser.add_argument("--clients", type=Path, help="the compiled programs of clients/")
    options = parser.parse_args()
    if options.guests is None:
        beside = REPOSITORY.parent / "shared" / "guests"
        options.guests = beside if beside.is_dir() else None
    if not options.edgec or not Path(options.edgec).is_file():
        parser.error("name the program with --edgec")
    return options


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
