"""Builds every program twice with one cache: from an empty cache, and with nothing changed."""

import os
import shutil

from stages import PROFILES

# MiB: the whole corpus must fit, or the second run would do work again.
CACHE_SIZE = "1048576"


def run(programs, edgec, folder, path_of):
    """Prints the times of all programs, and how much of the first run the second one takes.

    `path_of` gives a program's path. Returns the number of failures. Times are never a failure.
    """
    os.environ["EDGEC_CACHE"] = str(folder / "cache")
    runs = [[_built(entry, path_of(entry), edgec, folder) for entry in programs] for _ in range(2)]
    failures = 0
    print(f"{'program':24} {'first':>9} {'second':>9}  ratio")
    for entry, first, second in zip(programs, *runs):
        note = ""
        if first["artifacts"] != second["artifacts"]:
            failures += 1
            note = "  FAILED: the artifacts differ"
        elif not first["artifacts"]:
            note = "  refused: errors are not kept"
        elif second["misses"]:
            failures += 1
            note = f"  FAILED: {second['misses']} steps were not in the cache"
        print(_line(entry["name"], first["wall"], second["wall"]) + note)
    built = [pair for pair in zip(*runs) if pair[0]["artifacts"]]
    for what, pairs in (("all", zip(*runs)), ("all that are built", built)):
        first, second = (sum(result["wall"] for result in run) for run in zip(*pairs))
        print(_line(what, first, second))
    return failures


def _built(entry, path, edgec, folder):
    """Builds a program in both profiles. Its artifacts are known by their digests."""
    entry = {**entry, "options": [*entry.get("options", []), "--cache-size", CACHE_SIZE]}
    result = {"wall": 0.0, "artifacts": [], "misses": 0}
    for profile in PROFILES:
        output = folder / "twice"
        step, stated = edgec.build(entry, path, profile, output)
        shutil.rmtree(output, ignore_errors=True)
        result["wall"] += step.wall
        built = stated.get("built")
        if built:
            digests = [artifact["sha256"] for artifact in built["artifacts"]]
            result["artifacts"] += digests
            result["misses"] += edgec.cache(step)["misses"]
    return result


def _line(name, first, second):
    ratio = f"{second / first:.3f}×" if first else "-"
    return f"{name:24} {first:8.2f}s {second:8.2f}s  {ratio}"
