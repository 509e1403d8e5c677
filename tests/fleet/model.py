#!/usr/bin/env python3
"""A fleet on paper: 10,000 applications, 10 targets, 300 cities. Writes tables of docs/fleet.md.

    tests/fleet/model.py                                prints the tables
    tests/fleet/model.py --document docs/fleet.md       writes them into the document

What a host asks a registry for comes from the simulation (`--measured`, the file that run.py
writes). Everything else is in `INPUTS`, with where it comes from. The script first computes the
simulated fleet itself in the same way, and compares: the table `check` shows how far the paper is
from the simulation.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from document import replace, size, table

HERE = Path(__file__).resolve().parent
DAY = 86_400
ASSUMED = "assumption"
KB, MB = 1000, 1_000_000


@dataclass
class Input:
    value: float
    unit: str
    about: str
    source: str = ASSUMED


INPUTS = {
    "applications": Input(10_000, "", "applications, each of which every city serves", "given"),
    "targets": Input(10, "", "targets of a release, of the 21 in docs/targets.md", "given"),
    "cities": Input(300, "", "cities, with one pull-through cache each", "given"),
    "hosts": Input(12, "", "hosts of a city, each of which serves all applications"),
    "kinds": Input(3, "", "kinds of CPUs in a city: the hosts take as many targets"),
    "releases": Input(1, "a day", "releases of an application"),
    "kept": Input(5, "", "releases that the registry keeps of an application"),
    "look": Input(60, "s", "time between two looks of a host at a tag (`poll.interval`)"),
    "remember": Input(30, "s", "how long a cache that remembers tags does so"),
    "regions": Input(10, "", "regional caches between cities and origin"),
    "first-pause": Input(600, "s", "pause after the first wave (1 % of the hosts)"),
    "second-pause": Input(1200, "s", "pause after the second wave (10 %)"),
    "third-pause": Input(1800, "s", "pause after the third wave (50 %)"),
    "link": Input(1e9, "bit/s", "the line from a city to the origin"),
}


@dataclass
class Guest:
    """Bytes of an image for one target, as they are on the wire."""

    about: str
    share: float
    whole: int
    # Against the release before, where only the program of its author changed.
    update: int
    # Against another application on the same language runtime.
    beside: int
    # On the disk of a host.
    image: int
    component: int


# Means over both targets of docs/differences.md: Rust for the profile edge, JavaScript with the
# default settings, and another JavaScript application with other interfaces. Nothing there is a
# Python program whose text alone changed, or two Rust programs that have nothing but their language
# in common: these two numbers are assumptions, like shares and components.
GUESTS = [
    Guest("Rust", 0.6, 670 * KB, 12 * KB, 180 * KB, 2_370 * KB, 1_300 * KB),
    Guest("JavaScript", 0.3, 6_235 * KB, 31 * KB, 336 * KB, 26_600 * KB, 13 * MB),
    Guest("Python", 0.1, 7_000 * KB, 140 * KB, 1_268 * KB, 30 * MB, 18 * MB),
]


def mean(what):
    return sum(guest.share * getattr(guest, what) for guest in GUESTS)


def value(name):
    return INPUTS[name].value


class Measured:
    """What one host and one cache ask for, from the simulation."""

    def __init__(self, path):
        self.document = document = json.loads(path.read_text())
        self.pops = document["pace"]["pops"]
        quiet, self.good = document["quiet"]["registries"], document["good"]
        looks = quiet["hosts"]["by-kind"]["tag"]["requests"]
        # Of one look that finds nothing new.
        self.look_bytes = quiet["hosts"]["bytes"] / looks
        self.look_origin_requests = quiet["origin"]["requests"] / looks
        self.look_origin_bytes = quiet["origin"]["bytes"] / looks
        # Of one update of one host, without its looks that found nothing new.
        self.hosts = self.good["registries"]["hosts"]
        self.origin = self.good["registries"]["origin"]
        kinds = self.hosts["by-kind"]
        content = sum(kinds[kind]["requests"] for kind in CONTENT)
        changed = kinds["tag"]["requests"] - self.hosts["unchanged"]
        self.update_requests = (content + changed) / self.pops
        # How often a host reads the index and the statements for an update.
        self.readings = round(changed / self.pops)
        heads = sum(kinds[kind]["bytes"] - kinds[kind]["bodies"] for kind in CONTENT)
        self.head = heads / content
        contents = self.good["contents"]
        self.targets = contents["targets"]
        count = len(self.targets)
        self.native_manifest = sum(each["manifest"] for each in self.targets.values()) / count
        self.native_others = sum(each["others"] for each in self.targets.values()) / count
        self.index, self.statements = contents["index"], contents["other-entries"]
        # A cache that is asked for a blob by several hosts at one moment fetches it several times.
        _, from_origin = on_paper(self)
        seen = sum(self.origin["by-kind"][kind]["bodies"] for kind in CONTENT)
        self.repeated = seen / from_origin


CONTENT = ("manifest", "blob")


def on_paper(measured):
    """Bytes of content in the simulated update, computed: what hosts got, and what caches need."""
    targets, document = measured.targets, measured.document
    by_target = document["hosts"]["by-target"]
    own = {
        name: (each["difference"] or each["whole"]) + each["manifest"] + each["others"]
        for name, each in targets.items()
    }
    read = measured.readings * measured.statements
    to_hosts = sum(count * (own[name] + read) for name, count in by_target.items())
    from_origin = sum(
        sum(own[name] for name in names) + measured.statements
        for names in document["hosts"]["cache-targets"]
    )
    return to_hosts, from_origin


def check(measured):
    """The simulated fleet, computed: what its hosts and the origin should have given."""
    to_hosts, from_origin = on_paper(measured)
    rows = []
    for name, paper, side in (
        ("what hosts got", to_hosts, measured.hosts),
        ("what caches got from the origin", from_origin, measured.origin),
    ):
        seen = sum(side["by-kind"][kind]["bodies"] for kind in CONTENT)
        rows.append([name, size(paper), size(seen), f"{seen / paper:.2f}"])
    head = ["manifests and blobs of an update", "on paper", "simulated", "ratio"]
    return table(head, rows)


def own_bytes(measured, image):
    """What only hosts of one kind of CPU get for an update. `image` is on the wire."""
    return image + measured.native_manifest + measured.native_others + 2 * measured.head


def shared_bytes(measured):
    """What all hosts get: index, and release and timestamp with their manifest."""
    return measured.index + measured.statements + 4 * measured.head


def host_bytes(measured, image):
    """What a host gets for an update."""
    return own_bytes(measured, image) + measured.readings * shared_bytes(measured)


def inputs(measured):
    rows = [
        [each.about, f"{each.value:,.0f} {each.unit}".strip(), each.source]
        for each in INPUTS.values()
    ]
    simulated = [
        [
            "what a host gets for a look that finds nothing new",
            f"{measured.look_bytes:.0f} bytes",
        ],
        [
            "requests at the origin for such a look, through docker-registry as a cache",
            f"{measured.look_origin_requests:.2f}",
        ],
        ["bytes of the origin for them", f"{measured.look_origin_bytes:.0f} bytes"],
        [
            "requests of a host for an update",
            f"{measured.update_requests:.1f}",
        ],
        ["how often it reads index and statements for that", f"{measured.readings}"],
        ["head of an answer", f"{measured.head:.0f} bytes"],
        [
            "how often docker-registry as a cache fetches the same content (hosts ask together)",
            f"{measured.repeated:.1f}",
        ],
        ["index, and release with timestamp", size(measured.index + measured.statements)],
        [
            "manifest and envelope of one target",
            size(measured.native_manifest + measured.native_others),
        ],
    ]
    rows += [[*row, "simulated"] for row in simulated]
    return table(["what", "value", "from"], rows)


def guests():
    parts = ("whole", "update", "beside", "image", "component")
    rows = [
        [each.about, f"{each.share:.0%}"] + [size(getattr(each, part)) for part in parts]
        for each in GUESTS
    ]
    rows.append(["mean", ""] + [size(mean(part)) for part in parts])
    head = ["program", "share", "whole", "update", "beside another", "image on disk", "component"]
    return table(head, rows)


def storage(measured):
    """At the origin."""
    targets, kept = value("targets"), value("kept")
    native = mean("whole") + measured.native_manifest + measured.native_others
    whole = targets * native + mean("component") + measured.index + measured.statements
    differences = targets * mean("update")
    every = value("applications") * kept
    rows = [
        [name, size(times * whole), size(times * differences), size(times * (whole + differences))]
        for name, times in (
            ("one release of one application", 1),
            (f"{kept:.0f} releases of {value('applications'):,.0f} applications", every),
        )
    ]
    return table(["at the origin", "whole images and the rest", "differences", "sum"], rows)


def release(measured):
    """One release of one application, and a day of all."""
    cities, hosts, kinds = value("cities"), value("hosts"), value("kinds")
    day = value("applications") * value("releases")
    rows = []
    shared = shared_bytes(measured)
    for name, image in (("whole", mean("whole")), ("as differences", mean("update"))):
        host, own = host_bytes(measured, image), own_bytes(measured, image)
        cache = kinds * own + shared
        origin = cities * cache
        regional = value("regions") * (value("targets") * own + shared)
        rows += [
            [f"images come {name}: to a host", size(host), ""],
            ["to a city", size(cache), f"its cache has {1 - cache / (hosts * host):.0%}"],
            [
                "from the origin to all cities",
                size(origin),
                f"all applications: {size(day * origin)} a day, "
                f"{8 * day * origin / DAY / 1e6:,.0f} Mbit/s",
            ],
            [
                f"the same, if caches fetch {measured.repeated:.1f} times",
                size(origin * measured.repeated),
                f"{8 * day * origin * measured.repeated / DAY / 1e6:,.0f} Mbit/s",
            ],
            [
                f"from the origin to {value('regions'):.0f} regional caches",
                size(regional),
                f"{8 * day * regional / DAY / 1e6:,.0f} Mbit/s",
            ],
        ]
    # Manifest, envelope and image of each kind; index, and the release with its two statements.
    requests = cities * (3 * kinds + 4)
    rows.append(
        [
            "requests at the origin for it",
            f"{requests:,.0f}",
            f"all applications: {day * requests / DAY:,.0f} a second",
        ]
    )
    return table(["a release of one application", "bytes", "that is"], rows)


def looks(measured):
    """What the looks at tags cost the origin, without any release."""
    applications, cities, hosts = value("applications"), value("cities"), value("hosts")
    per_host = applications / value("look")
    rows = []

    def row(name, looks_at_origin, requests_each, bytes_each):
        requests = looks_at_origin * requests_each
        rows.append([name, f"{hosts * per_host:,.0f}", f"{requests:,.0f}",
                     f"{8 * looks_at_origin * bytes_each / 1e6:,.0f} Mbit/s"])

    each = measured.look_origin_requests, measured.look_origin_bytes
    row("every look of every host reaches the origin (docker-registry as a cache)",
        cities * hosts * per_host, *each)
    row(f"caches of cities remember a tag for {value('remember'):.0f} s",
        cities * applications / max(value("remember"), value("look") / hosts),
        1, measured.look_bytes)
    row(f"and {value('regions'):.0f} regional caches do so too",
        value("regions") * applications / value("remember"), 1, measured.look_bytes)
    head = [f"each host looks at each tag every {value('look'):.0f} s",
            "looks a second in a city", "requests a second at the origin", "that is"]
    return table(head, rows)


def time_to_all(measured):
    """From the push to the last host."""
    pauses = value("first-pause") + value("second-pause") + value("third-pause")
    rows = [
        ["pauses of the waves", f"{pauses:,.0f} s"],
        ["a look at the tag, at most (the interval and a fifth)", f"{1.2 * value('look'):.0f} s"],
        ["what two caches one behind the other remember", f"{2 * value('remember'):.0f} s"],
    ]
    for name, image in (("whole image", mean("whole")), ("difference", mean("update"))):
        # A day's releases come spread over the day, so an update has the line for itself.
        seconds = 8 * value("kinds") * own_bytes(measured, image) / value("link")
        rows.append([f"{name} for all kinds of a city over its line", f"{seconds:.3f} s"])
    good = measured.document["good"]["seconds"]
    pace = measured.document["pace"]
    # The waves count from the timestamp, with which the push begins.
    waves = 2 * pace["pause"]
    after = measured.good["push-seconds"] + good["all"] - waves
    rows.append(["simulated: from the time of the last wave until all had it", f"{after:.1f} s"])
    return table(["part of the time", "takes"], rows)


def city(measured):
    """A new city, or a city whose cache lost its disk."""
    applications, kinds = value("applications"), value("kinds")
    shared = shared_bytes(measured)
    rows = []
    for name, image in (("whole images", mean("whole")),
                        ("differences to another application where there is one", mean("beside"))):
        total = applications * (kinds * own_bytes(measured, image) + shared)
        seconds = 8 * total / value("link")
        rows.append([name, size(total), f"{seconds / 60:.0f} min"])
    rows.append(["on the disk of each host, two releases of each application",
                 size(2 * applications * mean("image")), ""])
    return table(["a new city", "bytes", "over its line"], rows)


def main():
    parser = argparse.ArgumentParser(description="A fleet on paper.")
    parser.add_argument("--measured", type=Path, default=HERE / "measured.json")
    parser.add_argument("--document", type=Path, help="replace the tables in this document")
    options = parser.parse_args()
    measured = Measured(options.measured)
    tables = {
        "check": check(measured),
        "inputs": inputs(measured),
        "guests": guests(),
        "storage": storage(measured),
        "release": release(measured),
        "looks": looks(measured),
        "time": time_to_all(measured),
        "city": city(measured),
    }
    for name, rows in tables.items():
        if options.document:
            replace(options.document, f"model {name}", rows)
        else:
            print(f"{name}\n\n{rows}\n")


if __name__ == "__main__":
    main()
