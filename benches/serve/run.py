#!/usr/bin/env python3
"""Measures `edgec serve` beside stock `wasmtime serve`, and writes the tables of a document.

    cargo build --profile dist
    benches/serve/run.py --edgec target/dist/edgec --document docs/serve-performance.md
    benches/serve/run.py rust replacement      only these subjects; prints the tables

Both are asked by `wrk -t2 -c16` in turns, on a machine that does nothing else. Each figure is the
median of five runs of ten seconds (`--rounds`, `--seconds`). It needs wrk, Node and npm. The real
programs lie in ../shared/guests and ../shared/guests-p3; a subject without its program is left out,
and the script says so. All subjects take about 40 minutes.

A table replaces the text between `<!-- begin SUBJECT -->` and `<!-- end SUBJECT -->`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "serve"))
import components  # noqa: I001 - it makes other folders of tests importable
import fetch
import fleet
import host
from contenders import Edgec, Stock, in_turns, table

SHARED = REPOSITORY.parent / "shared"
# What stock's own options can do for a guest. The table names the best of them.
STOCK_OPTIONS = {
    "8 MiB kept resident": ["pooling-memory-keep-resident=8388608"],
    "32 MiB kept resident": ["pooling-memory-keep-resident=33554432"],
    "8 MiB and pagemap-scan": ["pooling-memory-keep-resident=8388608", "pooling-pagemap-scan=y"],
    "32 MiB and pagemap-scan": ["pooling-memory-keep-resident=33554432", "pooling-pagemap-scan=y"],
}
# The memory that the operator may name, and the default.
BUDGETS = ["0MiB", "64MiB", "256MiB", None]


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.edgec = host.Edgec(options.edgec, folder)
        listed = tomllib.loads((REPOSITORY / "tests/corpus/programs.toml").read_text())
        self.stock = options.stock or fetch.stock(listed["stock"])

    def image(self, guest):
        """What stock compiles."""
        image = self.folder / f"{guest.stem}.stock.cwasm"
        if not image.is_file():
            subprocess.run([self.stock, "compile", "-o", image, guest], check=True)
        return image

    def compared(self, contenders):
        try:
            in_turns(contenders, self.options.seconds, self.options.rounds, say)
            return table(contenders)
        finally:
            for contender in contenders:
                contender.stop()

    def guest(self, guest):
        """A guest of WASI 0.2: stock, its options, and edgec within several budgets."""
        image = self.image(guest)
        artifact = self.edgec.build(guest, guest.stem, options=("-O1",))
        contenders = [Stock("stock", self.stock, image)]
        for name, options in STOCK_OPTIONS.items():
            contenders.append(Stock(f"stock, {name}", self.stock, image, options))
        for budget in BUDGETS:
            name = f"edgec, {budget} of memory" if budget else "**edgec**"
            pools = {"pools": {"memory-budget": budget}} if budget else {}
            contenders.append(Edgec(name, self.edgec, artifact, **pools))
        return self.compared(contenders)

    def reused(self, guest):
        """A guest of WASI 0.3: with one instance for each request, and with reuse."""
        image = self.image(guest)
        artifact = self.edgec.build(guest, guest.stem, options=("-O1",))
        once = ["-Sp3", "--max-instance-reuse-count", "1"]
        reuse = {"requests": 128, "concurrent": 16}
        return self.compared(
            [
                Stock("stock, one instance a request", self.stock, image, more=once),
                Edgec("**edgec**, one instance a request", self.edgec, artifact),
                Stock("stock, its reuse (128, 16 at a time)", self.stock, image, more=["-Sp3"]),
                Edgec("edgec, the same reuse", self.edgec, artifact, {"reuse": reuse}),
            ]
        )

    def fleet(self, guest):
        image, options = self.image(guest), self.options
        return fleet.table(
            self.edgec, guest, self.stock, image, options.seconds, options.rounds, say
        )

    def replacement(self, guest):
        """`wrk` for a minute while nothing changes, and while a hundred versions come."""
        store = host.Store(self.edgec, "moving")
        versions = (1, 2)
        store.add(*(self.edgec.build(guest, "moving", n, options=("-O1",)) for n in versions))
        rows = ["| | requests/s | p99 | failed |", "|---|---|---|---|"]
        with host.Server(store, [host.application("moving")]) as server:
            for changes in (0, 100):
                measured = self.minute(server, store, changes)
                say(f"  {changes} versions: {measured.rate:,.0f}/s")
                name = f"{changes} versions come" if changes else "nothing changes"
                rows.append(
                    f"| {name} | {measured.rate:,.0f} | {measured.p99:.1f} ms | {measured.failed} |"
                )
        return "\n".join(rows)

    @staticmethod
    def minute(server, store, changes):
        from concurrent.futures import ThreadPoolExecutor

        from contenders import wrk

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(wrk, server.port, "moving.test", 60)
            for number in range(changes):
                begin = time.monotonic()
                store.use("moving", 1 + number % 2)
                time.sleep(max(0, 0.58 - (time.monotonic() - begin)))
            return running.result()


def subjects():
    """Each subject: what it measures, and its program."""
    shared = lambda name: lambda: SHARED / name
    return {
        "rust": (Bench.guest, shared("guests/rust-http-proxy.wasm")),
        "javascript": (Bench.guest, shared("guests/js-http-proxy.wasm")),
        "python": (Bench.guest, components.python),
        "p3": (Bench.reused, shared("guests-p3/py-http-p3.wasm")),
        "fleet": (Bench.fleet, shared("guests/rust-http-proxy.wasm")),
        "replacement": (Bench.replacement, shared("guests/rust-http-proxy.wasm")),
    }


def main():
    options = arguments()
    known = subjects()
    with tempfile.TemporaryDirectory(prefix="edgec-bench-") as folder:
        bench = Bench(options, Path(folder))
        for name in options.subjects or known:
            measure, program = known[name]
            guest = program()
            if not guest.is_file():
                say(f"{name}: LEFT OUT: there is no {guest}")
                continue
            say(f"{name}: {guest.name}")
            rows = measure(bench, guest)
            print(f"## {name}\n\n{rows}\n", flush=True)
            if options.document:
                replace(options.document, name, rows)


def replace(document, name, rows):
    text = document.read_text()
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"{document} has no {begin}")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{rows}\n\n{end}", text))


def arguments():
    parser = argparse.ArgumentParser(description="edgec serve beside stock wasmtime serve.")
    parser.add_argument("subjects", nargs="*", help="only these: " + " ".join(subjects()))
    parser.add_argument(
        "--edgec", type=Path, default=os.environ.get("EDGEC", "target/release/edgec")
    )
    parser.add_argument("--stock", type=Path, help="a Wasmtime 48 instead of the one from PyPI")
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--document", type=Path, help="replace the tables in this document")
    options = parser.parse_args()
    for subject in options.subjects:
        if subject not in subjects():
            parser.error(f"no subject {subject}")
    if not Path(options.edgec).is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    if not shutil.which("wrk"):
        parser.error("wrk is not installed: apt-get install wrk")
    return options


if __name__ == "__main__":
    try:
        main()
    except host.Failed as failed:
        sys.exit(f"error: {failed}")
