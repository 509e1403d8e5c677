"""Components for the tests of a serving host, kept in `${XDG_CACHE_HOME:-~/.cache}/edgec/serve`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "toolchains"))
sys.path.insert(0, str(REPOSITORY / "tests" / "corpus"))
sys.path.insert(0, str(REPOSITORY / "examples" / "edge"))

import build as examples_build
import make

# The last componentize-py whose bindings the SDK's own modules fit, as its document says.
SPIN = "componentize-py==0.17.2\nspin-sdk==3.4.1\n"


def folder():
    return make.cache().parent / "serve"


def examples():
    """The components of examples/edge, by name."""
    return examples_build.build(folder() / "examples")


def spin():
    """A component of Spin's SDK for Python."""
    output, source = folder() / "spin.wasm", HERE / "guests" / "spin" / "app.py"
    if is_newer(output, source, Path(__file__)):
        return output
    place = folder() / "spin"
    output.parent.mkdir(parents=True, exist_ok=True)
    make.run(REPOSITORY / "tests/python_environment.sh", place, input=SPIN)
    packages = next((place / "lib").glob("python*/site-packages"))
    command = [place / "bin" / "componentize-py", "-w", "spin-http", "componentize"]
    command += ["-p", source.parent, "-p", packages, "app", "-o", output]
    make.run(*command)
    return output


def python():
    """A component of componentize-py (WASI 0.2)."""
    place = folder() / "python-http"
    output = place / "python-http.wasm"
    if not output.is_file():
        place.mkdir(parents=True, exist_ok=True)
        # The first one that it makes. The other is a command.
        next(make.python(place))
    return output


def is_newer(output, *sources):
    there = output.is_file()
    return there and output.stat().st_mtime >= max(path.stat().st_mtime for path in sources)
