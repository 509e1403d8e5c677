#!/usr/bin/env python3
"""Checks that a wrong edgec is found out: each of these programs breaks one law.

    tests/soak/law_test.py
"""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import law
from case import Case

_REFUSES = "echo 'error[invalid]: program.wasm: why' >&2; exit 1"
# Holds so many bytes for so many seconds; other verbs accept what says `image`.
_BEGIN = """#!/bin/sh
hold() { (head -c $1 /dev/zero; sleep $2) | tail -c $1 > /dev/null; }
if [ "$1" != build ]; then grep -q image out/*; exit; fi
"""
# What an edgec does that is as it should be.
RIGHT = {
    "refuses": _REFUSES,
    "builds": "for target in x86_64 aarch64; do echo image > out/program.$target.cwasm; done",
}
# What a wrong one does, and a part of what is said about it.
WRONG = {
    "exit code 101": "echo no >&2; exit 101",
    "says 'panicked at'": "echo \"thread 'main' panicked at x.rs:1\" >&2; " + _REFUSES,
    "says 'defect'": "echo 'a defect of edgec' >&2; " + _REFUSES,
    "exit code -11": "kill -SEGV $$",
    "exit code 1 without a named error": "echo 'error: why' >&2; exit 1",
    "exit code 2": "echo 'error[usage]: why' >&2; exit 2",
    "exit code 0 with error[": "echo 'error[invalid]: why' >&2; exit 0",
    "error[compile-crash]": "echo 'error[compile-crash]: why' >&2; exit 1",
    "where 1.2 are allowed": "sleep 1.5; " + _REFUSES,
    "did not end": "sleep 60; " + _REFUSES,
    "MiB in all": "hold 30000000 1; " + _REFUSES,
    "and was stopped": "hold 90000000 60; " + _REFUSES,
    "left 1 processes behind": "sleep 60 > /dev/null 2>&1 & " + _REFUSES,
    "left in the temporary folder: x": "touch $TMPDIR/x; " + _REFUSES,
    "changed the output folder": "echo half > out/program.x86_64.cwasm; " + _REFUSES,
    "left beside the program: x": "touch x; " + _REFUSES,
    "printed": "head -c 9000000 /dev/zero; " + _REFUSES,
    "wrote program.x86_64.cwasm, not": "rm out/*; echo new > out/program.x86_64.cwasm",
    "is the old one": "exit 0",
    "verify: exit code 1": RIGHT["builds"].replace("image", "other"),
}
# The two of them that are found by their time. A busy machine gives the others too little.
LATE = ["where 1.2 are allowed", "did not end"]


class Laws(unittest.TestCase):
    def findings(self, does, allowance=60):
        """What is found of an edgec that builds like this, and verifies what says `image`."""
        with tempfile.TemporaryDirectory() as folder:
            edgec = Path(folder) / "edgec"
            edgec.write_text(f"{_BEGIN}{does}\n")
            edgec.chmod(0o755)
            tools = SimpleNamespace(edgec=edgec, key="key", public="public")
            tools.environment = {"PATH": "/usr/bin:/bin"}
            place = Path(folder) / "case"
            place.mkdir()
            tried = Case(0, "a test", b"\0asm", "program.wasm", ["x86_64", "aarch64"], [], True)
            bounds = law.Bounds(seconds=1, memory=20, allowance=allowance, own_memory=5, together=1)
            return law.check(tried, place, tools, bounds).findings

    def test_a_right_one_is_left_alone(self):
        for title, does in RIGHT.items():
            with self.subTest(title):
                self.assertEqual(self.findings(does), [])

    def test_a_wrong_one_is_found_out(self):
        for said, does in WRONG.items():
            with self.subTest(said):
                findings = self.findings(does, 0.2 if said in LATE else 60)
                self.assertTrue(any(said in finding for finding in findings), findings)


if __name__ == "__main__":
    unittest.main()
