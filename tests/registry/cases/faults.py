"""Faults of registries, links, disks and processes, while an old version serves.

After each, the old version answers, the store is whole, and the new version comes by itself.
"""

import re
import shutil
import subprocess
import sys
import time

from cases.tools import refusal
from fault import Cut, Flip, Old, Short, Stall, Status
from follow import Follower, wait_until
from proxy import Proxy
from release import REPOSITORY, Failed
from world import expect, kib

sys.path.append(str(REPOSITORY / "tests" / "serve"))

from host import Server, application, fill  # noqa: E402
from probe import Probe  # noqa: E402

APPLICATION = "faults/app"
TAG = "live"
# Bytes in an image that no compressor makes smaller. Every version has others.
PADDING = 150_000
# So many bytes of a body came before something happened. Envelopes are shorter.
MIDDLE = 50_000
SLOW = 50_000


class Scene:
    """A registry, a cache, links between them, and a point of presence that serves."""

    def __init__(self, world, name, store=None):
        self.world, self.name = world, name
        self.origin = world.registry(f"{name}-origin")
        self.far = world.start(Proxy(self.origin.port))
        self.cache = world.registry(f"{name}-cache", cache_of=self.far.host)
        self.near = world.start(Proxy(self.cache.port))
        self.point = world.point(name, store=store)
        self.version = 0
        self.publish()
        self.point.pull(self.reference)
        self.server = Server(self.point, [application("app") | {"name": APPLICATION}])
        self.probe = None

    @property
    def reference(self):
        return f"{self.near.host}/{APPLICATION}:{TAG}"

    def publish(self):
        """The next version, pushed to the registry, past every link."""
        self.version += 1
        version = self.world.version(APPLICATION, self.version, padding=PADDING)
        self.world.publisher.push(f"{self.origin.host}/{APPLICATION}:{TAG}", version)
        return version

    def answered(self):
        """The version that clients get."""
        status, text = self.server.ask("app", "/a")
        expect(status == 200, f"clients get status {status}: {text}")
        return (ord(text[0]) - ord("v")) * 10 + int(text[1])

    def pull(self, **more):
        return self.point.attempt(self.reference, **more)

    def follower(self):
        return Follower(self.point, self.reference, APPLICATION)

    def still(self, version):
        """After a fault: the old version answers, and every image is whole."""
        expect(self.answered() == version, f"version {self.answered()} answers, not {version}")
        self.point.verify()
        found = self.point.version(APPLICATION)
        expect(found == version, f"version {found} is current, not {version}")

    def reaches(self, version, patience=60):
        """The host serves a version, and nothing is left behind. Returns the seconds."""
        took = wait_until(
            lambda: self.answered() == version, f"version {version} does not come", patience
        )
        self.point.verify()
        return took

    def clean(self):
        """After a run that succeeded, nothing of those before is left."""
        expect(self.point.unfinished() == [], f"left behind: {self.point.unfinished()}")

    def by_itself(self):
        """The fault has ended: what follows the reference comes to the new version."""
        with self.follower():
            took = self.reaches(self.version)
        self.clean()
        return f"version {self.version} after {took:.1f} s"

    def __enter__(self):
        self.server.__enter__()
        self.probe = Probe(self.server.port, "app.test", "/a", pause=0.02).__enter__()
        return self

    def __exit__(self, *failure):
        self.probe.__exit__()
        self.server.__exit__(*failure)

    def all_answered(self):
        expect(not self.probe.failures, f"failed: {self.probe.failures[:3]}")
        return self.probe.line()


def run(world):
    with Scene(world, "links") as scene:
        for fault in (
            registry_killed,
            cache_restarted,
            cut_short,
            cut_once,
            shorter,
            flipped,
            flipped_before_the_cache,
            old_index,
            overloaded,
            slow,
            followed_through_everything,
        ):
            with world.case(fault.__doc__) as note:
                fault(scene, note)
        with world.case("links: requests while all of this happened") as note:
            note(scene.all_answered())
    with world.case("the disk is full") as note:
        disk_full(world, note)
    killed(world)


