"""kill -9 of pulls, syncs and hosts at each step, while an old version serves."""

import collections
import re
import shutil
import subprocess
import time

from fault import Stall
from release import Failed
from scene import APPLICATION, MIDDLE, Scene
from world import expect


def run(world):
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


# Seconds after an admission. A host looks at its store every tenth of a second.
PAUSES = (0.0, 0.05, 0.15)


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
STRACE = ("strace", "-f", "-qq", "-e", f"trace={CHANGES}", "-o")
# So many of them are tried in one run, spread over all.
MOST_KILLS = 16


def at_each_change(scene, note):
    """Kills pulls at changes of files, from the first to the last, each in a copy of the store."""
    if not shutil.which("strace"):
        raise Failed("strace is not installed: apt-get install strace")
    old = scene.version
    scene.publish()
    store, counts = scene.point.path, {"old": 0, "new": 0}
    all_of_them = changes_of(scene, copy_of(store, "count"))
    last = len(all_of_them) - 1
    chosen = sorted({at * last // (MOST_KILLS - 1) for at in range(MOST_KILLS)})
    for number in chosen:
        call, when = all_of_them[number]
        what = f"{call} {when}"
        point = scene.world.point(f"killed-{number}", store=copy_of(store, f"killed-{number}"))
        done = point.attempt(
            scene.reference,
            before=[*STRACE, "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={when}"],
        )
        expect(done.status not in (0, 1, 2, 3), f"{what}: it ends with {done.status}")
        point.verify()
        found = point.version(APPLICATION)
        expect(found in (old, scene.version), f"{what}: version {found} is current")
        counts["old" if found == old else "new"] += 1
        # A download that was cut off stays until the store is cleaned, which a sync does by itself.
        point.pull(scene.reference)
        point.edgec.run("store", "--store", point.path, "gc")
        found, left = point.version(APPLICATION), point.unfinished()
        expect(found == scene.version, f"{what}: then version {found} is current")
        expect(left == [], f"{what}: left behind: {left}")
        point.verify()
        shutil.rmtree(point.path)
    expect(counts["old"] > 0, "no kill came before the version was there")
    note(
        f"{len(chosen)} kills among {len(all_of_them)} changes: {counts['old']} before the new "
        f"version is current, {counts['new']} after"
    )
    note(scene.by_itself())


def copy_of(store, name):
    copy = store.with_name(f"{store.name}-{name}")
    subprocess.run(["cp", "-a", str(store), str(copy)], check=True)
    return copy


def changes_of(scene, store):
    """The changes of files that a whole pull makes: system calls, each with its number.

    As strace does, it counts the calls of one name in one thread.
    """
    log = store.with_suffix(".strace")
    point = scene.world.point("count", store=store)
    point.pull(scene.reference, before=[*STRACE, str(log)])
    shutil.rmtree(store)
    made, counts = [], collections.Counter()
    for thread, call in re.findall(r"^(\d+) +([a-z0-9]+)\(", log.read_text(), re.MULTILINE):
        counts[thread, call] += 1
        if (call, counts[thread, call]) not in made:
            made.append((call, counts[thread, call]))
    return made


def host_killed(world, note):
    """The host is killed while a sync pulls, and right after; each time it serves again."""
    with Scene(world, "host") as scene:
        scene.probe.__exit__()
        before = len(scene.probe.failures)
        for kind, after in STEPS[::2]:
            old = scene.version
            scene.publish()
            with scene.follower():
                with scene.near.fault(Stall(after, kind=kind)) as stall:
                    expect(stall.reached.wait(30), f"{kind} of {after} bytes: no such request")
                    restart(scene)
                    scene.still(old)
                scene.reaches(scene.version)
        for pause in PAUSES:
            # The new version is admitted, and the host is about to take it.
            scene.publish()
            done = scene.pull()
            expect(done.status == 0, done.said)
            time.sleep(pause)
            restart(scene)
            expect(scene.answered() == scene.version, "a restarted host serves an old version")
        scene.clean()
        count = len(STEPS[::2]) + len(PAUSES)
        expect(before == 0, f"{before} requests failed before the first kill")
        note(f"{count} kills, each followed by answers")


def restart(scene):
    scene.server.process.kill()
    scene.server.process.wait()
    scene.server.start()
