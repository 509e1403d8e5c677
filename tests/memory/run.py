#!/usr/bin/env python3
"""Builds a project of large components on a small machine, and prints the peak of its memory.

    tests/memory/run.py                     three programs of 18 to 25 MiB, within 4 GiB
    tests/memory/run.py --copies 2          each of them twice
    tests/memory/run.py elastix cpython     other programs of the corpus
    tests/memory/run.py --mib 3072 a.wasm   any programs, within 3 GiB

The bound holds for all processes together, if the machine lets this script make a control group: as
root, or with `systemd-run --user`. Otherwise nothing enforces it: edgec is told how much it has
(`--memory`), this script measures, and stops the build if it takes more. The script says which of
them it was. The build has no cache, so it does all of its work.

Exit codes: 0 the build ended within the bound, 1 it did not, 3 a program cannot be fetched. It
takes ten minutes or more, so no other test runs it. edgec is `--edgec`, or `EDGEC`, or
target/release/edgec.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
for other in ("corpus", "soak"):
    sys.path.insert(0, str(HERE.parent / other))

import fetch  # noqa: E402  (these are beside this folder)
import tree  # noqa: E402

# Programs of the corpus: an interpreter with its files, much C++ code, CPython as a component.
PROGRAMS = ["cpython", "elastix", "componentize-py"]
# What edgec takes of the memory that is available (docs/project.md).
PART = 3 / 4


@dataclass
class Kind:
    """A version of control groups, and the names of its files."""

    root: Path
    limit: str
    swap: str
    peak: str


GROUPS = [
    Kind(Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max", "memory.peak"),
    Kind(
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.max_usage_in_bytes",
    ),
]


@dataclass
class Group:
    """A control group that this script made."""

    path: Path
    kind: Kind

    def peak(self):
        """The peak of its memory in bytes. `None` if the system does not tell it."""
        file = self.path / self.kind.peak
        return int(file.read_text()) if file.exists() else None


# Seconds: far more than needed, so that a build that hangs ends.
MOST_TIME = 6 * 3600


def main():
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="edgec-memory-"))
    group = None
    try:
        programs = [program(name) for name in options.programs or PROGRAMS]
        group, before, how = bound(options.mib)
        ended = build(programs, options, folder, before, group is None and not before)
        return told(ended, options, how, group)
    except fetch.FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    finally:
        if group is not None:
            group.path.rmdir()
        shutil.rmtree(folder, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description="Build large components within little memory.")
    parser.add_argument("programs", nargs="*", help="names of the corpus, or files")
    parser.add_argument("--mib", type=int, default=4096, help="the memory in MiB")
    parser.add_argument("--copies", type=int, default=1, help="how often each program is built")
    parser.add_argument("--edgec", default=os.environ.get("EDGEC", "target/release/edgec"))
    options = parser.parse_args()
    options.edgec = Path(options.edgec).resolve()
    if not options.edgec.is_file():
        parser.error(f"{options.edgec} is not there: name the program with --edgec")
    return options


def program(name):
    """The path of a file, or of a program of the corpus."""
    if Path(name).is_file():
        return Path(name).resolve()
    listed = tomllib.loads((HERE.parent / "corpus" / "programs.toml").read_text())["program"]
    found = [entry for entry in listed if entry["name"] == name]
    if not found:
        raise SystemExit(f"{name} is neither a file nor a program of the corpus")
    return fetch.program(found[0])


def bound(mib):
    """A control group with the bound or `None`, what to write before the command, and a text."""
    for kind in GROUPS:
        group = kind.root / f"edgec-memory-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        # In a folder that is no control group, this file would be missing.
        if not (group / kind.limit).exists():
            group.rmdir()
            continue
        try:
            for name in (kind.limit, kind.swap):
                if (group / name).exists():
                    (group / name).write_text("0" if name == "memory.swap.max" else str(mib << 20))
        except OSError:
            group.rmdir()
            continue
        # A shell enters the group, and becomes the command.
        enter = f'echo $$ >{group}/cgroup.procs && exec "$@"'
        return Group(group, kind), ["sh", "-c", enter, "sh"], f"a control group of {mib} MiB"
    scope = ["systemd-run", "--user", "--scope", "--quiet", "-p", f"MemoryMax={mib}M"]
    scope += ["-p", "MemorySwapMax=0"]
    works = shutil.which(scope[0]) and subprocess.run([*scope, "true"], capture_output=True)
    if works and works.returncode == 0:
        return None, scope, f"a scope of systemd with {mib} MiB"
    return None, [], f"nothing enforces {mib} MiB: edgec is told, and the build is measured"


def build(programs, options, folder, before, is_told):
    """Builds all programs as one project, for both CPUs."""
    lines = ["schema = 1", "[project]", 'key = "key.pem"', 'targets = ["x86_64", "aarch64"]']
    for copy in range(options.copies):
        for number, path in enumerate(programs):
            name = f"program-{number}-{copy}"
            (folder / f"{name}.wasm").symlink_to(path)
            lines += ["[[component]]", f'name = "{name}"', f'input = "{name}.wasm"']
            print(f"{name}: {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    (folder / "edgec.toml").write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "EDGEC_CACHE": "off", "TMPDIR": str(folder)}
    subprocess.run(
        [options.edgec, "keygen", "-o", "key.pem"], cwd=folder, check=True, capture_output=True
    )
    command = [*before, options.edgec, "build", "--quiet"]
    if is_told:
        command += ["--memory", str(int(options.mib * PART))]
    # If nothing else enforces the bound, too much memory ends the build here.
    most = options.mib if is_told else math.inf
    return tree.run(command, folder, environment, MOST_TIME, most)


def told(ended, options, how, group):
    """Prints the outcome."""
    print(f"bound: {how}")
    print(f"peak of all processes together: {ended.peak:.0f} MiB, in {ended.seconds:.0f} s")
    for role, most in sorted(ended.largest.items(), key=lambda it: -it[1]):
        print(f"  largest {role}: {most:.0f} MiB")
    peak = group.peak() if group is not None else None
    if peak is not None:
        # The kernel gives up what it keeps of files when processes need the memory.
        print(f"peak of the control group: {peak >> 20} MiB, files that the kernel keeps included")
    problems = ended.problems
    if ended.code != 0:
        problems = [f"exit code {ended.code}", *problems]
        print(ended.stderr.decode(errors="replace"), end="")
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
