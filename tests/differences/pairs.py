"""The pairs that are measured: programs that a host has, and programs that it fetches.

Programs come from the toolchains of tests/toolchains, from the examples for the edge, and from
Debian's Rust (`compiled.py`). What is made is kept in a folder. One Rust program is of the guests
that lie beside the repository.
"""

import dataclasses
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "toolchains"))
sys.path.insert(0, str(REPOSITORY / "examples" / "edge"))

import build as examples  # noqa: E402  (these are beside this folder)
import compiled  # noqa: E402
import make  # noqa: E402
from change import change  # noqa: E402

RUST = "rust-http-proxy.wasm"
JAVASCRIPT = "js-http-proxy.wasm"


@dataclasses.dataclass
class Pair:
    """What a host has, what it fetches, and the goal: which part of the whole it fetches."""

    what: str
    base: Path
    new: Path
    goal: float


def pairs(folder, guests, only):
    """The pairs whose programs can be made, and those whose names contain one of `only`."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, goal, programs in (
        ("Rust: one function changed", 0.05, lambda: compiled.rust(folder, "pages", 3)),
        ("Rust, optimized for size: the same", 0.05, lambda: compiled.rust(folder, "pages", "s")),
        ("Rust, a small program: the same", 0.05, lambda: compiled.rust(folder, "orders", 3)),
        ("Rust, an HTTP handler: a function got longer", 0.05, lambda: guest(folder, guests)),
        ("JavaScript: only the program changed", 0.05, lambda: javascript(folder)),
        ("JavaScript: a second application", 0.15, lambda: second(folder)),
        ("JavaScript: another build of its engine", 0.15, lambda: other_engine(folder, guests)),
        ("Python: a second application", 0.30, lambda: python(folder)),
    ):
        if only and not any(word.lower() in what.lower() for word in only):
            continue
        found = programs()
        if found is None:
            print(f"skipped: {what}: no guests beside the repository", file=sys.stderr)
            continue
        yield Pair(what, *found, goal)


def guest(folder, guests):
    """An HTTP handler before and after one of its functions got longer: in the compiled program."""
    base = guests and guests / RUST
    if not (base and base.is_file()):
        return None
    new = folder / "rust-changed.wasm"
    new.write_bytes(change(base.read_bytes()))
    return base, new


def javascript(folder):
    """A handler before and after a change of its text."""
    text = (REPOSITORY / "tests/toolchains/programs/http_app.js").read_text()
    changed = text.replace("number * number", "number * number + 1")
    changed = changed.replace("? 200 : 202", "? 200 : 203")
    assert changed != text, "the program has another text"
    return handler(folder, "before", text), handler(folder, "after", changed)


def handler(folder, name, text):
    output = folder / f"javascript-{name}.wasm"
    source = folder / f"javascript-{name}.js"
    if output.is_file() and source.is_file() and source.read_text() == text:
        return output
    place = make.packages()
    script = shutil.copy(REPOSITORY / "tests/toolchains/componentize.mjs", place)
    wit = make.interfaces(folder / "wit", make.WASI_OF_JS)
    source.write_text(text)
    make.run("node", script, source, "http", wit, output, cwd=place)
    return output


def second(folder):
    """Two examples for the edge, which answer different questions."""
    made = examples.build(folder, ("cors", "redirects"))
    return made["cors"], made["redirects"]


def other_engine(folder, guests):
    """Two handlers whose JavaScript engine was prepared by different versions of the toolchain."""
    base = guests and guests / JAVASCRIPT
    if not (base and base.is_file()):
        return None
    return base, javascript(folder)[0]


def python(folder):
    """A command and an HTTP handler."""
    made = {name: folder / f"python-{name}.wasm" for name in ("command", "http")}
    if not all(path.is_file() for path in made.values()):
        for path in make.python(folder):
            print(f"made {path}", file=sys.stderr)
    return made["command"], made["http"]
