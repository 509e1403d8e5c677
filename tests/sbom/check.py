#!/usr/bin/env python3
"""Bills of materials of real programs and of made-up ones, checked by other people's validators.

    tests/sbom/run.sh EDGEC [PROGRAM...]

Each program gives a CycloneDX and an SPDX document. cyclonedx-python-lib compares the first with
the schema, pyspdxtools checks the second. Then both are read by other people's libraries, which
must find the crates that this script has put into a program. The validators also get documents that
are damaged, and must refuse these: a validator that accepts everything proves nothing.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import zlib

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

# How a record of `cargo auditable` calls the public registry: a word, not an address.
PUBLIC = "crates" ".io"

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUESTS = ROOT.parent / "shared" / "guests"


def leb128(number):
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def section(name, data):
    """A custom section."""
    body = leb128(len(name)) + name.encode() + data
    return b"\0" + leb128(len(body)) + body


def record():
    """What `cargo auditable` would record of edgec itself: real names, versions and edges."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    places = {}
    for number, package in enumerate(lock):
        places[package["name"]] = places[f"{package['name']} {package['version']}"] = number
    # A record has no circles, and those of a lock file go through dev-dependencies.
    packages = []
    for number, package in enumerate(lock):
        needed = {places[" ".join(one.split()[:2])] for one in package.get("dependencies", [])}
        source = PUBLIC if "source" in package else "local"
        packages.append({
            "name": package["name"], "version": package["version"], "source": source,
            "dependencies": sorted(one for one in needed if one < number),
            **({"root": True} if package["name"] == "edgec" else {}),
            **({"kind": "build"} if package["name"] == "cc" else {}),
        })
    return packages


def made_up(folder):
    """A core module and a component with everything that a bill can have."""
    crates = section(".dep-v0", zlib.compress(json.dumps({"packages": record()}).encode()))
    texts = {"authors": "Acme <shop@example.com>", "description": "Schuhe \u202e \U0001f45f",
             "licenses": "Apache-2.0 WITH LLVM-exception OR MIT", "version": "1.2.3-rc.1+b",
             "source": "https://git.example.com/acme/shop", "homepage": "https://shop.example.com",
             "revision": "4ac1d0b3"}
    texts = b"".join(section(name, text.encode()) for name, text in texts.items())
    tools = {"language": [("Rust", "")], "processed-by": [("rustc", "1.95.0"), ("wit", "0.2")],
             "sdk": [("componentize", "0.13")]}
    fields = b""
    for field, values in tools.items():
        fields += leb128(len(field)) + field.encode() + leb128(len(values))
        for text in (text for value in values for text in value):
            fields += leb128(len(text)) + text.encode()
    producers = section("producers", leb128(len(tools)) + fields)
    module = b"\0asm\1\0\0\0" + producers + crates
    inner = b"\1" + leb128(len(module)) + module
    component = b"\0asm\x0d\0\1\0" + inner * 2 + producers + texts
    odd = section("licenses", b"our own, ask") + section("source", b"no address")
    odd = b"\0asm\x0d\0\1\0" + odd
    for name, data in ("module", module), ("component", component), ("odd", odd):
        (folder / f"{name}.wasm").write_bytes(data)
    return [folder / f"{name}.wasm" for name in ("module", "component", "odd")]


class Checks:
    def __init__(self, edgec, folder):
        self.edgec, self.folder, self.failed = edgec, folder, 0
        self.cyclonedx = JsonStrictValidator(SchemaVersion.V1_6)

    def say(self, what, problem):
        detail = f": {str(problem)[:600]}" if problem else ""
        print(f"{'FAILED' if problem else 'ok':7} {what}{detail}")
        self.failed += bool(problem)

    def bill(self, program, form, **variables):
        command = [self.edgec, "sbom", str(program), "--format", form]
        environment = {**os.environ, **variables}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        return done.stdout.decode("ascii")

    def spdx_problems(self, text):
        path = self.folder / "bill.spdx.json"
        path.write_text(text)
        try:
            document = parse_file(str(path))
        except Exception as error:  # The parser has many.
            return None, str(error)
        problems = validate_full_spdx_document(document)
        return document, "; ".join(one.validation_message for one in problems)

    def check(self, program):
        name = program.name
        for form in "cyclonedx", "spdx":
            text = self.bill(program, form)
            differs = text != self.bill(program, form) and "differs"
            self.say(f"{name}: {form} is the same twice", differs)
            dated = self.bill(program, form, SOURCE_DATE_EPOCH="1800000000")
            undated = "2027-01-15T08:00:00Z" not in dated and dated[:300]
            self.say(f"{name}: {form} has a date", undated)
            for kind, document in ("", text), (" dated", dated):
                if form == "cyclonedx":
                    self.say(f"{name}: cyclonedx{kind}", self.cyclonedx.validate_str(document))
                else:
                    self.say(f"{name}: spdx{kind}", self.spdx_problems(document)[1])

    def check_crates(self, program):
        """Libraries of others find what is in the program."""
        wanted = {PackageURL("cargo", None, one["name"], one["version"]).to_string()
                  for one in record() if one["source"] == PUBLIC}
        bom = Bom.from_json(json.loads(self.bill(program, "cyclonedx")))
        found = {one.purl.to_string() for one in bom.components if one.purl}
        self.say(f"{program.name}: cyclonedx has {len(wanted)} crates", wanted ^ found)
        bom.validate()
        document, _ = self.spdx_problems(self.bill(program, "spdx"))
        found = {reference.locator for package in document.packages
                 for reference in package.external_references}
        self.say(f"{program.name}: spdx has {len(wanted)} crates", wanted ^ found)

    def check_validators(self, program):
        """They refuse what is wrong."""
        text = self.bill(program, "cyclonedx")
        for old, new in ('"bom-ref": "part:1"', '"ref": "part:1"'), ('"SHA-256"', '"SHA"'):
            wrong = text.replace(old, new, 1)
            accepted = wrong == text or self.cyclonedx.validate_str(wrong) is None
            self.say(f"cyclonedx without {old} is refused", accepted and "accepted")
        text = self.bill(program, "spdx")
        for old, new in ('"SPDXRef-part-1"', '"part 1"'), ("SPDX-2.3", "SPDX-2"):
            wrong = text.replace(old, new, 1)
            accepted = wrong == text or not self.spdx_problems(wrong)[1]
            self.say(f"spdx without {old} is refused", accepted and "accepted")


def main():
    edgec, *named = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        checks = Checks(os.path.realpath(edgec), folder)
        own = made_up(folder)
        guests = sorted(GUESTS.glob("*.wasm")) if GUESTS.is_dir() else []
        examples = sorted((ROOT / "examples").glob("*.wat"))
        for program in [*own, *examples, *guests, *map(pathlib.Path, named)]:
            checks.check(program)
        for program in own[:2]:
            checks.check_crates(program)
        checks.check_validators(own[1])
    if checks.failed:
        sys.exit(f"{checks.failed} checks failed")
    print("all bills of materials are valid")


if __name__ == "__main__":
    main()
