"""The units of systemd: their syntax, and how far they confine their services."""

import re
import subprocess

from manifests import accepts

# What `systemd-analyze security` may say at most, in tenths, from 0 (confined) to 100.
EXPOSURE = {"edgec-serve.service": 15, "edgec-sync.service": 15}


def check(edgec, units, folder):
    copies = folder / "units"
    copies.mkdir()
    for unit in sorted(units.glob("edgec-*")):
        text = unit.read_text()
        # The program need not be installed here.
        started = re.findall(r"^ExecStart=/usr/local/bin/edgec (.*)$", text, re.MULTILINE)
        for line in started:
            accepts(edgec, line.split())
        text = text.replace("/usr/local/bin/edgec", str(edgec))
        (copies / unit.name).write_text(text)
    names = sorted(path.name for path in copies.iterdir())
    assert {*EXPOSURE, "edgec-serve.socket"} == set(names), names
    for name in names:
        analyze("verify", copies / name)
    for name, most in EXPOSURE.items():
        analyze("security", "--offline=true", f"--threshold={most}", copies / name)
    # A validator that accepts everything proves nothing.
    wrong = copies / "edgec-wrong.service"
    text = (copies / "edgec-sync.service").read_text()
    wrong.write_text(text.replace("ProtectHome", "ProtectHouse"))
    try:
        analyze("verify", wrong)
    except AssertionError:
        return
    raise AssertionError("a wrong unit was accepted")


def analyze(*arguments):
    command = ["systemd-analyze", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stderr + (done.stdout if done.returncode else "")
    # It mentions units of the machine that are not there, such as those of a container.
    about = [line for line in done.stderr.splitlines() if "edgec-" in line]
    assert done.returncode == 0 and not about, f"{' '.join(command)}: {said}"
