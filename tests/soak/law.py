"""What holds for every build, whatever the program is.

A build ends in time and within its memory, with success or an error that has a name. If it fails,
it leaves nothing behind and changes nothing; if it succeeds, its artifacts verify.
"""

import re
from dataclasses import dataclass, field

import tree

# A file that edgec takes for an artifact when it replaces it (tests/src/lib.rs, OLD_ARTIFACT).
OLD_ARTIFACT = b"old\x89edgec\r\n"
# Messages that no user may see: an input is never a defect of edgec, and no tool may crash on it.
_NEVER = ["panicked at", "RUST_BACKTRACE", "stack backtrace", "defect"]
_CRASHES = ["internal", "compile-crash", "optimize-crash", "validate-crash"]
# The maximum output of a build, in bytes.
_PRINTED = 8 << 20
_NAMED = re.compile(rb"(?m)^error\[([a-z0-9-]+)\]: ")
# The promises of docs/threat-model.md for a file of a few megabytes: MiB, seconds, bytes.
_VERB_MEMORY, _VERB_SECONDS, _FEW = 256, 10, 4 << 20
# A sample is not exact, and a limit on memory does not count the stack.
_INEXACT = 16


@dataclass
class Bounds:
    """The limits of a build."""

    # The limits in edgec's options, in seconds for a program and MiB for each worker.
    seconds: int
    memory: int
    # The allowance for everything else in the build.
    allowance: float
    own_memory: int
    # How many workers may use all of their memory at the same time.
    together: int

    def whole(self):
        """The memory of all processes, in MiB."""
        return self.memory * self.together + self.own_memory


@dataclass
class Verdict:
    """The result of a case."""

    # The result for statistics: the name of an error, or that it was built.
    result: str
    ended: tree.Ended
    findings: list = field(default_factory=list)


def check(case, folder, tools, bounds):
    """Builds the program of a case in a folder, and returns the laws that are broken."""
    (folder / case.file).write_bytes(case.program)
    (folder / "tmp").mkdir()
    (folder / "out").mkdir()
    artifacts = {f"program.{target}.cwasm" for target in case.targets}
    before = {name: OLD_ARTIFACT for name in artifacts} if case.over_old else {}
    for name, content in before.items():
        (folder / "out" / name).write_bytes(content)
    command = [tools.edgec, "build", case.file, "--key", tools.key, "-o", "out/", *case.options]
    command += ["--worker-memory", bounds.memory, "--compile-timeout", bounds.seconds]
    command += ["--optimizer-timeout", bounds.seconds]
    seconds = bounds.seconds + bounds.allowance
    ended = _run(command, folder, tools, 3 * seconds, 2 * bounds.whole())
    result = _result(ended)
    verdict = Verdict(result, ended)
    found = verdict.findings
    found += _limits(ended, seconds, bounds)
    found += _words(ended)
    left = sorted(path.name for path in (folder / "tmp").iterdir())
    if left:
        found.append(f"left in the temporary folder: {', '.join(left)}")
    after = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    if ended.code == 0:
        found += _written(case, artifacts, after)
        if not found:
            found += _artifacts(case, sorted(artifacts), folder, tools, bounds)
    elif after != before:
        found.append(f"it failed, and changed the output folder: {', '.join(sorted(after))}")
    beside = {case.file, "tmp", "out"}
    others = sorted(path.name for path in folder.iterdir() if path.name not in beside)
    if others:
        found.append(f"left beside the program: {', '.join(others)}")
    return verdict


def _run(command, folder, tools, seconds, memory):
    environment = {**tools.environment, "HOME": folder / "home", "TMPDIR": folder / "tmp"}
    return tree.run(command, folder, environment, seconds, memory)


def _result(ended):
    if ended.code == 0:
        return "built"
    named = _NAMED.search(ended.stderr)
    return named[1].decode() if named else f"exit code {ended.code}"


def _limits(ended, seconds, bounds):
    yield from ended.problems
    if ended.seconds > seconds:
        yield f"took {ended.seconds:.1f} s, where {seconds:.1f} are allowed"
    if ended.peak > bounds.whole():
        yield f"took {ended.peak:.0f} MiB in all, where {bounds.whole()} are allowed"
    for role, memory in ended.largest.items():
        most = bounds.own_memory if role == "edgec" else bounds.memory + _INEXACT
        if memory > most:
            yield f"{role} took {memory:.0f} MiB, where {most} are allowed"


def _words(ended):
    """The problems with an exit code and with the output."""
    said = ended.stdout + ended.stderr
    if len(said) > _PRINTED:
        yield f"printed {len(said)} bytes"
    text = said.decode(errors="replace")
    for word in _NEVER:
        if word in text:
            yield f"says {word!r}"
    if ended.problems:
        return
    names = {name.decode() for name in _NAMED.findall(ended.stderr)}
    for name in names.intersection(_CRASHES):
        yield f"error[{name}]"
    # The command line is right, and the machine has everything that edgec needs.
    if ended.code not in (0, 1):
        yield f"exit code {ended.code}"
    elif ended.code == 1 and not names:
        yield "exit code 1 without a named error"
    elif ended.code == 0 and names:
        yield f"exit code 0 with error[{names.pop()}]"


def _written(case, artifacts, after):
    debug = {name.removesuffix("cwasm") + "debug" for name in artifacts}
    expected = artifacts | debug if "--debug-file" in case.options else artifacts
    if set(after) != expected:
        yield f"wrote {', '.join(sorted(after))}, not {', '.join(sorted(expected))}"
    for name in artifacts:
        if after.get(name) == OLD_ARTIFACT:
            yield f"exit code 0, but {name} is the old one"


def _artifacts(case, artifacts, folder, tools, bounds):
    """Checks that the artifacts verify, and that every verb reads them within its bounds."""
    paths = [f"out/{name}" for name in artifacts]
    one = paths[case.seed % len(paths)]
    verbs = [["inspect", one], ["audit", one], ["check", one], ["diff", *paths[:2]]]
    if len(paths) == 1:
        verbs.pop()
    if "--debug-file" in case.options:
        verbs.append(["symbolize", one.removesuffix("cwasm") + "debug", "text+0x0"])
    verb = verbs[case.seed // 7 % len(verbs)]
    if case.seed % 2:
        verb += [] if verb[0] == "symbolize" else ["--format", "json"]
    size = max((folder / path).stat().st_size for path in paths)
    verify = ["verify", "--quiet", "--key", tools.public, *paths]
    ends = [0, 4] if verb[0] == "diff" else [0, 1]
    for words, codes in ((verify, [0]), (verb, ends)):
        seconds = _VERB_SECONDS + bounds.allowance
        memory = _VERB_MEMORY if size <= _FEW else 8 * _VERB_MEMORY
        ended = _run([tools.edgec, *words], folder, tools, 3 * seconds, 2 * memory)
        title = words[0]
        yield from (f"{title}: {problem}" for problem in ended.problems)
        if ended.code not in codes:
            yield f"{title}: exit code {ended.code}: {ended.stderr[:300].decode(errors='replace')}"
        if ended.seconds > seconds:
            yield f"{title}: took {ended.seconds:.1f} s, where {seconds:.1f} are allowed"
        if ended.peak > memory:
            yield f"{title}: took {ended.peak:.0f} MiB, where {memory} are allowed"
