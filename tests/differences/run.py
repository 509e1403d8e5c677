#!/usr/bin/env python3
"""Measures what a host fetches if it has a similar image, and checks it against the goals.

    tests/differences/run.py --edgec EDGEC
    tests/differences/run.py --edgec EDGEC rust          only pairs whose names contain this
    tests/differences/run.py --edgec EDGEC --document docs/differences.md

For each pair of programs and each target, edgec builds both and pushes the second to an OCI layout,
with the first as base. Then a host that has the first pulls the second, once with differences and
once without, in turn. The store verifies both. Times and peaks of memory are medians: of the whole
process that pulls, as the system counts it, from a folder, so without a network. All settings of
the build are those that users get, unless `--settings` names others, such as `-O0`.

It needs Node, npm and root on Debian for the toolchains. Exit codes: 0 all is within the goals, 1
it is not, 3 a program cannot be made.
"""

import argparse
import dataclasses
import hashlib
import itertools
import json
import os
import re
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from pairs import make, pairs  # noqa: E402  (beside this file)

# The targets, and what a host needs to run them.
FEATURES = {
    "x86_64": ["cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"],
    "aarch64": [],
}
TARGETS = tuple(FEATURES)


class Failed(Exception):
    """edgec did something else than is expected."""


def main():
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="edgec-differences-"))
    rows, failures = [], []
    try:
        edgec = Edgec(options.edgec, folder, options.settings)
        for pair in pairs(options.programs, options.guests, options.names):
            for target in options.target or TARGETS:
                row = measure(edgec, pair, target, folder, options.times)
                rows.append(row)
                print(row.line(), flush=True)
                if row.ratio > pair.goal:
                    failures.append(f"{pair.what}, {target}: {row.ratio:.3f} > {pair.goal}")
    except make.MakeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.document:
        replace(options.document, options.table, rows)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


@dataclasses.dataclass
class Pull:
    """What a pull of an image took."""

    bytes: int
    seconds: float
    peak: int


@dataclasses.dataclass
class Row:
    what: str
    target: str
    goal: float
    image: int
    whole: Pull
    difference: Pull

    @property
    def ratio(self):
        return self.difference.bytes / self.whole.bytes

    def cells(self):
        mib = lambda number: f"{number / (1 << 20):.0f} MiB"
        kb = lambda number: f"{number / 1000:,.0f} kB"
        return (
            self.what,
            self.target,
            kb(self.image),
            kb(self.whole.bytes),
            kb(self.difference.bytes),
            f"{self.ratio:.4f}",
            f"{self.goal:.2f}",
            f"{self.difference.seconds:.3f} s, {mib(self.difference.peak)}",
            f"{self.whole.seconds:.3f} s, {mib(self.whole.peak)}",
        )

    def line(self):
        return " | ".join(self.cells())


HEAD = (
    "pair",
    "target",
    "image",
    "whole, compressed",
    "difference",
    "ratio",
    "goal",
    "pull of the difference",
    "pull of the whole",
)


