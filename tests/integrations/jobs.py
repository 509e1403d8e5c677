"""The jobs of action.yml and of templates/edgec.yml, run on this machine.

Only what the two files use is imitated: inputs, outputs of steps, variables and scripts.
"""

import os
import re
import subprocess
from pathlib import Path

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
ACTION = REPOSITORY / "action.yml"
COMPONENT = REPOSITORY / "templates/edgec.yml"
BUILD = REPOSITORY / "integrations/ci-build.sh"

EXPRESSION = re.compile(r"\$\{\{ ([a-z0-9.-]+) \}\}")
INPUT = re.compile(r"\$\[\[ inputs\.([a-z0-9-]+) \]\]")


class Ended(Exception):
    """A step that failed."""

    def __init__(self, code, text, summary=""):
        super().__init__(f"exit code {code}: {text}")
        self.code, self.text, self.summary = code, text, summary


def action():
    return YAML(typ="safe").load(ACTION)


def component():
    """The head with the inputs, and the jobs."""
    head, jobs = YAML(typ="safe").load_all(COMPONENT)
    return head, jobs


def values(declared, given):
    """The value of each input. `given` must name inputs, and all that have no default."""
    unknown = set(given) - set(declared)
    assert not unknown, f"no such inputs: {unknown}"
    found = {}
    for name, about in declared.items():
        default = about.get("default")
        found[name] = given.get(name, default)
        assert found[name] is not None, f"the input {name} is missing"
    return found


def run(script, folder, variables):
    """Runs a script, and returns both of its streams."""
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ended.returncode, ended.stdout


def environment(folder, more):
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(folder), "CI": "true", **more}


def outputs(path):
    """The outputs in a file of `GITHUB_OUTPUT`."""
    found, lines = {}, iter(path.read_text().splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark and "=" not in name:
            taken = []
            for line in lines:
                if line == end:
                    break
                taken.append(line)
            found[name] = "\n".join(taken)
        else:
            name, _, found[name] = line.partition("=")
    return found


def github(folder, inputs, variables):
    """Runs the action. Returns its outputs, the summary, and what it printed."""
    document = action()
    context = {f"inputs.{k}": v for k, v in values(document["inputs"], inputs).items()}
    summary = folder / "summary.md"
    summary.write_text("")
    printed = ""
    for step in document["runs"]["steps"]:
        output = folder / "step-output"
        output.write_text("")
        named = {
            name: EXPRESSION.sub(lambda found: context[found[1]], value)
            for name, value in step["env"].items()
        }
        known = {
            "GITHUB_ACTION_PATH": str(REPOSITORY),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(folder),
        }
        code, text = run(
            step["run"], folder, environment(folder, {**variables, **known, **named})
        )
        printed += text
        for name, value in outputs(output).items():
            context[f"steps.{step['id']}.outputs.{name}"] = value
        if code != 0:
            raise Ended(code, printed, summary.read_text())
    results = {
        name: EXPRESSION.sub(lambda found: context[found[1]], about["value"])
        for name, about in document["outputs"].items()
    }
    return results, summary.read_text(), printed


def gitlab(folder, inputs, variables):
    """Runs the component's job in an image with edgec. Returns what it printed."""
    head, jobs = component()
    given = values(head["spec"]["inputs"], inputs)
    filled = lambda text: INPUT.sub(lambda found: given[found[1]], text)
    [job] = jobs.values()
    named = {name: filled(value) for name, value in job["variables"].items()}
    program = folder / "image/edgec-ci-build"
    program.parent.mkdir(exist_ok=True)
    if not program.exists():
        program.symlink_to(BUILD)
    found = environment(folder, {**variables, **named})
    found["PATH"] = f"{program.parent}:{found['PATH']}"
    code, text = run("\n".join(job["script"]), folder, found)
    if code != 0:
        raise Ended(code, text)
    return text
