"""Tools of others read, pull and copy what edgec pushed; cosign verifies it.

A registry without the referrers API, and a pull-through cache in front of it.
"""

import contextlib
import hashlib
import json
import threading

from proxy import Proxy
from release import Failed
from servers import blob, get, manifest, referrers
from world import expect, kib

INDEX = "application/vnd.oci.image.index.v1+json"
NATIVE = "application/vnd.edgec.native.v1+json"
RELEASE = "application/vnd.edgec.release.v1+json"
IMAGE = "application/vnd.edgec.image.v1+zstd"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://edgec.dev/manifest/v1"
PORTABLE = [("linux", "amd64"), ("linux", "arm64")]


def run(world):
    origin = world.registry("tools-origin")
    front = world.start(Proxy(origin.port))
    cache = world.registry("tools-cache", cache_of=front.host)
    large = threading.Thread(target=built, args=[world])
    world.publisher  # noqa: B018 - its keys are there before the thread needs them
    large.start()
    judge(world, front, cache, "docker-registry", list(world.guests()))
    large.join()
    pushed_large(world, front)


def judge(world, registry, read, name, guests):
    """All that tools do, with what is pushed to one place and read at another."""
    for version in guests:
        repository = version.name
        with world.case(f"{name}: push {repository}") as note:
            note(pushed(world, registry, version))
        with world.case(f"{name}: index of {repository}") as note:
            note(index_as_it_should_be(read.host, repository, version))
        with world.case(f"{name}: skopeo, crane and oras read {repository}") as note:
            note(read_by_tools(world, read.host, repository))
        with world.case(f"{name}: oci-client and oci-wasm pull {repository}") as note:
            note(pulled_by_clients(world, read.host, version))
        with world.case(f"{name}: cosign verifies {repository}") as note:
            note(verified_by_cosign(world, read.host, repository))
    version = guests[0]
    for tool, copy in COPIES.items():
        with world.case(f"{name}: {tool} copies, edgec pulls the copy") as note:
            note(copied(world, tool, copy, read.host, registry.host, version, name))
    with world.case(f"{name}: split layout") as note:
        note(split(world, registry, read, version))


def reference(host, repository, tag="v1"):
    return f"{host}/{repository}:{tag}"


def pushed(world, registry, version, *options):
    counted = registry.counters if isinstance(registry, Proxy) else None
    if counted:
        counted.clear()
    world.publisher.push(reference(registry.host, version.name), version, *options)
    if not counted:
        return "pushed"
    return f"{counted.requests()} requests, {kib(counted.received())} sent"


def index_as_it_should_be(host, repository, version):
    _, index = manifest(host, repository, "v1")
    entries = index["manifests"]
    platforms = [
        (e.get("platform", {}).get("os"), e.get("platform", {}).get("architecture"))
        for e in entries
    ]
    expect(platforms[:2] == PORTABLE, f"portable programs come first: {platforms}")
    expect(platforms[2][1] == "wasm", f"then wasm itself: {platforms}")
    expect(len({e["digest"] for e in entries[:3]}) == 1, "one portable program, three platforms")
    natives = [e for e in entries if e.get("artifactType") == NATIVE]
    expect(len(natives) == len(version.artifacts), f"{len(natives)} natives")
    for native in natives:
        platform = native["platform"]
        expect(platform["os"] == "edgec", f"a native of {platform}")
        expect(platform["architecture"] in ("amd64", "arm64"), f"a native of {platform}")
    releases = [e for e in entries if e.get("artifactType") == RELEASE]
    expect(len(releases) == 1, f"{len(releases)} releases")
    return f"{len(entries)} entries, {len(natives)} natives"


def read_by_tools(world, host, repository):
    """Each tool gives the same bytes, and finds the portable program for common platforms."""
    named = reference(host, repository)
    status, fields, body = get(host, f"/v2/{repository}/manifests/v1")
    expect(status == 200 and fields["content-type"] == INDEX, f"{status}, {fields}")
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    insecure = "--tls-verify=false"
    answers = {
        "skopeo": world.tool("skopeo", "inspect", insecure, "--raw", f"docker://{named}"),
        "crane": world.tool("crane", "manifest", "--insecure", named),
        "oras": world.tool("oras", "manifest", "fetch", "--plain-http", named),
    }
    for tool, answer in answers.items():
        expect(answer.strip() == body.strip(), f"{tool} reads another index: {answer[:300]}")
    found = world.tool("crane", "digest", "--insecure", named).decode().strip()
    expect(found == digest, f"crane finds the digest {found}, not {digest}")
    index = json.loads(body)
    portable = index["manifests"][0]["digest"]
    for os, architecture in PORTABLE:
        platform = f"{os}/{architecture}"
        answer = world.tool("crane", "digest", "--insecure", "--platform", platform, named)
        expect(answer.decode().strip() == portable, f"crane for {platform}: {answer}")
        fetch = ["oras", "manifest", "fetch", "--plain-http", "--descriptor"]
        answer = json.loads(world.tool(*fetch, "--platform", platform, named))
        expect(answer["digest"] == portable, f"oras for {platform}: {answer}")
    types = [e["artifactType"] for e in index["manifests"] if "artifactType" in e]
    return f"3 tools, {len(body)} bytes, {len(types)} entries with an artifactType"


