#!/usr/bin/env python3
"""Builds programs that are made up to cost much, and checks from outside that no limit is escaped.

    tests/soak/run.py --minutes 480                   a night
    tests/soak/run.py --seed 1234 --count 1           one program again
    tests/soak/run.py --count 200 --only subtypes     one shape

Each program follows from a seed: `tests/generator` makes it with `wasm-smith`, or it has a shape
that costs a validator, an optimizer or a compiler much (`*_shapes.py`), of any size. A fifth of the
programs have their bytes changed. The real edgec builds each with a throwaway key and low limits.
law.py says what must hold. What does not is printed with its seed and kept, and the run goes on.
Exit codes: 0 no finding, 1 findings, 3 something is missing.

edgec is `--edgec`, or `EDGEC`, or target/release/edgec. The bounds hold for a release build on a
machine that does nothing else; `--allowance` gives others more time.
"""

import argparse
import collections
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import law
import tree
from case import case
from generated import Generator

REPOSITORY = Path(__file__).resolve().parents[2]
# How often a run prints its progress, in seconds.
NEWS = 60
# Set when no further case may begin.
stop = threading.Event()


class Tools:
    """The programs and the key of a run."""

    def __init__(self, edgec, folder):
        self.edgec = edgec
        self.key, self.public = folder / "soak.pem", folder / "soak.pub.pem"
        kept = ["PATH", "LD_LIBRARY_PATH", "RAYON_NUM_THREADS", "BINARYEN_CORES"]
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment["CI"] = "true"
        # Each build does all of its work.
        self.environment["EDGEC_CACHE"] = "off"
        made = subprocess.run([edgec, "keygen", "-o", self.key], capture_output=True)
        if made.returncode != 0:
            raise SystemExit(f"edgec keygen failed: {made.stderr.decode(errors='replace')}")


