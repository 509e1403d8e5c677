"""The results of the corpus as text: one line for each program, and the document."""

INTRODUCTION = """# A corpus of real programs

edgec has to build what toolchains make. `tests/corpus/run.py` fetches these programs from npm and
PyPI, each at one version and with one SHA-256 digest (`tests/corpus/programs.toml`). It builds each
program for both CPUs and in both profiles, verifies and audits the artifacts, compiles the program
again and compares the results. If a program can run, the script runs it beside stock Wasmtime, with
inputs from that list: exit code, standard output, standard error and files must be the same. CI
does this on a schedule. `tests/corpus/run.py --table docs/corpus.md` writes this document.

Times are wall time in seconds, measured once on two cores, with edgec as it is published (profile
`dist`). *stock* is `wasmtime compile` for x86_64 and then for aarch64. *edgec* is a whole default
build for both: validate, optimize, compile, check, sign, write. *of stock* is *edgec* divided by
*stock*; *CPU* is the same ratio for CPU time. *default* and *edge* say what the two profiles made
of the program, and which advisories concern it. *runs* says how many runs were compared.
"""

STAGES = """
## Times by stage

Seconds of wall time, from `edgec build --format json`. The cold-start lint (`coldStartSeconds`)
runs beside the compiler, and the artifacts are checked beside each other. So the sum of a program's
stages can be more than the whole.
"""


def _built(result, profile="default"):
    return result["profiles"].get(profile, {}).get("built")


def _total(result, kind):
    return result["profiles"]["default"][kind]


def _ratio(result, kind):
    theirs = result["stock"][kind]
    return _total(result, kind) / theirs if theirs and result["stock"]["refused"] is None else None


def _size(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _times(value):
    return "–" if value is None else f"{value:.2f}×"


def _outcome(result, profile):
    stated = result["profiles"].get(profile, {})
    if "error" in stated and stated["error"]:
        return f"`{stated['error']['code']}`"
    built = _built(result, profile)
    if not built:
        return "–"
    known = sorted({advisory["id"] for advisory in built.get("advisories", [])})
    return ", ".join([built["kind"], *known])


def line(result):
    """The line that is printed when a program is done."""
    ratios = f"{_times(_ratio(result, 'wall'))} wall, {_times(_ratio(result, 'cpu'))} CPU"
    stock = result["stock"]["refused"] or f"stock {result['stock']['wall']:.2f} s"
    return (
        f"{result['name']:20} {_size(result['bytes']):>9}  {_outcome(result, 'default')}"
        f" {_outcome(result, 'edge')}  {_total(result, 'wall'):.2f} s, {stock}, {ratios},"
        f" {result['runs']} runs"
    )


def _compared(results):
    return [r for r in results if _built(r) and r["stock"]["refused"] is None]


def closing(results):
    """The sums over all programs."""
    some = _compared(results)
    if not some:
        return "nothing was built"
    texts = []
    for kind in ("wall", "cpu"):
        ours = sum(_total(r, kind) for r in some)
        theirs = sum(r["stock"][kind] for r in some)
        most = max(some, key=lambda r: _ratio(r, kind))
        texts.append(
            f"{kind}: edgec {ours:.1f} s, stock {theirs:.1f} s: {ours / theirs:.2f}x;"
            f" most {_ratio(most, kind):.2f}x ({most['name']})"
        )
    return "\n".join(texts)


def _row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def document(results):
    """The document, in Markdown."""
    text = INTRODUCTION + "\n"
    head = ["program", "toolchain", "size", "stock", "edgec", "of stock", "CPU"]
    text += _row(head + ["default", "edge", "runs"]) + _row(["---"] * (len(head) + 3))
    for r in results:
        refused = r["stock"]["refused"] is not None
        text += _row(
            [r["name"], r["toolchain"], _size(r["bytes"])]
            + ["refused" if refused else f"{r['stock']['wall']:.2f}", f"{_total(r, 'wall'):.2f}"]
            + [_times(_ratio(r, "wall")), _times(_ratio(r, "cpu"))]
            + [_outcome(r, "default"), _outcome(r, "edge"), r["runs"] or "–"]
        )
    text += "\n" + "\n".join(f"- {part}" for part in closing(results).splitlines()) + "\n"
    return text + _refusals(results) + _stages(results)


def _refusals(results):
    rows = ""
    for r in results:
        for profile, stated in r["profiles"].items():
            error = stated.get("error")
            if error:
                message = f"{error['message']}; {error.get('hint', '')}".replace("|", "\\|")
                # A row is one line.
                message = message.replace("\n", " ")
                rows += _row([r["name"], profile, f"`{error['code']}`", message])
    if not rows:
        return ""
    head = _row(["program", "profile", "error", "message, and what to do"])
    return f"\n## What is not built\n\n{head}{_row(['---'] * 4)}{rows}"


def _stages(results):
    head = ["program", "validate", "optimize", "lint", "compile x86_64", "compile aarch64"]
    head += ["strip", "package, sign", "verify", "audit", "write", "whole", "stock x86_64 + aarch64"]
    text = STAGES + "\n" + _row(head) + _row(["---"] * len(head))
    for r in results:
        built = _built(r)
        if not built:
            continue
        parts = built["artifacts"]
        each = lambda *names, parts=parts: sum(part[name] for part in parts for name in names)
        cells = [built["validateSeconds"], built["optimizeSeconds"], built["coldStartSeconds"]]
        cells += [part["compileSeconds"] for part in parts]
        cells += [each("stripSeconds"), each("packageSeconds", "signSeconds", "debugFileSeconds")]
        cells += [each("verifySeconds"), each("auditSeconds"), built["writeSeconds"]]
        cells += [built["totalSeconds"], r["stock"]["wall"]]
        text += _row([r["name"]] + [f"{cell:.2f}" for cell in cells])
    return text
