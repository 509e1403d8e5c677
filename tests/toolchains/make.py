"""Makes components with other projects' toolchains, from the registries of Python,
JavaScript and Rust.

Each toolchain is installed once and kept in `${XDG_CACHE_HOME:-~/.cache}/edgec/toolchains`.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

COMPONENTIZE_PY = "componentize-py==0.25.1"
# The engine of this version has these versions of WASI's interfaces.
COMPONENTIZE_JS, WASI_OF_JS = "@bytecodealliance/componentize-js@0.23.0", "0.2.10"
JCO = "@bytecodealliance/jco@1.35.0"
# Those of the interfaces in the engine's crates.
WASI = "0.2.12"


class MakeError(Exception):
    """A toolchain cannot be installed, or does not make a component."""


def cache():
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "edgec" / "toolchains"


def run(*command, **options):
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, **options)
    except FileNotFoundError as error:
        raise MakeError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise MakeError(f"{' '.join(command)}: {said}")
    return done.stdout


def interfaces(folder, version):
    """A folder of the interfaces of WASI, from the engine's crate, with the worlds of this test."""
    metadata = run("cargo", "metadata", "--format-version", "1", "--locked", cwd=REPOSITORY)
    packages = json.loads(metadata)["packages"]
    crate = next(package for package in packages if package["name"] == "wasmtime-wasi-http")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(crate["manifest_path"]).parent / "wit", folder)
    shutil.copy(HERE / "worlds.wit", folder / "world.wit")
    for path in folder.rglob("*.wit"):
        path.chmod(0o644)
        if version != WASI:
            # Also where an item says since when it exists.
            path.write_text(re.sub(r"\b0\.2\.1[0-9]\b", version, path.read_text()))
    return folder


def python(folder):
    """Components of componentize-py. Yields their paths."""
    place = cache() / "python"
    run(REPOSITORY / "tests/python_environment.sh", place, input=COMPONENTIZE_PY + "\n")
    wit = interfaces(folder / "wit", WASI)
    for world in ("http", "command"):
        output = folder / f"python-{world}.wasm"
        shutil.copy(HERE / "programs" / f"{world}_app.py", folder)
        program = place / "bin" / "componentize-py"
        run(program, "-d", wit, "-w", world, "componentize", "-p", folder, f"{world}_app", "-o", output)
        yield output


def packages():
    """The folder of the npm packages."""
    place = cache() / "npm"
    wanted = [COMPONENTIZE_JS, JCO]
    ready = place / "ready"
    if not ready.is_file() or ready.read_text().split() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", place]
        run("npm", "install", *options, *wanted)
        ready.write_text("\n".join(wanted))
    return place


def javascript(folder):
    """Components of componentize-js. Yields their paths."""
    place = packages()
    script = shutil.copy(HERE / "componentize.mjs", place)
    # A command has no exports in which the engine's own versions would have to be right.
    for world, version in (("http", WASI_OF_JS), ("command", WASI)):
        wit = interfaces(folder / f"wit-{world}", version)
        source = HERE / "programs" / f"{world}_app.js"
        output = folder / f"javascript-{world}.wasm"
        run("node", script, source, world, wit, output, cwd=place)
        yield output


def jco(folder, programs):
    """Components that jco makes of WASI preview 1 programs. Yields their paths."""
    jco = packages() / "node_modules" / ".bin" / "jco"
    for path in programs:
        output = folder / f"{path.stem}-jco.wasm"
        run(jco, "new", path, "--wasi-command", "-o", output)
        yield output


def encoders(folder, programs):
    """Components of three generations of wit-component. Yields their paths."""
    wit = interfaces(folder / "wit", WASI)
    manifest = HERE / "encoders" / "Cargo.toml"
    output = folder / "encoders"
    target = ["--manifest-path", manifest, "--target-dir", cache() / "encoders"]
    run("cargo", "run", "--quiet", "--locked", *target, "--", output, wit, *programs)
    yield from sorted(output.glob("*.wasm"))
