"""Checks deploy/ with the edgec of the first argument. run.sh installs what it needs."""

import subprocess
import sys
import tempfile
from pathlib import Path

import files
import manifests
import steps
import units

ROOT = Path(__file__).resolve().parents[2]


def main():
    edgec = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pod = folder / "edgec-pod"
        source = ROOT / "deploy/pod/main.rs"
        command = ["rustc", "--edition", "2024", "-D", "warnings", "-o", pod, source]
        subprocess.run([*map(str, command)], check=True)
        manifests.check(edgec, ROOT / "deploy/kubernetes")
        units.check(edgec, ROOT / "deploy/systemd", folder)
        files.check(edgec, ROOT / "deploy", folder)
        steps.check(edgec, pod, ROOT / "deploy/kubernetes/config", folder)
    print("deploy: all good")


if __name__ == "__main__":
    main()