class Edgec:
    """The edgec under test, with a key of its own."""

    def __init__(self, program, folder, settings):
        self.program, self.folder = Path(program).resolve(), folder
        self.settings = settings
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EDGEC_")}
        self.environment = kept | {"EDGEC_CACHE": "off"}
        self.run("keygen", "-o", folder / "key.pem")

    def run(self, *arguments):
        """Runs it to the end. Returns its output, seconds, and peak of memory in bytes."""
        command = [str(self.program), *map(str, arguments)]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            begin = time.monotonic()
            into = ((1, out), (2, err))
            actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in into]
            child = os.posix_spawn(command[0], command, self.environment, file_actions=actions)
            _, status, used = os.wait4(child, 0)
            took = time.monotonic() - begin
            out.seek(0), err.seek(0)
            if status != 0:
                said = err.read().decode(errors="replace")[-2000:]
                raise Failed(f"{shlex.join(command)}: status {status}\n{said}")
            return out.read().decode(), took, used.ru_maxrss * 1024

    def artifact(self, program, name, version, target):
        """An artifact of a program, built once."""
        # Programs of different pairs can have one name.
        digest = hashlib.sha256(program.read_bytes()).hexdigest()[:16]
        output = self.folder / f"{Path(name).name}-{digest}-{version}-{target}.cwasm"
        if not output.is_file():
            key = self.folder / "key.pem"
            options = ["-q", "--key", key, "--name", name, "--app-version", version, "-t", target]
            self.run("build", *options, *self.settings, "-o", output, program)
        return output

    def host(self, target):
        """The profile of a host with what the target needs."""
        path = self.folder / f"{target}.toml"
        engine = json.loads(self.run("host", "--format", "json")[0])["profile"]["engine"]
        path.write_text(
            f"schema = 1\nname = 'pop'\narch = '{target}'\n"
            f"features = {json.dumps(FEATURES[target])}\n"
            f"page-size = 4096\nengine = '{engine}'\nprofiles = ['default', 'edge']\n"
        )
        return path


def measure(edgec, pair, target, folder, times):
    """Builds both programs, and pulls the second in both ways."""
    base = edgec.artifact(pair.base, f"example/{pair.base.stem}", 1, target)
    new = edgec.artifact(pair.new, f"example/{pair.new.stem}", 2, target)
    work = Path(tempfile.mkdtemp(dir=folder))
    layout = f"oci-layout:{work / 'layout'}"
    edgec.run("push", "-q", f"{layout}:base", base)
    edgec.run("push", "-q", "--base", base, f"{layout}:new", new)
    host = edgec.host(target)
    key = ["--key", folder / "key.pub.pem", "--host", host]
    ways = {"difference": [], "whole": ["--no-differences"]}
    tried = {way: [] for way in ways}
    # In turn, so that what else the machine does meets both.
    for number, (way, options) in itertools.product(range(times), ways.items()):
        store = work / f"{way}-{number}"
        edgec.run("pull", "-q", "--store", store, *key, f"{layout}:base")
        wanted = ["--store", store, "--format", "json", *options, *key]
        out, took, peak = edgec.run("pull", "-q", *wanted, f"{layout}:new")
        artifact = json.loads(out)["artifacts"][-1]
        if artifact["way"] != way:
            raise Failed(f"{pair.what}: the image came as {artifact['way']}, not as {way}")
        tried[way].append(Pull(artifact["bytesFetched"], took, peak))
        image = artifact["imageBytes"]
        shutil.rmtree(store)
    shutil.rmtree(work)
    whole, difference = (middle(tried[way]) for way in ("whole", "difference"))
    return Row(pair.what, target, pair.goal, image, whole, difference)


def middle(pulls):
    """The medians of several pulls of the same bytes."""
    of = lambda field: statistics.median(getattr(pull, field) for pull in pulls)
    return Pull(pulls[0].bytes, of("seconds"), of("peak"))


def replace(document, name, rows):
    """Writes the table between `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = document.read_text()
    if not pattern.search(text):
        sys.exit(f"{document} has no {begin}")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{table}\n\n{end}", text))


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--edgec", type=Path, required=True)
    parser.add_argument("--guests", type=Path, help="the folder of guests [default: beside it]")
    parser.add_argument("--programs", type=Path, help="keep programs that were made here")
    parser.add_argument("--target", action="append", choices=TARGETS)
    parser.add_argument("--times", type=int, default=3, help="pulls in each way [default: 3]")
    parser.add_argument("--settings", type=shlex.split, default=[], help="of `edgec build`")
    parser.add_argument("--document", type=Path, help="replace the table in this document")
    parser.add_argument("--table", default="table", help="the name of the table [default: table]")
    options = parser.parse_args()
    beside = HERE.parent.parent.parent / "shared" / "guests"
    options.guests = options.guests or (beside if beside.is_dir() else None)
    options.programs = options.programs or make.cache() / "differences"
    return options


if __name__ == "__main__":
    sys.exit(main())
