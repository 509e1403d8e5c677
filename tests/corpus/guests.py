"""Runs a program under edgec and under stock Wasmtime, and compares.

`edgec run` runs commands. If a core module is not a command, stock Wasmtime loads both edgec's
artifact and stock's own, and calls a function or the start function of each.
"""

import platform
import tempfile
from pathlib import Path

from stages import Step


def machine():
    return {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}.get(platform.machine())


def inputs(entry):
    """Every run of a program: arguments, standard input, files, function."""
    for run in entry.get("run", []):
        for text in run.get("each", [None]):
            fill = lambda part, text=text: part if text is None else part.replace("{}", text)
            yield {
                "arguments": [fill(part) for part in run.get("arguments", [])],
                "stdin": fill(run.get("stdin", "")),
                "files": run.get("files", {}),
                "invoke": run.get("invoke"),
                "host": run.get("host", "edgec"),
            }


def compare(entry, edgec, stock, ours, theirs):
    """Runs all inputs. Returns how many there were, and what differed."""
    count, differences = 0, []
    for given in inputs(entry):
        count += 1
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            found = run(given, edgec, stock, ours, Path(a))
            right = run(given, edgec=None, stock=stock, artifact=theirs, folder=Path(b))
            shown = " ".join(given["arguments"]) or given["invoke"] or given["stdin"][:40]
            for what, one, other in outcomes(found, right, Path(a), Path(b)):
                differences.append(f"`{shown}`: {what} {one}, stock {other}")
    return count, differences


def run(given, edgec, stock, artifact, folder):
    for name, text in given["files"].items():
        (folder / name).write_text(text)
    directory = f"{folder}::."
    if edgec is not None and given["host"] == "edgec" and given["invoke"] is None:
        # After `--`, `--help` belongs to the program.
        command = [edgec.program, "run", "--key", edgec.public, "--dir", directory, artifact, "--"]
    else:
        command = [stock.program, "run", "--allow-precompiled", "--dir", directory]
        command += ["-W", "unknown-imports-trap=y"] if given["host"] == "stock" else []
        command += ["--invoke", given["invoke"]] if given["invoke"] else []
        command += [artifact]
    return Step(command + given["arguments"], input=given["stdin"].encode(), timeout=600)


def outcomes(found, right, ours, theirs):
    """The differences: exit code, standard output, standard error of a good run, files."""
    if found.code != right.code:
        yield "exit code", found.code, right.code
    if found.stdout != right.stdout:
        yield "stdout", shortened(found.stdout), shortened(right.stdout)
    # If a program traps, the hosts have different messages.
    if found.code == right.code == 0 and found.stderr != right.stderr:
        yield "stderr", shortened(found.stderr), shortened(right.stderr)
    for name in sorted({path.name for folder in (ours, theirs) for path in folder.iterdir()}):
        one, other = ours / name, theirs / name
        one = one.read_bytes() if one.is_file() else None
        other = other.read_bytes() if other.is_file() else None
        if one != other:
            yield f"the file {name}", shortened(one), shortened(other)


def shortened(content):
    if content is None:
        return "absent"
    text = content[:60].decode(errors="replace")
    return f"{len(content)} bytes {text!r}"
