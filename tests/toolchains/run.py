#!/usr/bin/env python3
"""Makes components with other projects' toolchains, and compares what they do.

    tests/toolchains/run.py                    all
    tests/toolchains/run.py encoders jco       only these toolchains
    tests/toolchains/run.py --program FILE     with this WASI preview 1 program; repeatable

Each component is built with its core modules merged and not merged. Both artifacts run under edgec
and under stock Wasmtime, and stock Wasmtime runs the component itself. Everything that they print
or answer must be the same, byte for byte. A component whose modules must be merged, and are not, is
a failure too. Exit codes: 0 all are the same, 1 something differs, 3 a component cannot be made.

Without `--program`, jco and the encoders get a program of the corpus.

edgec is `--edgec`, or `EDGEC`, or target/release/edgec.
"""

import argparse
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "corpus"
sys.path.insert(0, str(CORPUS))

import compare
import fetch
import make
from stages import Edgec, parsed

TOOLCHAINS = ("python", "javascript", "jco", "encoders")
# The program of the corpus, which is small.
PROGRAM = "boolector"


def main():
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="edgec-toolchains-"))
    try:
        edgec = Edgec(options.edgec, folder)
        listed = tomllib.loads((CORPUS / "programs.toml").read_text())
        stock = options.stock or fetch.stock(listed["stock"])
        programs = options.program or [of_corpus(listed, folder)]
        compared, failures = 0, 0
        for toolchain in options.toolchains or TOOLCHAINS:
            place = folder / toolchain
            place.mkdir()
            for path in components(toolchain, place, programs):
                line, differences = compare.component(path, edgec, stock, place)
                compared += 1
                failures += len(differences)
                print(line, flush=True)
                for difference in differences:
                    print(f"  FAILED: {difference}", flush=True)
    except (fetch.FetchError, make.MakeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    finally:
        if options.keep:
            print(f"components and artifacts are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{compared} passed, 0 failed" if not failures else f"{failures} failures")
    return 1 if failures else 0


def of_corpus(listed, folder):
    """The program of the corpus, in a file with its name, which becomes the components' name."""
    entry = next(entry for entry in listed["program"] if entry["name"] == PROGRAM)
    path = folder / f"{PROGRAM}.wasm"
    path.symlink_to(fetch.program(entry))
    return path


def components(toolchain, folder, programs):
    if toolchain == "python":
        return make.python(folder)
    if toolchain == "javascript":
        return make.javascript(folder)
    if toolchain == "jco":
        return make.jco(folder, programs)
    return make.encoders(folder, programs)


def arguments():
    parser = argparse.ArgumentParser(description="Components of other projects' toolchains.")
    parser.add_argument("toolchains", nargs="*", help="only these: " + " ".join(TOOLCHAINS))
    parser.add_argument(
        "--program", type=Path, action="append", default=[], help="a WASI preview 1 program"
    )
    parser.add_argument("--keep", action="store_true", help="keep components and artifacts")
    options = parsed(parser)
    for toolchain in options.toolchains:
        if toolchain not in TOOLCHAINS:
            parser.error(f"no toolchain {toolchain}")
    return options


if __name__ == "__main__":
    sys.exit(main())
