#!/usr/bin/env python3
"""Makes the components of the examples, with componentize-js from npm.

    examples/edge/build.py FOLDER              all
    examples/edge/build.py FOLDER auth cors    only these

It needs Node and npm. FOLDER gets NAME.wasm for each. What exists already and is newer than its
source stays as it is.
"""

import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "toolchains"))

import make

# Each example, and its world in wit/worlds.wit.
WORLDS = {
    "redirects": "configured",
    "cors": "configured",
    "country": "configured",
    "auth": "configured",
    "counter": "counting",
}


def build(folder, names=tuple(WORLDS)):
    """Makes the components of these examples. Returns their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = {name: folder / f"{name}.wasm" for name in names}
    stale = [name for name, output in outputs.items() if is_stale(name, output)]
    if stale:
        place = make.packages()
        script = shutil.copy(HERE.parent.parent / "tests/toolchains/componentize.mjs", place)
        with tempfile.TemporaryDirectory() as work:
            wit = interfaces(Path(work) / "wit")
            for name in stale:
                source, output = HERE / f"{name}.js", outputs[name]
                make.run("node", script, source, WORLDS[name], wit, output.resolve(), cwd=place)
    return outputs


def is_stale(name, output):
    if not output.is_file():
        return True
    sources = [HERE / f"{name}.js", Path(__file__), *(HERE / "wit").rglob("*.wit")]
    return max(source.stat().st_mtime for source in sources) > output.stat().st_mtime


def interfaces(folder):
    """The interfaces of WASI that the toolchain has, with those of the examples."""
    make.interfaces(folder, make.WASI_OF_JS)
    world = (HERE / "wit" / "worlds.wit").read_text().replace(make.WASI, make.WASI_OF_JS)
    (folder / "world.wit").write_text(world)
    for package in ("config", "keyvalue"):
        shutil.copytree(HERE / "wit" / package, folder / "deps" / package)
    return folder


def main():
    match sys.argv[1:]:
        case [folder, *names] if not folder.startswith("-"):
            unknown = [name for name in names if name not in WORLDS]
            if unknown:
                sys.exit(f"no example {unknown[0]}; there are: {', '.join(WORLDS)}")
            for path in build(Path(folder), names or tuple(WORLDS)).values():
                print(path)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except make.MakeError as error:
        sys.exit(f"error: {error}")
