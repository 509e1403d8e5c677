"""The registries of a simulated fleet: an origin, and pull-through caches in front of it.

    hosts -- front -- cache -- upstream -- origin -- publisher
      `---------------- direct ----------------^

Each is Debian's `docker-registry`. What has a name between them is a proxy that counts
(counting.py). Hosts go to the origin itself only if their cache does not answer.
"""

import json

from counting import Proxy
from ports import free_port
from servers import Registry, manifest


class Registries:
    """An origin and its caches."""

    def __init__(self, folder, caches):
        self.all = []
        self.origin = self.started(folder / "origin")
        self.publisher, self.direct = Proxy(self.origin.port), Proxy(self.origin.port)
        self.upstreams = [Proxy(self.origin.port) for _ in range(caches)]
        self.caches = [
            self.started(folder / f"cache-{number}", f"127.0.0.1:{proxy.port}")
            for number, proxy in enumerate(self.upstreams)
        ]
        self.fronts = [Proxy(cache.port) for cache in self.caches]

    def started(self, *arguments):
        self.all.append(Registry(*arguments, port=free_port()))
        return self.all[-1].start()

    def cut_origin(self):
        for proxy in (*self.upstreams, self.direct):
            proxy.cut()

    def mend_origin(self):
        for proxy in (*self.upstreams, self.direct):
            proxy.mend()

    def counts(self):
        return Counts(
            self.direct.count(),
            [proxy.count() for proxy in self.upstreams],
            [proxy.count() for proxy in self.fronts],
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for registry in self.all:
            registry.kill()


class Counts:
    """What the origin gave to hosts and to each cache, and what each cache gave to its hosts."""

    def __init__(self, direct, origin, caches):
        self.direct, self.each_origin, self.each_cache = direct, origin, caches

    @property
    def origin(self):
        return sum(self.each_origin, self.direct)

    @property
    def hosts(self):
        """What hosts got, from caches or from the origin."""
        return sum(self.each_cache, self.direct)

    def __sub__(self, other):
        return Counts(
            self.direct - other.direct,
            [now - then for now, then in zip(self.each_origin, other.each_origin, strict=True)],
            [now - then for now, then in zip(self.each_cache, other.each_cache, strict=True)],
        )

    def numbers(self):
        """What docs/fleet.md shows, for measured.json."""
        return {
            "origin": sides(self.origin),
            "origin-direct": sides(self.direct),
            "hosts": sides(self.hosts),
            "caches": [
                {"hosts": sides(cache), "origin": sides(origin)}
                for cache, origin in zip(self.each_cache, self.each_origin, strict=True)
            ],
            "hit-ratio": {
                "content-requests": share(self, "count", "blob", "manifest"),
                "content-bytes": share(self, "bytes", "blob", "manifest"),
                "all-requests": share(self, "count"),
                "all-bytes": share(self, "bytes"),
            },
        }


def sides(count):
    """Requests and bytes of a side, by kind."""
    kinds = ("tag", "manifest", "blob", "referrers", "other")
    return {
        "requests": count.count(),
        "bytes": count.bytes(),
        "bodies": count.bodies(),
        "unchanged": count.count("tag", status=304),
        "by-kind": {
            kind: {
                "requests": count.count(kind),
                "bytes": count.bytes(kind),
                "bodies": count.bodies(kind),
            }
            for kind in kinds
        },
    }


def share(counts, what, *kinds):
    """The part that did not need the origin, from 0 to 1."""
    asked = getattr(counts.hosts, what)(*kinds)
    passed = getattr(counts.origin, what)(*kinds)
    return round(1 - passed / asked, 4) if asked else None


NATIVE = "application/vnd.edgec.native.v1+json"
IMAGE = "application/vnd.edgec.image.v1+zstd"
DIFFERENCE = "application/vnd.edgec.difference.v1+zstd"


def contents(host, repository, tag):
    """What a tag names, in bytes: the index, and for each target the manifest and its layers."""
    _, index = manifest(host, repository, tag)
    targets, others = {}, 0
    for entry in index["manifests"]:
        _, inner = manifest(host, repository, entry["digest"])
        layers = inner["layers"]
        if entry.get("artifactType") != NATIVE:
            others += entry["size"] + sum(layer["size"] for layer in layers)
            continue
        of_type = lambda kind: [each["size"] for each in layers if each["mediaType"] == kind]
        whole, differences = sum(of_type(IMAGE)), of_type(DIFFERENCE)
        targets[entry["annotations"]["dev.edgec.target"]] = {
            "manifest": entry["size"],
            "whole": whole,
            "difference": min(differences, default=None),
            "differences": len(differences),
            "others": sum(layer["size"] for layer in layers) - whole - sum(differences),
        }
    return {"index": len(json.dumps(index)), "targets": targets, "other-entries": others}
