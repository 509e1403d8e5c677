"""A simulated fleet: registries, points of presence, a publisher, and what is seen of them."""

import contextlib
import json
import os
import statistics
import threading
import time

import guest
from host import Failed, expect, wait_until
from pops import Pop, kinds_of
from publisher import Publisher
from registries import Registries

# Debug builds of edgec on a busy machine may take this long for a whole rollout.
PATIENCE = 900


class Fleet:
    """Everything of a simulation. It ends with the block."""

    def __init__(self, edgec, pace, say):
        self.edgec, self.pace, self.say = edgec, pace, say
        this = json.loads(edgec.run("host", "--format", "json"))["profile"]
        self.engine = this["engine"]
        kinds = kinds_of(pace.pops)
        targets = list(dict.fromkeys(kind["target"] for kind in kinds))
        self.publisher = Publisher(edgec, targets, pace.functions)
        self.registries = Registries(edgec.folder / "registries", pace.caches)
        self.pops = []
        for number, kind in enumerate(kinds):
            runs = kind["arch"] == this["arch"] and set(kind["features"]) <= set(this["features"])
            cache = self.registries.fronts[number % pace.caches]
            self.pops.append(Pop(self, number, kind, cache, serves=runs))
        self.serving = [pop for pop in self.pops if pop.serves]
        expect(len(self.serving) > pace.canaries, "this machine runs too few of the kinds")
        self.canaries = self.serving[: pace.canaries]
        self.others = [pop for pop in self.pops if pop not in self.canaries]
        self.seen = Seen(self.pops)

    def start(self, version):
        """Starts all hosts, and pushes their first version. Those that serve are asked then.

        Returns the seconds from the push until all have it, and what the registries gave.
        """
        for pop in self.pops:
            pop.start_sync()
        for pop in self.serving:
            pop.start_serve()
        for pop in self.pops:
            pop.wait_for_start()
        self.seen.start()
        before = self.registries.counts()
        self.publisher.push(version, self.registries.publisher.port)
        begin = time.monotonic()
        self.wait_for(version, begin, serving=False)
        counts = self.registries.counts() - before
        for pop in self.serving:
            pop.begin_to_ask()
        self.wait_for(version, begin)
        moments = [self.moment(pop, version, begin, serving=False) for pop in self.pops]
        return max(moments) - begin, counts

    def wait_for(self, version, since, serving=True, pops=None):
        """Until these hosts have a version as current, and those that serve answer with it."""
        pops = pops or self.pops

        def lack():
            self.check()
            return [pop.name for pop in pops if self.moment(pop, version, since, serving) is None]

        def what():
            return f"version {version} is not at {' '.join(lack())}\n" + self.seen.text(lack())

        try:
            wait_until(lambda: not lack(), "", patience=PATIENCE, pause=0.1)
        except Failed:
            raise Failed(what()) from None

    def moment(self, pop, version, since, serving=True):
        """When a host had a version after `since`: it answers with it, or has admitted it."""
        if pop.serves and serving:
            return pop.client.first(guest.answer(version), since)
        return self.seen.first(pop, version, since)

    def times(self, version, since):
        """Seconds from `since` until the first, half, and all of the hosts had a version."""
        moments = sorted(self.moment(pop, version, since) - since for pop in self.pops)
        return {
            "first": round(moments[0], 2),
            "half": round(statistics.median_low(moments), 2),
            "all": round(moments[-1], 2),
        }

    def check(self):
        for pop in self.pops:
            pop.sync.check()
            if pop.client is not None:
                pop.server.check()

    def settle(self, seconds):
        """Lets time pass, while all processes live."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            time.sleep(0.1)

    def listed(self):
        """What the stores themselves have: versions and the current one, by host."""
        return {pop.name: pop.listed() for pop in self.pops}

    def resident(self):
        """Resident memory of a sync, and of a serve, in MiB: medians."""
        return {
            "sync": round(statistics.median(pop.sync.resident() for pop in self.pops), 1),
            "serve": round(statistics.median(pop.server.resident() for pop in self.serving), 1),
        }

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.seen.stop()
        if os.environ.get("EDGEC_FLEET_LOGS"):
            for pop in self.canaries + self.others[:3]:
                for log in (pop.sync.log, pop.server.log):
                    if log.is_file():
                        self.say(f"{log}:\n{log.read_text(errors='replace')[-3000:]}")
        for pop in self.pops:
            for part in (pop.sync, pop.server):
                if part.process is not None and part.process.poll() is None:
                    part.process.terminate()
        for pop in self.pops:
            with contextlib.suppress(Exception):
                pop.stop()
        self.registries.__exit__()


class Seen:
    """What the hosts say about themselves, asked in turns by a thread of its own."""

    def __init__(self, pops):
        self.pops = pops
        # Of each host: (seconds of the monotonic clock, current version), one for each change.
        self.changes = {pop.name: [] for pop in pops}
        self.newest, self.bad = {}, {pop.name: set() for pop in pops}
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()

    def run(self):
        while not self.is_over.is_set():
            for pop in self.pops:
                with contextlib.suppress(Failed):
                    status = pop.status()
                    if status is not None:
                        self.note(pop, status)
            self.is_over.wait(0.1)

    def note(self, pop, status):
        changes = self.changes[pop.name]
        if status.current is not None and (not changes or changes[-1][1] != status.current):
            changes.append((time.monotonic(), status.current))
        if status.bad is not None:
            self.bad[pop.name].add(status.bad)
        self.newest[pop.name] = status

    def first(self, pop, version, since):
        """When a host had this version as the current one first after `since`."""
        changes = self.changes[pop.name]
        return next((at for at, has in changes if at >= since and has == version), None)

    def had(self, version):
        """The hosts that ever had this version as the current one."""
        return {
            name
            for name, changes in self.changes.items()
            if any(has == version for _, has in changes)
        }

    def text(self, names):
        return "\n".join(f"{name}: {self.newest.get(name)}" for name in names[:5])

    def stop(self):
        self.is_over.set()
        if self.thread.is_alive():
            self.thread.join()
