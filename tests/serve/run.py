#!/usr/bin/env python3
"""Tests `edgec serve` from outside: what clients see while something misbehaves.

    tests/serve/run.py                     all
    tests/serve/run.py hostile faults      only these

It needs openssl, Node, npm and redis-server. If wrk and h2load are installed, it uses them too.
Every server is on the loopback interface. No test depends on a time: times are printed beside those
of a control experiment. Exit codes: 0 everything is as it should be, 1 something is not, 3 a
toolchain is missing.

edgec is `--edgec`, or `EDGEC`, or target/release/edgec.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

CASES = (
    "examples",
    "sockets",
    "clients",
    "service",
    "replacement",
    "hostile",
    "faults",
    "spin",
)


def main():
    options = arguments()
    from host import Edgec, Failed
    from make import MakeError

    passed, failed = 0, 0
    for name in options.cases or CASES:
        begin = time.monotonic()
        case = importlib.import_module(f"cases.{name}")
        print(f"{name}: {case.__doc__.splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory(prefix="edgec-serve-") as folder:
            try:
                case.run(Edgec(options.edgec, Path(folder)))
            except MakeError as error:
                print(f"error: {error}", file=sys.stderr)
                return 3
            except Failed as error:
                failed += 1
                print(f"  FAILED: {error}", flush=True)
            except Exception:
                failed += 1
                print(f"  FAILED: {traceback.format_exc()}", flush=True)
            else:
                passed += 1
        print(f"  ({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def arguments():
    parser = argparse.ArgumentParser(description="Tests of a serving host.")
    parser.add_argument("cases", nargs="*", help="only these: " + " ".join(CASES))
    parser.add_argument(
        "--edgec", type=Path, default=os.environ.get("EDGEC", "target/release/edgec")
    )
    options = parser.parse_args()
    for case in options.cases:
        if case not in CASES:
            parser.error(f"no case {case}")
    if not Path(options.edgec).is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    return options


if __name__ == "__main__":
    import components  # noqa: F401 - it makes the modules of tests/toolchains importable

    sys.exit(main())
