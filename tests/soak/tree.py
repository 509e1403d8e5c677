"""Runs a command and measures the whole tree of its processes from outside.

Memory is sampled every few milliseconds: the sum over all processes of what is theirs alone and of
their share in the rest (PSS). Who may not read that of a process, since it closed itself to others
and this is not root, takes what no file backs, of every process, and the largest part that files
do. Peaks between two samples are missed.

Source: `proc_pid_status(5)`, `proc_pid_smaps(5)`, `proc_pid_stat(5)`.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PERIOD = 0.005
# How long processes may take to end after their parent process ended, in seconds.
GRACE = 2

# The running commands.
_running = set()


@dataclass
class Ended:
    """A command that ended. `code` is negative for a signal; memory is in MiB."""

    command: list
    code: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    # The largest private memory of a process, by its role.
    largest: dict = field(default_factory=dict)
    stdout: bytes = b""
    stderr: bytes = b""
    # Problems seen from outside: it was stopped, or left processes behind.
    problems: list = field(default_factory=list)


def run(command, folder, environment, most_seconds, most_memory):
    """Runs a command in a folder. Stops it if it takes more time or memory than the limits."""
    ended = Ended([str(part) for part in command])
    streams = [folder / "stdout", folder / "stderr"]
    begin = time.monotonic()
    with streams[0].open("wb") as out, streams[1].open("wb") as err:
        process = subprocess.Popen(
            ended.command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        _running.add(process.pid)
        try:
            while process.poll() is None:
                _sample(process.pid, ended)
                ended.seconds = time.monotonic() - begin
                if ended.seconds > most_seconds:
                    ended.problems.append(f"did not end: stopped after {ended.seconds:.0f} s")
                    break
                if ended.peak > most_memory:
                    ended.problems.append(f"took {ended.peak:.0f} MiB, and was stopped")
                    break
                time.sleep(PERIOD)
            ended.seconds = time.monotonic() - begin
        finally:
            if process.poll() is None:
                _end(process.pid)
            ended.code = process.wait()
            _running.discard(process.pid)
    late = time.monotonic() + GRACE
    while _of_session(process.pid) and time.monotonic() < late:
        time.sleep(0.02)
    left = _of_session(process.pid)
    if left and not ended.problems:
        roles = ", ".join(_role(_words(number)) for number in left)
        ended.problems.append(f"left {len(left)} processes behind: {roles}")
    for number in left:
        _end(number)
    ended.stdout, ended.stderr = (path.read_bytes() for path in streams)
    for path in streams:
        path.unlink()
    return ended


def end_all():
    """Ends the running commands."""
    for number in list(_running):
        _end(number)


def _sample(root, ended):
    words = {number: _words(number) for number in _tree(root)}
    # A process that has not started its program yet still has the memory of its parent.
    begun = [[], words[root]]
    numbers = [number for number in words if number == root or words[number] not in begun]
    resident = {number: _resident(number) for number in numbers}
    for number, (private, _) in resident.items():
        role = "edgec" if number == root else _role(words[number])
        ended.largest[role] = max(ended.largest.get(role, 0), private / 1024)
    if sum(sum(kinds) for kinds in resident.values()) / 1024 <= ended.peak:
        # The sum of shares is no larger than this.
        return
    shares = [_share(number) for number in numbers]
    if None not in shares:
        total = sum(shares)
    else:
        total = sum(private for private, _ in resident.values())
        total += max((files for _, files in resident.values()), default=0)
    ended.peak = max(ended.peak, total / 1024)


def _tree(root):
    """The process and all of its descendants."""
    numbers = [root]
    for number in numbers:
        try:
            for thread in os.listdir(f"/proc/{number}/task"):
                children = Path(f"/proc/{number}/task/{thread}/children").read_text()
                numbers += map(int, children.split())
        except OSError:
            # It has ended.
            pass
    return numbers


def _resident(number):
    """The memory of a process in KiB: the part without a file behind it, and the part with one."""
    kinds = {}
    try:
        for line in Path(f"/proc/{number}/status").read_text().splitlines():
            if line.startswith("Rss"):
                title, rest = line.split(":")
                kinds[title] = int(rest.split()[0])
    except OSError:
        pass
    return kinds.get("RssAnon", 0) + kinds.get("RssShmem", 0), kinds.get("RssFile", 0)


def _share(number):
    """The memory of a process in KiB; shared pages count in part. `None` if it cannot be read."""
    try:
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except PermissionError:
        return None
    except OSError:
        pass
    return 0


def _words(number):
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def _role(words):
    """The role of a process of edgec, such as `__precompile`."""
    return b" ".join(words[1:2]).decode(errors="replace") or "unknown"


def _of_session(leader):
    """The processes of a session that have not ended."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        state, _, _, session = text.rpartition(")")[2].split()[:4]
        if int(session) == leader and state not in "ZX":
            found.append(int(entry))
    return found


def _end(number):
    """Ends a process, and its group if it leads one."""
    for end in (os.killpg, os.kill):
        try:
            end(number, signal.SIGKILL)
        except OSError:
            pass
