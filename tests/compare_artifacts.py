#!/usr/bin/env python3
"""Builds programs with two edgecs, and says whether the artifacts are the same, bit for bit.

    tests/compare_artifacts.py OLD NEW examples app.wasm
    tests/compare_artifacts.py OLD NEW examples --targets x86_64,aarch64 --settings=-O2

OLD and NEW are the programs. An input is a file, or a folder with .wasm and .wat files at any
depth. Each is built by both with the same key, for all targets of tier 1 that both know, with each
of the settings: none, `-O1` and `--profile edge`, or those of `--settings`.

The builder's version may differ: `builder.edgec` and the version of edgec's own stages, and so the
signature. Everything else of an image and its manifest is compared. Two builds that fail are the
same if both give the same error code. There is a line for each artifact. Exit codes: 0 all are the
same, 1 one is not, 3 nothing can be compared.
"""

import argparse
import base64
import json
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = ["", "-O1", "--profile edge"]
# Of the footer that docs/format.md describes, in bytes.
FOOTER = 40


def main():
    options = arguments()
    inputs = found(options.inputs)
    targets = options.targets or ",".join(tier_1(options.old, options.new))
    if not inputs or not targets:
        print(f"error: nothing to compare: no {'target' if inputs else 'input'}", file=sys.stderr)
        return 3
    folder = Path(tempfile.mkdtemp(prefix="edgec-compare-"))
    try:
        key = folder / "compare.pem"
        run(options.new, "keygen", "-o", key, check=True)
        compared = differ = 0
        for path in inputs:
            for settings in options.settings:
                for name, difference in compare(options, path, settings, targets, key, folder):
                    compared += 1
                    differ += difference is not None
                    said = "same   " if difference is None else "DIFFERS"
                    why = "" if difference is None else f": {difference}"
                    print(f"{said}  {path}  {settings or 'no settings'}  {name}{why}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{compared} compared, {differ} differ")
    return 1 if differ else 0


def arguments():
    parser = argparse.ArgumentParser(description="Compare the artifacts of two edgecs.")
    parser.add_argument("old", type=Path, metavar="OLD", help="an edgec")
    parser.add_argument("new", type=Path, metavar="NEW", help="another one")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help="files and folders")
    parser.add_argument("--targets", help="these, with commas between them, instead of tier 1")
    parser.add_argument("--settings", action="append", help="these options of `build`; repeatable")
    options = parser.parse_args()
    options.settings = options.settings or SETTINGS
    for program in ("old", "new"):
        path = getattr(options, program).resolve()
        if not path.is_file():
            parser.error(f"{path} is not there")
        setattr(options, program, path)
    return options


def found(paths):
    """The files, and those in the folders, in a fixed order, each once."""
    files = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.suffix in (".wasm", ".wat")]
            files.extend(sorted(file for file in inside if file.is_file()))
        else:
            files.append(path)
    return list(dict.fromkeys(files))


def tier_1(*programs):
    """The ids of the targets of tier 1 that all of the programs know."""
    lists = []
    for program in programs:
        listed = json.loads(run(program, "targets", "--format", "json", check=True).stdout)
        # An older edgec prints the list alone.
        listed = listed if isinstance(listed, list) else listed["results"]
        lists.append([target["id"] for target in listed if target["tier"] == 1])
    return [target for target in lists[0] if all(target in others for others in lists)]


def compare(options, path, settings, targets, key, folder):
    """Yields the name of each artifact, and what differs in it, or `None`."""
    built = []
    for name in ("old", "new"):
        output = folder / name
        shutil.rmtree(output, ignore_errors=True)
        arguments = ["--key", key, "-t", targets, "-o", f"{output}/", *shlex.split(settings)]
        program = getattr(options, name)
        done = run(program, "build", path, "--format", "json", *arguments)
        files = {file.name: file for file in sorted(output.glob("*"))}
        built.append((outcome(done), files))
    (old, old_files), (new, new_files) = built
    if old != new:
        yield "the build", f"{old} before, {new} now"
    elif not old_files and not new_files:
        yield f"refused by both ({new})", None
    for name in sorted(old_files.keys() | new_files.keys()):
        if name not in new_files:
            yield name, "it is missing now"
        elif name not in old_files:
            yield name, "it is new"
        else:
            yield name, difference(old_files[name].read_bytes(), new_files[name].read_bytes())


def outcome(done):
    """The exit code of a build, and the code of its error."""
    try:
        document = json.loads(done.stdout)
        errors = [document.get("error"), *(one.get("error") for one in document.get("inputs", []))]
        codes = [error["code"] for error in errors if error]
    except (ValueError, AttributeError, KeyError, TypeError):
        codes = ["no report"]
    return " ".join([f"exit code {done.returncode}", *codes])


def difference(old, new):
    """What differs in two artifacts other than the builder's version; `None` if nothing does."""
    if old == new:
        return None
    parts = []
    for file in (old, new):
        try:
            parts.append(split(file))
        except (ValueError, KeyError, struct.error) as error:
            return f"an artifact cannot be read: {error}"
    (old_image, old_signers, old_manifest), (new_image, new_signers, new_manifest) = parts
    versions = [without_version(manifest) for manifest in (old_manifest, new_manifest)]
    differing = list(places(old_manifest, new_manifest, ""))
    if old_image != new_image:
        differing.insert(0, "image")
    if old_signers != new_signers:
        differing.append("signatures")
    if not differing and versions[0] == versions[1]:
        differing.append("envelope")
    return ", ".join(differing) or None


def split(file):
    """The image of an artifact, the ids of the keys that signed it, and its manifest."""
    length, at, envelope_length = struct.unpack_from("<QQQ", file, len(file) - FOOTER)
    envelope = json.loads(file[at : at + envelope_length])
    statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
    signers = [signature["keyid"] for signature in envelope["signatures"]]
    return file[:length], signers, statement["predicate"]


def without_version(manifest):
    """Takes the builder's version out of a manifest, and returns all that was taken."""
    builder = manifest["builder"]
    taken = [builder.pop("edgec")]
    for stage in builder["stages"]:
        if stage["tool"] == "edgec":
            taken.append(stage.pop("version"))
    return taken


def places(old, new, at):
    """Yields the names of the fields that differ."""
    if type(old) is dict and type(new) is dict:
        for name in dict.fromkeys([*old, *new]):
            yield from places(old.get(name), new.get(name), f"{at}.{name}" if at else name)
    elif type(old) is list and type(new) is list and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new)):
            yield from places(one, other, f"{at}[{number}]")
    elif old != new:
        yield at


def run(program, *arguments, check=False):
    command = [str(part) for part in (program, *arguments)]
    done = subprocess.run(command, capture_output=True)
    if check and done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        print(f"error: {shlex.join(command)}: {said}", file=sys.stderr)
        sys.exit(3)
    return done


if __name__ == "__main__":
    sys.exit(main())