class Run:
    """The cases of a run. Several threads try them."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.tools = Tools(options.edgec, folder)
        self.generator = Generator(options.generator)
        self.bounds = law.Bounds(
            options.seconds, options.memory, options.allowance, options.own_memory, options.together
        )
        self.results = collections.Counter()
        self.findings = 0
        # The maxima: value, seed and how the program was made.
        self.slowest, self.largest = [], []
        self.begin = self.news = time.monotonic()
        self._next = options.seed
        self._lock = threading.Lock()

    def work(self):
        """Tries cases until none is left."""
        while (seed := self._take()) is not None:
            tried = case(seed, self.generator.program, self.options.only)
            folder = self.folder / str(seed)
            folder.mkdir()
            verdict = law.check(tried, folder, self.tools, self.bounds)
            with self._lock:
                self._note(tried, verdict)
            shutil.rmtree(folder, ignore_errors=True)

    def _take(self):
        with self._lock:
            passed = time.monotonic() - self.begin
            options = self.options
            if stop.is_set():
                return None
            if options.minutes is not None and passed >= options.minutes * 60:
                return None
            if options.count is not None and self._next >= options.seed + options.count:
                return None
            self._next += 1
            return self._next - 1

    def _note(self, tried, verdict):
        ended = verdict.ended
        self.results[verdict.result] += 1
        for list_, value in ((self.slowest, ended.seconds), (self.largest, ended.peak)):
            list_.append((value, tried.seed, tried.what, verdict.result))
            list_.sort(reverse=True)
            del list_[5:]
        if verdict.findings:
            self.findings += 1
            self._keep(tried, verdict)
        if self.options.verbose:
            size = len(tried.program)
            what = f"{tried.seed}: {tried.what}, {size} bytes: {verdict.result}"
            print(f"{what}, {_took(ended)}", flush=True)
        elif time.monotonic() - self.news > NEWS:
            self.news = time.monotonic()
            passed = (self.news - self.begin) / 60
            cases = f"{self.results.total()} cases, {self.findings} findings"
            print(f"{passed:.0f} min: {cases}", flush=True)

    def _keep(self, tried, verdict):
        """Prints a finding, and keeps the program and its output."""
        kept = self.options.findings / str(tried.seed)
        kept.mkdir(parents=True, exist_ok=True)
        (kept / tried.file).write_bytes(tried.program)
        folder = str(self.folder / str(tried.seed))
        command = shlex.join(verdict.ended.command).replace(folder, ".")
        again = [Path(__file__).resolve().relative_to(REPOSITORY), "--seed", tried.seed]
        again += ["--count", 1, "--edgec", self.options.edgec]
        if self.options.only:
            again += ["--only", self.options.only]
        again = shlex.join(map(str, again))
        title = f"seed {tried.seed}: {tried.what}, {len(tried.program)} bytes"
        lines = [f"{title}, {_took(verdict.ended)}"]
        lines += [f"  FOUND: {finding}" for finding in verdict.findings]
        lines += [f"  again: {again}", f"  build: {command}", f"  kept:  {kept / tried.file}"]
        print("\n".join(lines), flush=True)
        said = verdict.ended.stdout[-20_000:] + verdict.ended.stderr[-20_000:]
        (kept / "finding.txt").write_bytes("\n".join(lines).encode() + b"\n\n" + said)

    def close(self):
        """Prints the totals."""
        print(f"{self.results.total()} cases in {time.monotonic() - self.begin:.0f} s:")
        for result, count in self.results.most_common():
            print(f"  {count:6} {result}")
        for title, unit, rows in (("slowest", "s", self.slowest), ("largest", "MiB", self.largest)):
            print(f"{title}:")
            for value, seed, what, result in rows:
                print(f"  {value:6.1f} {unit}  seed {seed}, {what}: {result}")


def _took(ended):
    each = ", ".join(f"{role} {memory:.0f}" for role, memory in sorted(ended.largest.items()))
    return f"{ended.seconds:.1f} s, {ended.peak:.0f} MiB ({each})"


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="edgec-soak-")).resolve()
    threads, failures = [], []
    try:
        run = Run(options, folder)
        bounds = run.bounds
        print(
            f"each build: {bounds.seconds} s and {bounds.allowance:g} s for the rest; "
            f"{bounds.memory} MiB a worker, {bounds.own_memory} MiB for edgec itself, "
            f"{bounds.whole()} MiB in all",
            flush=True,
        )

        def work():
            try:
                run.work()
            except Exception as error:
                failures.append(error)

        threads += (threading.Thread(target=work, daemon=True) for _ in range(options.jobs))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.close()
    finally:
        # Everything ends, interrupted or not.
        stop.set()
        tree.end_all()
        for thread in threads:
            thread.join(10)
        shutil.rmtree(folder, ignore_errors=True)
    if failures:
        raise failures[0]
    print(f"{run.findings} findings" if run.findings else "no finding")
    return 1 if run.findings else 0


def arguments():
    processors = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description="Build programs that cost much, under low limits.")
    edgec = os.environ.get("EDGEC", REPOSITORY / "target/release/edgec")
    add = parser.add_argument
    add("--edgec", type=Path, default=edgec)
    add("--generator", type=Path, help="the program of tests/generator (built if not given)")
    add("--seed", type=int, default=0, help="the first seed")
    add("--count", type=int, help="how many programs (100, unless --minutes is given)")
    add("--minutes", type=float, help="go on for so long")
    add("--jobs", type=int, default=1, help="builds at a time; more need a longer --allowance")
    add("--only", default="", help="only shapes with this in their names")
    add("--findings", type=Path, default=Path("soak-findings"), help="where findings are kept")
    add("--seconds", type=int, default=5, help="edgec's limit on time")
    add("--memory", type=int, default=512, help="edgec's limit on a worker's memory, in MiB")
    add("--allowance", type=float, default=5, help="seconds for the rest of a build")
    add("--own-memory", type=int, default=256, help="what edgec itself may take, in MiB")
    add("--together", type=int, default=min(4, processors), help="workers at a time")
    add("--verbose", action="store_true", help="a line for each program")
    options = parser.parse_args()
    if options.count is None and options.minutes is None:
        options.count = 100
    options.edgec = Path(options.edgec).resolve()
    if not options.edgec.is_file():
        print(f"error: {options.edgec} is not there: name it with --edgec", file=sys.stderr)
        raise SystemExit(3)
    return options


if __name__ == "__main__":
    sys.exit(main())
