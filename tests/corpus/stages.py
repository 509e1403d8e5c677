"""Builds a program with edgec and with stock Wasmtime, and measures the time.

After every build, a pipeline's and a host's steps follow: verify, audit, compile again and compare.
"""

import json
import os
import resource
import subprocess
import time
from pathlib import Path

PROFILES = ("default", "edge")
TARGETS = {
    "x86_64": "x86_64-unknown-linux-gnu",
    "aarch64": "aarch64-unknown-linux-gnu",
}


def parsed(parser):
    """Parses the arguments, with the options that name edgec and stock Wasmtime."""
    edgec = os.environ.get("EDGEC", "target/release/edgec")
    parser.add_argument("--edgec", type=Path, default=edgec)
    parser.add_argument("--stock", type=Path, help="a Wasmtime 48 instead of the one from PyPI")
    options = parser.parse_args()
    options.edgec = Path(options.edgec).resolve()
    if not options.edgec.is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    return options


class Step:
    """A command that ended."""

    def __init__(self, command, **options):
        before, begin = _cpu(), time.monotonic()
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, **options)
            self.code, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            self.code, self.stdout, self.stderr = "timeout", late.stdout or b"", b""
        self.wall = time.monotonic() - begin
        self.cpu = _cpu() - before

    def said(self):
        text = (self.stderr or self.stdout).decode(errors="replace").strip()
        return text.splitlines()[0] if text else f"exit code {self.code}, no message"


def _cpu():
    """User and system time of all ended child processes, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def allowed(entry):
    """The options that let the profile `edge` build a program which advisories concern."""
    return [f"--allow-advisory={name}" for name in entry.get("advisories", [])]


class Edgec:
    """The program under test, with its own key."""

    def __init__(self, program, folder):
        # Each build does all of its work.
        os.environ["EDGEC_CACHE"] = "off"
        self.program = program
        self.key = folder / "corpus.pem"
        self.public = folder / "corpus.pub.pem"
        made = Step([program, "keygen", "-o", self.key])
        if made.code != 0:
            raise SystemExit(f"edgec keygen failed: {made.said()}")

    def build(self, entry, path, profile, folder):
        """The step, and what the build reports as JSON."""
        step = Step(
            [self.program, "build", path, "--format", "json", "--profile", profile]
            + ["--name", f"corpus/{entry['name']}", "--key", self.key, "-o", folder]
            + entry.get("options", [])
            + (allowed(entry) if profile == "edge" else [])
        )
        try:
            stated = json.loads(step.stdout)["inputs"][0]
        except (ValueError, LookupError):
            stated = {"error": {"code": "no-report", "message": step.said()}}
        return step, stated

    def cache(self, step):
        """How much a build used the cache: `hits` and `misses`."""
        return json.loads(step.stdout)["cache"]

    def check(self, path, artifacts):
        """Does what a pipeline and a host do with the artifacts. Yields the problems."""
        common = [self.program, "verify", "--quiet", "--key", self.public]
        for name, command in (
            ("verify", common + artifacts),
            ("audit", [self.program, "audit", *artifacts]),
            ("rebuild", common + ["--rebuild", path, *artifacts]),
        ):
            step = Step(command)
            if step.code != 0:
                yield f"{name}: {step.said()}"


class Stock:
    """Stock Wasmtime's command line."""

    def __init__(self, program):
        self.program = program

    def compile(self, entry, path, folder):
        """Compiles for both CPUs. Returns the steps by target, and the first error or `None`."""
        folder.mkdir(parents=True, exist_ok=True)
        steps = {}
        for target, triple in TARGETS.items():
            output = folder / f"{entry['name']}.{target}.cwasm"
            command = [self.program, "compile", "--target", triple, "-o", output, path]
            steps[target] = Step(command)
        failed = [step for step in steps.values() if step.code != 0]
        return steps, (failed[0].said() if failed else None)