def pulled_by_clients(world, host, version):
    wanted = version.component.read_bytes()
    for how in ("client", "wasm"):
        got = world.client(how, reference(host, version.name))
        expect(got == wanted, f"{how} pulls {len(got)} other bytes")
    return f"{len(wanted)} equal bytes, twice"


def skopeo(world, source, target):
    insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    world.tool("skopeo", "copy", "--all", *insecure, f"docker://{source}", f"docker://{target}")


def crane(world, source, target):
    world.tool("crane", "copy", "--insecure", source, target)


def oras(world, source, target):
    world.tool("oras", "cp", "-r", "--from-plain-http", "--to-plain-http", source, target)


def edgec(world, source, target):
    world.edgec.run("copy", source, target)


COPIES = {"skopeo": skopeo, "crane": crane, "oras": oras, "edgec": edgec}


def copied(world, tool, copy, source, target, version, place):
    """A copy under another name, and a pull from it into an empty store, verified."""
    repository = f"copies/{tool}"
    copy(world, reference(source, version.name), reference(target, repository))
    before, _ = manifest(source, version.name, "v1")
    after, index = manifest(target, repository, "v1")
    point = world.point(f"{place}-{tool}")
    point.pull(reference(target, repository))
    point.verify()
    kept = "the same digest" if before == after else "another digest"
    return f"{len(index['manifests'])} entries, {kept}, verified"


def verified_by_cosign(world, host, repository):
    """The bundles that are attached to natives, over the image that the native's layer holds."""
    _, index = manifest(host, repository, "v1")
    count = 0
    for entry in index["manifests"]:
        if entry.get("artifactType") != NATIVE:
            continue
        _, native = manifest(host, repository, entry["digest"])
        layer = next(layer for layer in native["layers"] if layer["mediaType"] == IMAGE)
        compressed = blob(host, repository, layer["digest"])
        image = world.tool("zstd", "-d", "-c", data=compressed)
        attached = referrers(host, repository, entry["digest"])
        bundles = [
            blob(host, repository, content["layers"][0]["digest"])
            for _, content in attached
            if content["layers"][0]["mediaType"] == BUNDLE
        ]
        expect(bundles, f"nothing is attached to {entry['digest']}: {attached}")
        for bundle in bundles:
            expect(cosign(world, bundle, image), "cosign refuses a bundle")
            changed = bytearray(image)
            changed[len(changed) // 2] ^= 1
            expect(not cosign(world, bundle, bytes(changed)), "cosign accepts another image")
            count += 1
    return f"{count} bundles accepted, and refused over a changed image"


def cosign(world, bundle, image):
    paths = world.folder / "bundle.json", world.folder / "image"
    paths[0].write_bytes(bundle)
    paths[1].write_bytes(image)
    public = world.publisher.key("signer").with_suffix(".pub.pem")
    command = ["cosign", "verify-blob-attestation", "--key", public, "--bundle", paths[0]]
    command += ["--type", PREDICATE, "--insecure-ignore-tlog", paths[1]]
    return world.attempt(*command).returncode == 0


def split(world, registry, read, version):
    """A single manifest under the tag, and the index beside it."""
    named = reference(registry.host, "split", "v1")
    world.publisher.push(named, version, "--layout", "split")
    _, single = manifest(read.host, "split", "v1")
    expect("layers" in single, f"the tag names no manifest: {single}")
    _, index = manifest(read.host, "split", "v1.edgec")
    expect("manifests" in index, f"the second tag names no index: {index}")
    for how in ("client", "wasm"):
        got = world.client(how, reference(read.host, "split"))
        expect(got == version.component.read_bytes(), f"{how} pulls {len(got)} other bytes")
    point = world.point(f"split-{registry.host.replace(':', '-')}")
    point.pull(reference(read.host, "split"))
    point.verify()
    return "oci-client, oci-wasm and edgec pull it"


def built(world):
    """Builds the large program while other cases run. A failure is told when it is needed."""
    with contextlib.suppress(Failed):
        large_version(world)


def large_version(world):
    component = world.large_guest()
    name = component and f"guests/{component.stem}"
    return component and world.version(name, 1, source=component)


def pushed_large(world, registry):
    """The JavaScript program: 13 MB, and tens of megabytes for each CPU."""
    component = world.large_guest()
    if not component:
        return
    with world.case(f"docker-registry: push, pull and copy {component.stem}") as note:
        version = large_version(world)
        note(pushed(world, registry, version))
        note(index_as_it_should_be(registry.host, version.name, version))
        note(pulled_by_clients(world, registry.host, version))
        registry.counters.clear()
        point = world.point("large")
        point.pull(reference(registry.host, version.name))
        point.verify()
        note(f"pulled with {kib(registry.counters.sent())}")


def refusal(done):
    """The code of a refusal, which must be there."""
    if done.status == 0 or not done.code:
        raise Failed(f"exit code {done.status}: {done.said}{done.out}")
    return done.code
