"""Points of presence of both CPUs pull through the cache, and serve what they pulled."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from follow import Follower, wait_until
from proxy import Proxy
from release import REPOSITORY, Failed, host_profile
from world import expect, kib

sys.path.append(str(REPOSITORY / "tests" / "serve"))

# The features that the kernel of an emulated neoverse-n1 has.
FEATURES = ["dotprod", "fp16", "lse"]
MODEL = "neoverse-n1"
# Fewer bytes than the image that is pulled.
IMAGE = 50_000
HELLO = REPOSITORY / "examples" / "hello.wat"
CROSS = REPOSITORY / "tests" / "aarch64" / "cross.sh"


def run(world):
    origin = world.registry("points-origin")
    far = world.start(Proxy(origin.port))
    cache = world.registry("points-cache", cache_of=far.host)
    near = world.start(Proxy(cache.port))
    web = world.version("points/web", 1, padding=100_000)
    command = world.version("points/hello", 1, source=HELLO)
    for version in (web, command):
        world.publisher.push(f"{origin.host}/{version.name}:v1", version)
    profiles = {"x86_64": here(world), "aarch64": there(world)}
    points = {}
    for target, profile in profiles.items():
        with world.case(f"{target}: pulled through the cache, by host profile") as note:
            points[target] = world.point(target, host=profile)
            for version in (web, command):
                near.counters.clear()
                points[target].pull(f"{near.host}/{version.name}:v1")
                note(f"{near.counters.requests()} requests, {kib(near.counters.sent())}")
            only(points[target], target)
    with world.case("a second point: the cache asks the registry for no blob") as note:
        # docker-registry asks twice the first time: once for the client, and once to keep it.
        often = {path: count for path, count in far.counters.paths.items() if "/blobs/" in path}
        expect(max(often.values()) <= 2, f"more than twice: {often}")
        before = far.counters.requests(kind="blob")
        again = world.point("again", host=profiles["x86_64"])
        again.pull(f"{near.host}/{web.name}:v1")
        expect(far.counters.requests(kind="blob") == before, "a second point asks the registry")
        note(f"{before} blobs, {kib(far.counters.sent(kind='blob'))}")
    with world.case("nothing new: a pull asks for no image") as note:
        near.counters.clear()
        points["x86_64"].pull(f"{near.host}/{web.name}:v1")
        # The release, its timestamp and the envelope are read again.
        expect(near.counters.sent(kind="blob") < IMAGE, near.counters.line())
        note(f"{near.counters.requests()} requests, {near.counters.sent()} bytes")
    with world.case("nothing new: a sync asks for the tag alone") as note:
        note(polled(points["x86_64"], near, web))
    with world.case("x86_64: served by edgec serve, asked over HTTP") as note:
        note(served(points["x86_64"], web))
    with world.case("aarch64: run by an emulated CPU") as note:
        note(emulated(world, points["aarch64"], web, command))
    with world.case("aarch64: pulled, kept current and served by edgec on that CPU") as note:
        note(alone_there(world, f"{near.host}/{web.name}:v1", web))


def polled(point, near, version):
    """A sync first looks at everything, and then only asks whether the tag has moved."""
    with Follower(point, f"{near.host}/{version.name}:v1", version.name):
        wait_until(lambda: near.counters.requests(kind="tag") > 3, "it does not ask")
        near.counters.clear()
        wait_until(lambda: near.counters.requests(kind="tag") > 5, "it does not ask again")
        line = near.counters.line()
    others = near.counters.requests() - near.counters.requests(kind="tag")
    expect(others == 0 and near.counters.sent() == 0, line)
    return line


def here(world):
    path = world.folder / "fra.toml"
    world.edgec.run("host", "--save", path, "--profile", "edge")
    return path


def there(world):
    """The profile of an aarch64 machine with the same engine."""
    fields = world.edgec.json("host")["profile"]
    engine = fields["engine"]
    return host_profile(world.folder, "ams", "aarch64", FEATURES, engine)


def only(point, target):
    """The store has artifacts for this CPU alone, and they verify."""
    point.verify()
    targets = {row["target"] for row in point.listed()}
    expect(targets == {target}, f"the store has {targets}")
    expect(point.unfinished() == [], f"left behind: {point.unfinished()}")


def served(point, version):
    from host import Server, application

    machine = os.uname().machine
    if machine != "x86_64":
        return f"NOT CHECKED: this machine is {machine}"
    return answered(Server(point, [application("web") | {"name": version.name}]))


def alone_there(world, reference, version):
    """An edgec for aarch64, with the features of the image for hosts, needs no other machine.

    It asks its CPU, which is emulated, and no file says which one that is.
    """
    from host import Server, application

    if not os.environ.get("EDGEC_CROSS"):
        return "NOT CHECKED: `cargo xtask ci aarch64` does it"
    made = subprocess.run([CROSS, "--edgec", MODEL], stdout=subprocess.PIPE, text=True, check=True)
    edgec = made.stdout.split()
    point = world.point("emulated")
    world.tool(*edgec, *point.arguments(reference))
    only(point, "aarch64")
    follower = Follower(point, reference, version.name)
    world.tool(*edgec, "sync", follower.config, "--store", point.path, "--once")
    server = Server(point, [application("web") | {"name": version.name}], start=False)
    text = answered(server, [*edgec, *server.command()[1:]])
    return f"{text} on {MODEL}"


def answered(server, command=None):
    """What the program answers. The server then ends."""
    with server:
        if command:
            server.start(command)
        status, text = server.ask("web", "/a")
        expect((status, text) == (200, "v1\n"), f"it answers {status}: {text}")
        expect(server.stop() == 0, "it does not end well")
    return f"200 {text.strip()}"


def emulated(world, point, web, command):
    """The images of the store, in another build of the engine on another CPU.

    A command prints its line. A program of `wasi:http` is instantiated with all of its imports:
    Wasmtime's Python interface cannot hand it a request. The next case does.
    """
    root = os.environ.get("EDGEC_AARCH64_ROOT") or Path.home() / ".cache/edgec/aarch64"
    if not (Path(root) / "ready").is_file() or not shutil.which("qemu-aarch64-static"):
        if os.environ.get("EDGEC_REQUIRE_EMULATION"):
            raise Failed("tests/aarch64/setup.sh did not run")
        return "NOT CHECKED: tests/aarch64/setup.sh did not run"
    jobs = []
    for version in (command, web):
        path = point.edgec.run("store", "--store", point.path, "path", version.name).strip()
        stem = world.folder / version.name.replace("/", "-")
        stem.with_suffix(".stdin").write_text("")
        names = ("stdin", "stdout", "stderr")
        streams = {name: str(stem.with_suffix(f".{name}")) for name in names}
        jobs.append({"artifact": path, "epochs": True, "arguments": []} | streams)
    listed = world.folder / "jobs.json"
    listed.write_text(json.dumps(jobs))
    script = REPOSITORY / "tests" / "aarch64" / "run_components.py"
    run = ["qemu-aarch64-static", "-cpu", MODEL, "-L", root, f"{root}/usr/bin/python3.13"]
    done = subprocess.run(
        [*map(str, run), str(script), str(listed)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{root}/opt/wasmtime"},
    )
    expect(done.returncode == 0, done.stderr)
    said = json.loads(done.stdout)
    first, second = said["results"]
    printed = Path(jobs[0]["stdout"]).read_text()
    expect(first == {"code": 0} and "Hello" in printed, f"{first}, {printed}")
    expect("exports" in second, f"{second}")
    return f"{said['machine']} as {MODEL}: {printed.strip()!r}; the program of wasi:http starts"