def refused(scene, note, *codes):
    """A pull fails with one of these codes, and nothing has changed."""
    before = scene.answered()
    done = scene.pull()
    code = refusal(done)
    expect(code in codes, f"the code is {code}: {done.said}")
    scene.still(before)
    note(code)
    return done


def registry_killed(scene, note):
    """the registry is killed in the middle of a pull"""
    old = scene.version
    scene.publish()
    with scene.far.fault(Stall(MIDDLE)) as stall:
        pulling = scene.point.edgec.start(*scene.point.arguments(scene.reference))
        expect(stall.reached.wait(60), "no blob is asked for")
        scene.origin.kill()
        scene.far.stop()
        status = pulling.wait(120)
    expect(status != 0, "a pull succeeds without a registry")
    scene.still(old)
    refused(
        scene,
        note,
        "registry-unreachable",
        "registry-unavailable",
        "registry-absent",
        "registry-cut-short",
    )
    scene.origin.start()
    scene.far.start()
    note(scene.by_itself())


def cache_restarted(scene, note):
    """the cache is restarted in the middle of a pull"""
    scene.publish()
    with scene.near.fault(Stall(MIDDLE, times=1)) as stall:
        pulling = scene.point.edgec.start(*scene.point.arguments(scene.reference))
        expect(stall.reached.wait(60), "no blob is asked for")
        scene.cache.kill()
        scene.near.stop()
        scene.cache.start()
        scene.near.start()
        stall.go.set()
        status = pulling.wait(120)
    expect(status == 0, f"the pull ends with {status}")
    took = scene.reaches(scene.version)
    note(f"the same pull goes on; version {scene.version} after {took:.1f} s")
    scene.clean()


def cut_short(scene, note):
    """every blob breaks off"""
    scene.publish()
    with scene.near.fault(Cut(after=0)):
        refused(scene, note, "registry-cut-short", "registry-unreachable")
    note(scene.by_itself())


def cut_once(scene, note):
    """a blob breaks off once, and is resumed"""
    version = scene.publish()
    scene.near.counters.clear()
    with scene.near.fault(Cut(MIDDLE, times=1)) as cut:
        done = scene.pull()
    expect(done.status == 0, done.said)
    expect(cut.count == 1, "nothing broke off")
    sent = scene.near.counters.sent(kind="blob")
    resumed = scene.near.counters.requests(kind="blob", status=206)
    expect(resumed == 1, f"{resumed} answers are parts: {scene.near.counters.line()}")
    scene.reaches(scene.version)
    scene.clean()
    note(f"{kib(sent)} in all, version {version.version}")


def shorter(scene, note):
    """a blob is shorter than its descriptor says"""
    scene.publish()
    with scene.near.fault(Short(least=MIDDLE)) as fault:
        refused(scene, note, "registry-size", "registry-cut-short", "registry-digest")
        expect(fault.count > 0, "nothing was shorter")
    note(scene.by_itself())


def flipped(scene, note):
    """a byte of a blob is another"""
    scene.publish()
    with scene.near.fault(Flip(MIDDLE)) as fault:
        done = refused(scene, note, "registry-digest")
        expect(fault.count > 0, "nothing was changed")
    digests = set(re.findall(r"\b[0-9a-f]{64}\b", done.said))
    expect(len(digests) >= 2, f"not both digests are named: {done.said}")
    note("both digests named")
    note(scene.by_itself())


def flipped_before_the_cache(scene, note):
    """a byte is another between the registry and the cache"""
    scene.publish()
    with scene.far.fault(Flip(MIDDLE)):
        refused(scene, note, "registry-digest", "registry-cut-short", "registry-unavailable")
    note(scene.by_itself())


def old_index(scene, note):
    """a mirror brings back the release before"""
    old = Old(scene.near, APPLICATION, TAG)
    scene.publish()
    done = scene.pull()
    expect(done.status == 0, done.said)
    scene.reaches(scene.version)
    with scene.near.fault(old):
        refused(scene, note, "serial-rollback", "version-rollback", "release-rollback")
    scene.publish()
    note(scene.by_itself())


def overloaded(scene, note):
    """the registry is overloaded: it answers 429 and 503, and then again"""
    scene.publish()
    with scene.near.fault(Status(429, {"retry-after": "1"}, kind="tag", times=1)):
        with scene.near.fault(Status(503, times=2)) as busy:
            done = scene.pull()
    expect(done.status == 0, done.said)
    note(f"{busy.count + 1} errors, then version {scene.version}")
    scene.reaches(scene.version)
    scene.clean()


def slow(scene, note):
    """a link of 50 KB/s"""
    scene.publish()
    scene.near.counters.clear()
    begin = time.monotonic()
    with scene.near.slow(SLOW):
        done = scene.pull()
    expect(done.status == 0, done.said)
    took = time.monotonic() - begin
    note(f"{kib(scene.near.counters.sent())} in {took:.1f} s")
    scene.reaches(scene.version)
    scene.clean()


def followed_through_everything(scene, note):
    """a running sync meets one fault after another"""
    old = scene.version
    with scene.follower() as follower:
        for fault in (Cut(0), Flip(MIDDLE), Short(least=MIDDLE), Status(500, kind="tag")):
            with scene.near.fault(fault):
                if scene.version == old:
                    scene.publish()
                wait_until(lambda: fault.count >= 1, f"{fault} does not happen")
                time.sleep(0.3)
                scene.still(old)
        took = scene.reaches(scene.version)
        expect(follower.process.poll() is None, f"it ended: {follower.logged()}")
    scene.clean()
    note(f"4 faults, then version {scene.version} after {took:.1f} s")


def disk_full(world, note):
    """The store is on a disk that becomes full."""
    folder = world.folder / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "edgec-test", folder]
    mounted = subprocess.run([*map(str, mount)], capture_output=True, text=True)
    if mounted.returncode != 0:
        note(f"NOT CHECKED: no small disk can be mounted: {mounted.stderr.strip()}")
        return
    try:
        with Scene(world, "disk", store=folder / "store") as scene:
            scene.publish()
            fill(folder / "filler")
            done = refused(scene, note, "io", "store-io", "disk-full", "no-space")
            expect("space" in done.said, f"the error does not say why: {done.said}")
            (folder / "filler").unlink()
            note(scene.by_itself())
            note(scene.all_answered())
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def killed(world):
    with Scene(world, "killed") as scene:
        with world.case("kill -9 of the pull at each request") as note:
            at_each_request(scene, note)
        with world.case("kill -9 of the sync at each request") as note:
            sync_at_each_request(scene, note)
        with world.case("kill -9 of the pull at each change of the store") as note:
            at_each_change(scene, note)
        with world.case("killed: requests while all of this happened") as note:
            note(scene.all_answered())
    with world.case("kill -9 of the host at each step") as note:
        host_killed(world, note)


# Where a pull stands when it is killed: the kind of the request, and the bytes that came.
STEPS = [
    ("tag", 0),
    ("tag", 500),
    ("manifest", 0),
    ("manifest", 300),
    ("blob", 0),
    ("blob", 1000),
    ("blob", MIDDLE),
    ("blob", 3 * MIDDLE - 5000),
]


def at_each_request(scene, note):
    old = scene.version
    scene.publish()
    for kind, after in STEPS:
        with scene.near.fault(Stall(after, kind=kind)) as stall:
            pulling = scene.point.edgec.start(*scene.point.arguments(scene.reference))
            is_there = stall.reached.wait(30)
            pulling.kill()
            pulling.wait()
        expect(is_there, f"{kind} of {after} bytes: no such request")
        scene.still(old)
    note(f"{len(STEPS)} kills")
    note(scene.by_itself())


def sync_at_each_request(scene, note):
    old = scene.version
    scene.publish()
    for kind, after in STEPS:
        with scene.near.fault(Stall(after, kind=kind)) as stall:
            with scene.follower():
                is_there = stall.reached.wait(30)
        expect(is_there, f"{kind} of {after} bytes: no such request")
        scene.still(old)
    note(f"{len(STEPS)} kills")
    note(scene.by_itself())


CHANGES = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,fsync,fdatasync,mkdir,mkdirat"
# So many of them are tried in one run, spread over all.
MOST_KILLS = 24


def at_each_change(scene, note):
    """Kills a pull at the first change of a file, at the second, and so on, each in a store of its
    own, until a pull comes through."""
    if not shutil.which("strace"):
        raise Failed("strace is not installed: apt-get install strace")
    old = scene.version
    scene.publish()
    store, counts = scene.point.path, {"old": 0, "new": 0}
    total = changes_of(scene, copy_of(store, "count"))
    numbers = sorted({1 + at * (total - 1) // (MOST_KILLS - 1) for at in range(MOST_KILLS)})
    for number in numbers:
        point = scene.world.point(f"killed-{number}", store=copy_of(store, f"killed-{number}"))
        inject = f"inject={CHANGES}:signal=SIGKILL:when={number}"
        done = point.attempt(
            scene.reference,
            before=[
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                f"trace={CHANGES}",
                "-e",
                inject,
            ],
        )
        expect(done.status not in (0, 1, 2, 3), f"change {number}: it ends with {done.status}")
        point.verify()
        found = point.version(APPLICATION)
        expect(found in (old, scene.version), f"change {number}: version {found} is current")
        counts["old" if found == old else "new"] += 1
        point.pull(scene.reference)
        found, left = point.version(APPLICATION), point.unfinished()
        expect(found == scene.version, f"change {number}: then version {found} is current")
        expect(left == [], f"change {number}: left behind: {left}")
        point.verify()
        shutil.rmtree(point.path)
    expect(counts["old"] > 0, "no kill came before the version was there")
    note(
        f"{len(numbers)} kills among {total} changes: {counts['old']} before the new version "
        f"is current, {counts['new']} after"
    )
    note(scene.by_itself())


def copy_of(store, name):
    copy = store.with_name(f"{store.name}-{name}")
    subprocess.run(["cp", "-a", str(store), str(copy)], check=True)
    return copy


def changes_of(scene, store):
    """How many changes of files a whole pull makes."""
    log = store.with_suffix(".strace")
    point = scene.world.point("count", store=store)
    before = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={CHANGES}"]
    point.pull(scene.reference, before=before)
    calls = [line for line in log.read_text().splitlines() if re.search(r"\b[a-z0-9]+\(", line)]
    shutil.rmtree(store)
    return len(calls)


def host_killed(world, note):
    """The host is killed while a sync pulls, and right after; each time it serves again."""
    with Scene(world, "host") as scene:
        scene.probe.__exit__()
        before = len(scene.probe.failures)
        for kind, after in STEPS:
            old = scene.version
            scene.publish()
            with scene.follower():
                with scene.near.fault(Stall(after, kind=kind)) as stall:
                    expect(stall.reached.wait(30), f"{kind} of {after} bytes: no such request")
                    restart(scene)
                    scene.still(old)
                scene.reaches(scene.version)
        for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
            # The new version is admitted, and the host is about to take it.
            scene.publish()
            done = scene.pull()
            expect(done.status == 0, done.said)
            time.sleep(pause)
            restart(scene)
            expect(scene.answered() == scene.version, "a restarted host serves an old version")
        scene.clean()
        note(f"{len(STEPS) + 6} kills, each followed by answers; {before} failed before the first")


def restart(scene):
    scene.server.process.kill()
    scene.server.process.wait()
    scene.server.start()
