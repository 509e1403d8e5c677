"""Builds a component with its core modules merged and not merged, and compares what each does."""

import http.client
import re
import subprocess
import tempfile
import time
from pathlib import Path

from guests import machine
from stages import Step

# How long a server may take to start, in seconds.
START = 120

# Arguments and standard input of commands.
RUNS = [
    ([], ""),
    (["one", "two"], "a text, a text, a text that repeats itself, itself\n"),
    (["1", "2", "3"], "# Title\n\nText with *stress*, `code` and a [link](x).\n\n- one\n- two\n"),
    (["[1,2,3].map(x => x ** 10).join()"], "fail\n"),
    (["throw new Error('on purpose')"], ""),
]
# Method, path and body of requests.
REQUESTS = [
    ("GET", "/", b""),
    ("POST", "/path/to?query=1", b"some words and more words"),
    ("POST", "/long", b"0123456789 abcdefghij " * 3000),
    ("GET", "/fail/on/purpose", b""),
    ("GET", "/after/a/failure", b""),
]
# Components of which core modules must be merged. Those of 0.263 have as few as the merge makes.
MERGES = ("python-", "program-254", "program-256", "base-256", "c-")


def component(path, edgec, stock, folder):
    """Builds and runs a component. Returns a line about it, and the differences."""
    name, differences = path.stem, []
    serves = "-http" in name
    # This engine's commands import `wasi:http`, which `edgec run` does not have.
    only_stock = name.startswith("javascript-")
    built, merged = {}, None
    for how, options in (("apart", ["--no-flatten"]), ("merged", [])):
        output = folder / f"{name}-{how}"
        entry = {"name": name, "options": ["-O1", "--target", machine(), *options]}
        step, stated = edgec.build(entry, path, "default", output)
        if step.code != 0 or "error" in stated:
            return f"{name}: not built", [f"{how}: {stated.get('error') or step.said()}"]
        # All files get the same name, since programs print it.
        built[how] = next(output.glob("*.cwasm")).rename(output / f"{name}.cwasm")
        merged = stated["built"].get("flatten") or {"merged": 0}
        if how == "apart" and merged["merged"] > 0:
            differences.append("merged with --no-flatten")
    if any(name.startswith(start) for start in MERGES) and merged["merged"] == 0:
        differences.append(f"no core module is merged: {merged}")
    theirs = folder / f"{name}-stock" / f"{name}.cwasm"
    theirs.parent.mkdir()
    step = Step([stock, "compile", "-o", theirs, path])
    if step.code != 0:
        return f"{name}: stock Wasmtime refuses it", [step.said()]
    observe = served if serves else commands
    right = observe([stock], theirs)
    seen = {f"stock Wasmtime, {how}": observe([stock], artifact) for how, artifact in built.items()}
    if not serves and not only_stock:
        program = [edgec.program, "run", "--key", edgec.public]
        for how, artifact in built.items():
            seen[f"edgec, {how}"] = observe(program, artifact)
    for who, found in seen.items():
        for given, one, other in zip(RUNS if not serves else REQUESTS, found, right):
            if one != other:
                differences.append(f"{who}, {given}: {one!r:.300}, not {other!r:.300}")
    count = f"{merged.get('instancesBefore', '?')} -> {merged.get('instancesAfter', '?')}"
    return f"{name:32} {count:>12} core instances, {len(right)} runs", differences


def commands(host, artifact):
    """What a command prints, and its exit code, for each run."""
    found = []
    for arguments, stdin in RUNS:
        command = list(host)
        if len(host) == 1:
            command += ["run", "--allow-precompiled", "-S", "http"]
        step = Step(command + [artifact, "--", *arguments] if len(host) > 1 else
                    command + [artifact, *arguments], input=stdin.encode(), timeout=600)
        # If a program traps, the hosts have different messages.
        found.append((step.code, step.stdout, step.stderr if step.code == 0 else b""))
    return found


def served(host, artifact):
    """The answers to each request. Each is answered by an instance of its own."""
    options = ["serve", "-S", "cli", "--allow-precompiled", "--max-instance-reuse-count", "1"]
    with tempfile.TemporaryFile() as log:
        command = [*host, *options, "--addr", "127.0.0.1:0", artifact]
        server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        try:
            port = port_of(server, log)
            return [answer(port, *request) for request in REQUESTS]
        finally:
            server.kill()
            server.wait()


def port_of(server, log):
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        log.seek(0)
        found = re.search(rb"http://127\.0\.0\.1:(\d+)/", log.read())
        if found:
            return int(found[1])
        time.sleep(0.05)
    log.seek(0)
    raise SystemExit(f"the server does not start: {log.read()[-1000:]!r}")


def answer(port, method, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body or None, {"content-type": "text/plain"})
        response = connection.getresponse()
        headers = sorted((name, value) for name, value in response.getheaders() if name != "date")
        return response.status, headers, response.read()
    except (http.client.HTTPException, OSError) as error:
        return type(error).__name__
    finally:
        connection.close()
