"""Faults of registries, links and disks, while an old version serves.

After each, the old version answers, the store is whole, and the new version comes by itself.
"""

import re
import subprocess
import time

from cases.tools import refusal
from fault import Cut, Flip, Old, Short, Stall, Status
from follow import wait_until
from scene import APPLICATION, MIDDLE, TAG, Scene
from world import expect, kib

# Bytes in a second.
SLOW = 50_000


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
    # Past the cache, which would wait for the registry too.
    direct = f"{scene.far.host}/{APPLICATION}:{TAG}"
    with scene.far.fault(Stall(MIDDLE)) as stall:
        pulling = scene.point.edgec.start(*scene.point.arguments(direct))
        expect(stall.reached.wait(60), "no blob is asked for")
        scene.origin.kill()
        scene.far.stop()
        status = pulling.wait(120)
    expect(status == 3, f"without a registry, a pull ends with {status}")
    scene.still(old)
    code = refusal(scene.point.attempt(direct))
    expect(code == "registry-unreachable", f"the code is {code}")
    scene.still(old)
    scene.origin.start()
    scene.far.start()
    note(code)
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
        refused(scene, note, "serial-rollback", "version-rollback")
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
    said = mounted.stderr.strip()
    expect(mounted.returncode == 0, f"no small disk can be mounted: {said}")
    try:
        with Scene(world, "disk", store=folder / "store") as scene:
            scene.publish()
            fill(folder / "filler")
            done = refused(scene, note, "io")
            expect("space" in done.said, f"the error does not say why: {done.said}")
            (folder / "filler").unlink()
            note(scene.by_itself())
            note(scene.all_answered())
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path):
    """Takes all the room that is left on a disk."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass
