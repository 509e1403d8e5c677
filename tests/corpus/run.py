#!/usr/bin/env python3
"""Builds a corpus of real programs, checks the artifacts, and runs them beside stock Wasmtime.

    tests/corpus/run.py                     all programs, in an hour on two cores
    tests/corpus/run.py --small             those that CI builds, in a minute or two
    tests/corpus/run.py flite sqlite        only these
    tests/corpus/run.py --table corpus.md   all programs, with a document of the results
    tests/corpus/run.py --twice             all programs twice with one cache, and nothing else

Each program is built for both CPUs and in both profiles, verified, audited, and compiled again. A
result that the list (programs.toml) does not expect is a failure. The programs are fetched from npm
and PyPI at their versions, and kept. Exit codes: 0 everything is as the list says, 1 something is
not, 3 a program cannot be fetched.

edgec is `--edgec`, or `EDGEC`, or target/release/edgec.
"""

import argparse
import json
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

import fetch
import guests
import table
import twice
from stages import PROFILES, TARGETS, Edgec, Stock, parsed

HERE = Path(__file__).resolve().parent


def main():
    options = arguments()
    listed = tomllib.loads((HERE / "programs.toml").read_text())
    programs = chosen(listed["program"], options)
    folder = Path(tempfile.mkdtemp(prefix="edgec-corpus-"))
    edgec = Edgec(options.edgec, folder)
    try:
        if options.twice:
            failures = twice.run(programs, edgec, folder, lambda entry: linked(entry, folder))
            return 1 if failures else 0
        stock = Stock(options.stock or fetch.stock(listed["stock"]))
        results, failures = [], 0
        for entry in programs:
            path = linked(entry, folder)
            place = folder / entry["name"]
            result = work(entry, path, edgec, stock, place, options)
            failures += len(result["failures"])
            results.append(result)
            print(table.line(result), flush=True)
            for failure in result["failures"]:
                print(f"  FAILED: {failure}", flush=True)
    except fetch.FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    finally:
        if options.keep:
            print(f"artifacts are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(table.closing(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.table:
        options.table.write_text(table.document(results))
    print(f"{len(results)} passed, 0 failed" if not failures else f"{failures} failures")
    return 1 if failures else 0


def linked(entry, folder):
    """The program under its own name, which messages and usage texts show."""
    path = folder / f"{entry['name']}.wasm"
    if not path.is_symlink():
        path.symlink_to(fetch.program(entry))
    return path


def arguments():
    parser = argparse.ArgumentParser(description="Build and run a corpus of real programs.")
    parser.add_argument("names", nargs="*", help="only these programs")
    parser.add_argument("--small", action="store_true", help="only what CI builds")
    parser.add_argument("--twice", action="store_true", help="build all twice with one cache")
    parser.add_argument("--table", type=Path, help="write the document")
    parser.add_argument("--json", type=Path, help="write all results")
    parser.add_argument("--repeat", type=int, default=1, help="take the best of this many times")
    parser.add_argument("--keep", action="store_true", help="keep the artifacts")
    return parsed(parser)


def chosen(programs, options):
    names = [entry["name"] for entry in programs]
    unknown = [name for name in options.names if name not in names]
    if unknown:
        raise SystemExit(f"not in the list: {', '.join(unknown)}")
    if len(set(names)) != len(names):
        raise SystemExit("a name is in the list twice")
    if options.names:
        return [entry for entry in programs if entry["name"] in options.names]
    return [entry for entry in programs if entry.get("small") or not options.small]


def work(entry, path, edgec, stock, folder, options):
    """Builds, checks and runs one program. Returns the results."""
    result = {
        "name": entry["name"],
        "toolchain": entry["toolchain"],
        "bytes": path.stat().st_size,
        "profiles": {},
        "runs": 0,
        "failures": [],
    }
    fail = result["failures"].append
    compiled, refused = stock.compile(entry, path, folder / "stock")
    for _ in range(options.repeat - 1):
        again, _ = stock.compile(entry, path, folder / "stock")
        compiled = {name: min((compiled[name], again[name]), key=_wall) for name in compiled}
    result["stock"] = {
        "wall": sum(step.wall for step in compiled.values()),
        "cpu": sum(step.cpu for step in compiled.values()),
        "refused": refused,
    }
    if refused is not None and entry.get("run"):
        fail(f"nothing to compare its runs with: stock refuses it: {refused}")
    for profile in PROFILES:
        output = folder / profile
        step, stated = edgec.build(entry, path, profile, output)
        for _ in range(options.repeat - 1):
            again, said = edgec.build(entry, path, profile, output)
            if again.wall < step.wall:
                step, stated = again, said
        built = judged(entry, profile, step, stated, fail)
        result["profiles"][profile] = {"wall": step.wall, "cpu": step.cpu, **stated}
        if not built:
            continue
        artifacts = [output / artifact_name(artifact) for artifact in built["artifacts"]]
        for problem in edgec.check(path, artifacts):
            fail(f"{profile}: {problem}")
        here = guests.machine()
        if here is None or refused is not None:
            continue
        theirs = folder / "stock" / f"{entry['name']}.{here}.cwasm"
        ours = [file for file in artifacts if file.name.endswith(f".{here}.cwasm")]
        # Both files get the same name, since programs print it.
        ours = ours[0].rename(output / f"{entry['name']}.cwasm")
        theirs = theirs.rename(theirs.with_name(ours.name))
        only_edge_hosts = profile == "edge"
        listed = {**entry, "run": runnable(entry, only_edge_hosts)}
        count, differences = guests.compare(listed, edgec, stock, ours, theirs)
        theirs.rename(folder / "stock" / f"{entry['name']}.{here}.cwasm")
        result["runs"] += count
        for difference in differences:
            fail(f"{profile}: {difference}")
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def runnable(entry, only_edge_hosts):
    """The possible runs. Stock Wasmtime has no epochs, so it does not load the edge profile."""
    runs = entry.get("run", [])
    if only_edge_hosts:
        return [run for run in runs if "invoke" not in run and run.get("host", "edgec") == "edgec"]
    return runs


def judged(entry, profile, step, stated, fail):
    """The report on the build, or `None`. Calls `fail` for results that are not in the list."""
    expected = entry.get("refused", {}).get(profile)
    error = stated.get("error")
    if error is not None:
        if error["code"] != expected:
            fail(f"{profile}: error[{error['code']}]: {error['message']}")
        if not error.get("hint"):
            fail(f"{profile}: error[{error['code']}] does not say what to do")
        return None
    if step.code != 0 or expected is not None:
        fail(f"{profile}: exit code {step.code}, expected {expected or 'artifacts'}")
        return None
    built = stated["built"]
    concerned = sorted({advisory["id"] for advisory in built.get("advisories", [])})
    if concerned != sorted(entry.get("advisories", [])):
        fail(f"{profile}: advisories {concerned}, expected {entry.get('advisories', [])}")
    if built["kind"] != entry["kind"]:
        fail(f"{profile}: it is a {built['kind']}, expected a {entry['kind']}")
    if [artifact["target"] for artifact in built["artifacts"]] != list(TARGETS):
        fail(f"{profile}: not built for {' and '.join(TARGETS)}")
    return built


def artifact_name(artifact):
    return Path(artifact["path"]).name


def _wall(step):
    return step.wall


if __name__ == "__main__":
    sys.exit(main())
