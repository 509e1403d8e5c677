"""The workflow, the image and the configuration: schemas, and what they say about each other."""

import json
import os
import re
import shlex
import subprocess
import sys

import yaml

from manifests import accepts


def check(edgec, deploy, folder):
    workflow(edgec, deploy / "github/push.yml", folder)
    image(edgec, (deploy / "Dockerfile").read_text())
    policy(edgec, deploy / "kubernetes/config/trust.toml")


def workflow(edgec, path, folder):
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    subprocess.run([sys.executable, *schema, str(path)], check=True)
    document = yaml.safe_load(path.read_text())
    [job] = document["jobs"].values()
    for step in job["steps"]:
        script = step.get("run", "")
        # An input in the text of a script could become a command.
        assert "${{" not in script, script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        for line in script.replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if words[:1] == ["edgec"]:
                accepts(edgec, words[1:])
    uses = [step for step in job["steps"] if step.get("uses", "").startswith("edgec/edgec@")]
    [action] = [step["with"] for step in uses]
    known = yaml.safe_load((path.parents[2] / "action.yml").read_text())["inputs"]
    assert action.keys() <= known.keys(), action.keys()
    # `github` in an option reads the variables of GitHub, which are not here: only the names count.
    options = action["options"].replace("${{ github.repository }}", "acme/shop")
    options = [line for line in options.split("\n") if line]
    options = [re.sub(r"\$\{\{.*\}\}", "7", line) for line in options]
    accepts(edgec, ["build", "app.wasm", *options])


def image(edgec, text):
    """Commands of the image are known, and it runs as a user with a number."""
    text = text.replace("\\\n", " ")
    users = re.findall(r"^USER (.*)$", text, re.MULTILINE)
    assert users == ["10001:10001"], users
    for line in re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE):
        accepts(edgec, json.loads(line))
    probes = re.findall(r"CMD (\[.*edgec-pod.*\])", text)
    assert len(probes) == 2, probes
    shells = [line for line in text.split("AS host")[1].splitlines() if line.startswith("RUN")]
    assert not shells, "the image has no shell"


def policy(edgec, path):
    """The policy can be read as it stands, wherever this repository is."""
    own = path.stat()
    assert own.st_uid in (0, os.geteuid())
    done = subprocess.run([edgec, "policy", "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
