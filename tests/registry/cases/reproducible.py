"""Two pushes of the same artifacts give the same digests, into registries and folders."""

import json

from servers import manifest
from world import expect


def run(world):
    version = next(iter(world.guests()))
    digests = {}
    for name in ("first", "second"):
        registry = world.registry(f"reproducible-{name}")
        world.publisher.push(f"{registry.host}/{version.name}:v1", version)
        digests[name], _ = manifest(registry.host, version.name, "v1")
        folder = world.folder / f"layout-{name}"
        world.publisher.push(f"oci-layout:{folder}:v1", version)
        digests[f"oci-layout {name}"] = tagged(folder, "v1")
    with world.case("two registries and two folders: the same digest") as note:
        expect(len(set(digests.values())) == 1, f"{digests}")
        note(next(iter(digests.values())))
    with world.case("a pull from a folder, verified") as note:
        point = world.point("layout")
        point.pull(f"oci-layout:{world.folder / 'layout-first'}:v1")
        point.verify()
        note("verified")
    with world.case("oras and skopeo read the folder") as note:
        folder = world.folder / "layout-first"
        read = ["oras", "manifest", "fetch", "--oci-layout", f"{folder}:v1"]
        by_oras = json.loads(world.tool(*read))
        by_skopeo = json.loads(world.tool("skopeo", "inspect", "--raw", f"oci:{folder}:v1"))
        expect(by_oras == by_skopeo, "they read different indexes")
        note(f"{len(by_oras['manifests'])} entries")


def tagged(folder, tag):
    """The digest that a tag of an OCI layout names."""
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    named = "org.opencontainers.image.ref.name"
    return next(e["digest"] for e in entries if e.get("annotations", {}).get(named) == tag)
