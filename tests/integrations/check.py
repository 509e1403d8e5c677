"""Checks the GitHub Action and the GitLab component with the edgec of the first argument."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jobs
from jobs import ACTION, COMPONENT, EXPRESSION, INPUT, REPOSITORY, Ended, github, gitlab

HELLO = REPOSITORY / "examples/hello.wat"
KEY = "EDGEC_SIGNING_KEY"


def schemas(place):
    """What GitHub and GitLab accept. A component has two documents, which are checked alone."""
    head, body = COMPONENT.read_text().split("\n---\n")
    (place / "head.yml").write_text(head)
    (place / "body.yml").write_text(body)
    for schema, files in [
        ("vendor.github-actions", [ACTION]),
        ("vendor.gitlab-ci", [place / "head.yml", place / "body.yml"]),
        ("vendor.github-workflows", sorted(REPOSITORY.glob(".github/workflows/*.yml"))),
    ]:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
        subprocess.run([*command, *map(str, files)], check=True)


def inputs_are_variables():
    """No input is a part of a script, and every input is used."""
    document = jobs.action()
    for step in document["runs"]["steps"]:
        assert "${{" not in step["run"], step["run"]
    used = " ".join(value for step in document["runs"]["steps"] for value in step["env"].values())
    used = {found[1] for found in EXPRESSION.finditer(used)}
    assert used >= {f"inputs.{name}" for name in document["inputs"]}, used
    head, body = jobs.component()
    [job] = body.values()
    assert not any("$[[" in line for line in job["script"])
    used = {found[1] for found in INPUT.finditer(COMPONENT.read_text())}
    assert used == set(head["spec"]["inputs"]), used


class Place:
    """A folder of a job, with programs and a key."""

    def __init__(self, edgec, folder):
        self.edgec, self.folder = edgec, folder
        self.ok("keygen", "-o", "key.pem")
        self.pem = (folder / "key.pem").read_text()
        self.variables = {KEY: self.pem}
        (folder / "programs").mkdir()
        shutil.copy(HELLO, folder / "programs/hello.wat")
        shutil.copy(HELLO, folder / "programs/hello again.wat")
        (folder / "bad.wat").write_text("(module (func (result i32)))")

    def ok(self, *arguments):
        variables = jobs.environment(self.folder, {})
        command = [str(self.edgec), *arguments]
        return subprocess.check_output(command, cwd=self.folder, env=variables, text=True)

    def refused(self, run, inputs, code, says):
        try:
            run(self.folder, inputs, self.variables)
        except Ended as ended:
            assert (ended.code, says in ended.text) == (code, True), ended
            return ended
        raise AssertionError(f"{inputs} was accepted")

    def verified(self, artifacts):
        self.ok("verify", "-q", "--key", "key.pub.pem", *artifacts)


def of_github(place):
    named = {"edgec": str(place.edgec)}
    files = {"files": "programs/*.wat\n", "targets": "x86_64"}
    results, summary, printed = github(place.folder, {**named, **files}, place.variables)
    artifacts = results["artifacts"].splitlines()
    names = [Path(it).name for it in artifacts]
    assert names == ["hello again.x86_64.cwasm", "hello.x86_64.cwasm"], names
    place.verified(artifacts)
    report = json.loads((place.folder / results["report"]).read_text())
    assert report, results
    for artifact in artifacts:
        digest = hashlib.sha256((place.folder / artifact).read_bytes()).hexdigest()
        assert digest in summary, summary
    for text in (json.dumps(results), summary, printed):
        assert place.pem.splitlines()[1] not in text, "the key was printed"

    more = {"files": "programs/hello.wat", "options": "--profile\nedge\n", "output": "edge"}
    results, _, _ = github(place.folder, {**named, **more, "cache": "cache"}, place.variables)
    artifacts = results["artifacts"].splitlines()
    assert len(artifacts) == 2 and all(it.startswith("edge/") for it in artifacts), artifacts
    assert '"edge"' in place.ok("inspect", artifacts[0], "--format", "json")
    assert (place.folder / "cache/edgec/v1").is_dir(), "the build has kept nothing"
    shared = {**named, "files": "programs/hello.wat", "cache": "cache", "cache-url": "http://x"}
    place.refused(github, shared, 2, "error[cache-scheme]: --cache")

    ended = place.refused(github, {**named, "files": "bad.wat"}, 1, "error[invalid]: bad.wat")
    assert "The build failed" in ended.summary, ended.summary
    place.refused(github, {**named, "files": "none/*.wasm"}, 2, "no file is called none/*.wasm")
    place.refused(github, {**named, "files": "\n"}, 2, "no input is named")
    place.refused(github, {**named, "files": "missing.wat"}, 3, "missing.wat")


def of_project(place):
    """Without files, both build the project."""
    component = '[[component]]\nname = "acme/hello"\ninput = "programs/hello.wat"\n'
    project = place.folder / "edgec.toml"
    project.write_text(f'schema = 1\n[project]\ntargets = ["x86_64"]\n{component}')
    named = {"edgec": str(place.edgec), "output": "project"}
    results, _, _ = github(place.folder, named, place.variables)
    assert results["artifacts"] == "project/hello.x86_64.cwasm", results
    place.verified(results["artifacts"].splitlines())
    variables = {**place.variables, "EDGEC_CI_PROGRAM": str(place.edgec)}
    printed = gitlab(place.folder, {"image": "edgec", "output": "lab-project"}, variables)
    assert "lab-project/hello.x86_64.cwasm" in printed, printed
    project.unlink()


def commands_stay_text(place):
    """What looks like a command, an option or markup is only a name."""
    named = {"edgec": str(place.edgec)}
    for name in ["$(touch owned)", "`touch owned`", "x; touch owned", "'; touch owned; '", "-q"]:
        place.refused(github, {**named, "files": name}, 3, "cannot read")
        place.refused(github, {**named, "files": "bad.wat", "targets": name}, 2, "error")
    odd = "<b>|x|<&b>.wat"
    shutil.copy(HELLO, place.folder / odd)
    inputs = {**named, "files": odd, "options": "--name\nodd", "output": "<i>|"}
    _, summary, _ = github(place.folder, inputs, place.variables)
    assert "<i>" not in summary and "&lt;i&gt;&#124;" in summary, summary
    assert not (place.folder / "owned").exists()


def of_gitlab(place):
    inputs = {"image": "edgec", "files": "programs/hello.wat", "targets": "aarch64"}
    variables = {**place.variables, "EDGEC_CI_PROGRAM": str(place.edgec)}
    printed = gitlab(place.folder, {**inputs, "output": "lab"}, variables)
    [artifact] = (place.folder / "lab").glob("*.cwasm")
    assert artifact.name in printed, printed
    place.verified([str(artifact)])
    place.variables["EDGEC_CI_PROGRAM"] = str(place.edgec)
    place.refused(gitlab, {**inputs, "files": "bad.wat"}, 1, "error[invalid]: bad.wat")


def versions(place):
    """A version is downloaded, and its digest is checked."""
    machine = subprocess.check_output(["uname", "-m"], text=True).strip()
    name = f"edgec-9.9.9-{machine}-unknown-linux-gnu"
    release = place.folder / "releases/v9.9.9"
    (release / name / "bin").mkdir(parents=True)
    # The program only answers, so that the archive is small.
    program = release / name / "bin/edgec"
    program.write_text(f'#!/bin/sh\nexec "{place.edgec}" "$@"\n')
    program.chmod(0o755)
    archive = f"{name}.tar.gz"
    subprocess.run(["tar", "-czf", archive, name], cwd=release, check=True)
    digest = hashlib.sha256((release / archive).read_bytes()).hexdigest()
    place.variables["EDGEC_CI_RELEASES"] = str(place.folder / "releases")
    inputs = {"files": "programs/hello.wat", "output": "downloaded", "version": "9.9.9"}
    place.refused(github, inputs, 3, "SHA256SUMS was not downloaded")
    (release / "SHA256SUMS").write_text(f"{digest}  other.tar.gz\n")
    place.refused(github, inputs, 1, f"SHA256SUMS does not name {archive}")
    (release / "SHA256SUMS").write_text(f"{'0' * 64}  {archive}\n")
    place.refused(github, inputs, 1, "has another SHA-256 digest")
    # The digest of the input counts, and not that of the server.
    results, _, _ = github(place.folder, {**inputs, "sha256": digest}, place.variables)
    place.verified(results["artifacts"].splitlines())
    (release / "SHA256SUMS").write_text(f"{digest}  {archive}\n")
    github(place.folder, inputs, place.variables)
    place.refused(github, {**inputs, "sha256": "0" * 64}, 1, "has another SHA-256 digest")
    place.refused(github, {**inputs, "version": "../9.9.9"}, 2, "this is no version")
    place.refused(github, {**inputs, "version": "8.8.8"}, 3, "was not downloaded")
    both = {**inputs, "edgec": str(place.edgec)}
    place.refused(github, both, 2, "name a program or a version")


def main():
    edgec = Path(sys.argv[1]).resolve()
    checks = [of_github, of_project, commands_stay_text, of_gitlab, versions]
    with tempfile.TemporaryDirectory(prefix="edgec-integrations-") as folder:
        schemas(Path(folder))
    inputs_are_variables()
    for check in checks:
        with tempfile.TemporaryDirectory(prefix="edgec-integrations-") as folder:
            check(Place(edgec, Path(folder)))
            print(f"{check.__name__}: passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
