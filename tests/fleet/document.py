"""Writes tables into a document, between `<!-- begin NAME -->` and `<!-- end NAME -->`."""

import re
import sys


def replace(document, name, rows):
    text = document.read_text()
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"{document} has no {begin}")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{rows}\n\n{end}", text))


def table(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def size(number):
    """Bytes for people, in the units that networks and disks are sold in."""
    for unit in ("bytes", "KB", "MB", "GB", "TB", "PB"):
        if number < 999.5 or unit == "PB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
        number /= 1000


def write_tables(document, measured):
    """The tables of a simulation, as run.py measured it."""
    replace(document, "rollouts", rollouts(measured))
    replace(document, "traffic", traffic(measured))
    replace(document, "bad", bad(measured))
    replace(document, "wire", wire(measured))


def rollouts(measured):
    rows = []
    for name, text in (
        ("good", "a good version; from the end of the push"),
        ("cache", "one of the caches is dead for a while; from the end of the push"),
        ("origin", "the origin was unreachable; from the moment when it is back"),
    ):
        case = measured[name]
        times, clients = case["seconds"], case["clients"]
        rows.append(
            [text]
            + [f"{times[part]:.1f} s" for part in ("first", "half", "all")]
            + [f"{clients['requests']:,}", f"{clients['failed']:,}"]
        )
    head = ["case", "first host", "half", "all", "requests of clients", "failed"]
    return table(head, rows)


def bad(measured):
    case = measured["bad"]
    times, first, others = case["seconds"], case["first-wave"], case["others"]
    rows = [
        ["hosts that got the bad version", f"{case['saw']} of {case['hosts']}"],
        ["push until the first bad answer", f"{times['first-answer']:.1f} s"],
        ["longest time for which a host answered with it", f"{times['answered-longest']:.1f} s"],
        ["push until the last host was back", f"{times['all-back']:.1f} s"],
        ["requests to the first wave", f"{first['requests']:,}, {first['failed']:,} failed"],
        ["requests to the other hosts", f"{others['requests']:,}, {others['failed']:,} failed"],
    ]
    return table(["what", "simulated"], rows)


def traffic(measured):
    start, good, quiet = (measured[name] for name in ("start", "good", "quiet"))
    rows = []
    for name, case in (
        ("a new fleet takes version 1", start),
        ("a version for all", good),
        (f"nothing new for {quiet['seconds']:.0f} s", quiet),
    ):
        numbers = case["registries"]
        sides = [("origin", numbers["origin"])]
        sides += [(f"cache {n}", each["hosts"]) for n, each in enumerate(numbers["caches"], 1)]
        for place, side in sides:
            kinds = side["by-kind"]
            rows.append(
                [name, place]
                + [f"{kinds[kind]['requests']:,}" for kind in ("tag", "manifest", "blob")]
                + [f"{side['requests']:,}", size(side["bytes"])]
            )
            name = ""
        ratio = numbers["hit-ratio"]["content-bytes"]
        if ratio is not None:
            text = "content of the origin, as a part of what hosts got"
            rows.append(["", text, "", "", "", "", f"{1 - ratio:.0%}"])
    head = ["while", "given by", "tags", "manifests", "blobs", "all requests", "bytes"]
    return table(head, rows)


def wire(measured):
    """What a release is in the registry."""
    contents = measured["good"]["contents"]
    rows = [
        [
            f"`{name}`",
            size(target["whole"]),
            "none" if target["difference"] is None else size(target["difference"]),
            size(target["manifest"] + target["others"]),
            measured["hosts"]["by-target"].get(name, 0),
        ]
        for name, target in contents["targets"].items()
    ]
    rows.append(["index, release, timestamp", "", "",
                 size(contents["index"] + contents["other-entries"]), ""])
    head = ["target", "image, compressed", "difference to the version before",
            "manifest and envelope", "hosts"]
    return table(head, rows)
