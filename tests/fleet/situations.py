"""What happens to the fleet, case by case. Each returns numbers for docs/fleet.md."""

import time
from collections import Counter

import guest
from host import expect, wait_until
from load import Wrk
from publisher import NAME, TAG
from registries import contents


# What the cases are, in the words of docs/fleet.md.
ABOUT = {
    "quiet": "nothing changes",
    "good": "a good version goes to all",
    "bad": "a version that answers 500 is stopped in the first wave",
    "cache": "a cache dies in the middle of a rollout",
    "origin": "the origin is unreachable while a version is pushed",
}


class Loaded:
    """Counts requests while a case goes on: those of every serving host, by whether they failed."""

    def __init__(self, fleet):
        self.fleet = fleet

    def __enter__(self):
        for pop in self.fleet.serving:
            pop.client.requests = pop.client.failed = 0
        self.wrks = []
        if Wrk.is_there():
            some = self.fleet.serving[: self.fleet.pace.with_wrk]
            self.wrks = [(pop, Wrk(pop.port)) for pop in some]
        self.begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.begin
        for _, wrk in self.wrks:
            wrk.stop()

    def sum(self, pops):
        """Requests of these hosts, and how many of them failed. After the block."""
        clients = [pop.client for pop in pops] + [wrk for pop, wrk in self.wrks if pop in pops]
        return sum(one.requests for one in clients), sum(one.failed for one in clients)

    def numbers(self, pops):
        requests, failed = self.sum(pops)
        return {"requests": requests, "failed": failed, "seconds": round(self.seconds, 1)}


def none_failed(loaded, pops):
    requests, failed = loaded.sum(pops)
    changes = [(pop.name, pop.client.changes[-3:]) for pop in pops if pop.client.failed]
    expect(not failed, f"{failed} of {requests} requests failed: {changes[:3]}")


def good(fleet, version):
    """A good version goes from the push to all hosts, in waves."""
    fleet.publisher.build(version)
    with Loaded(fleet) as loaded:
        before = fleet.registries.counts()
        begin = time.monotonic()
        fleet.publisher.push(version, fleet.registries.publisher.port)
        pushed = time.monotonic()
        fleet.wait_for(version, begin)
        counts = fleet.registries.counts() - before
    none_failed(loaded, fleet.serving)
    for name, (_, current) in fleet.listed().items():
        expect(current == version, f"the store of {name} has {current} as current")
    times = fleet.times(version, pushed)
    fleet.say(
        f"  push {pushed - begin:.1f} s; then the first has it after {times['first']} s, "
        f"half after {times['half']} s, all after {times['all']} s"
    )
    tell(fleet, loaded, counts)
    return {
        "contents": contents(fleet.registries.origin.host, NAME, TAG),
        "push-seconds": round(pushed - begin, 2),
        "seconds": times,
        "clients": loaded.numbers(fleet.serving),
        "registries": counts.numbers(),
        "resident-mib": fleet.resident(),
    }


def bad(fleet, version, before):
    """A version that answers 500 comes to the first wave, goes back, and is seen by no other."""
    fleet.publisher.build(version, status=500)
    with Loaded(fleet) as loaded:
        begin = time.monotonic()
        fleet.publisher.push(version, fleet.registries.publisher.port)
        pushed = time.monotonic()
        back = {}

        def all_are_back():
            fleet.check()
            for pop in fleet.canaries:
                got = pop.client.first(guest.answer(version), begin)
                if got is not None and pop.name not in back:
                    came = pop.client.first(guest.answer(before), got)
                    if came is not None:
                        back[pop.name] = (got - pushed, came - pushed)
            return len(back) == len(fleet.canaries)

        wait_until(all_are_back, f"only {sorted(back)} went back", patience=600, pause=0.1)
        # The times of all waves pass, and some looks at the tag more.
        fleet.settle(max(0, fleet.pace.rollout - (time.monotonic() - pushed)))
        fleet.settle(5 * fleet.pace.poll)
        listed = fleet.listed()
    saw = {name for name, (versions, _) in listed.items() if version in versions}
    saw |= fleet.seen.had(version)
    waits = Counter(
        fleet.seen.newest[pop.name].phase for pop in fleet.pops if pop not in fleet.canaries
    )
    fleet.say(f"  what the others say: {dict(waits)}")
    canaries = {pop.name for pop in fleet.canaries}
    expect(saw <= canaries, f"also {sorted(saw - canaries)} got the bad version")
    for name, (_, current) in listed.items():
        expect(current == before, f"{name} has {current}, not {before}")
    others = [pop for pop in fleet.serving if pop not in fleet.canaries]
    none_failed(loaded, others)
    had = [came - got for got, came in back.values()]
    requests, failed = loaded.sum(fleet.canaries)
    fleet.say(
        f"  {len(back)} of {len(fleet.pops)} hosts got it and went back, the last "
        f"{max(came for _, came in back.values()):.1f} s after the push; they answered with it "
        f"for {min(had):.1f} to {max(had):.1f} s"
    )
    fleet.say(
        f"  {failed} of {requests} requests of the first wave failed; "
        f"of {loaded.sum(others)[0]} requests of the others, none"
    )
    return {
        "saw": len(saw | set(back)),
        "hosts": len(fleet.pops),
        "seconds": {
            "first-answer": round(min(got for got, _ in back.values()), 2),
            "all-back": round(max(came for _, came in back.values()), 2),
            "answered-longest": round(max(had), 2),
        },
        "first-wave": loaded.numbers(fleet.canaries),
        "others": loaded.numbers(others),
    }


def cache_dies(fleet, version, before):
    """A cache dies in the middle of a rollout, and comes back later."""
    fleet.publisher.build(version)
    cache, front = fleet.registries.caches[0], fleet.registries.fronts[0]
    concerned = [pop for pop in fleet.pops if pop.cache is front]
    with Loaded(fleet) as loaded:
        counts_before = fleet.registries.counts()
        begin = time.monotonic()
        fleet.publisher.push(version, fleet.registries.publisher.port, base=before)
        pushed = time.monotonic()
        fleet.wait_for(version, begin, pops=fleet.canaries)
        # The second wave begins soon.
        cache.kill()
        fleet.settle(max(0, fleet.pace.pause - (time.monotonic() - pushed)) + fleet.pace.outage)
        meanwhile = sum(fleet.moment(pop, version, begin) is not None for pop in concerned)
        cache.start()
        fleet.wait_for(version, begin)
        counts = fleet.registries.counts() - counts_before
    none_failed(loaded, fleet.serving)
    times = fleet.times(version, pushed)
    fleet.say(
        f"  {len(concerned)} hosts lost their cache; {meanwhile} of them had the version when it "
        f"came back; all after {times['all']} s"
    )
    tell(fleet, loaded, counts)
    return {
        "hosts-behind-the-cache": len(concerned),
        "had-it-without-cache": meanwhile,
        "seconds": times,
        "clients": loaded.numbers(fleet.serving),
        "registries": counts.numbers(),
    }


def origin_away(fleet, version, before):
    """The origin is unreachable while a version is pushed. All go on, and get it afterwards."""
    fleet.publisher.build(version)
    with Loaded(fleet) as loaded:
        fleet.registries.cut_origin()
        begin = time.monotonic()
        fleet.publisher.push(version, fleet.registries.publisher.port)
        fleet.settle(fleet.pace.outage)
        for pop in fleet.serving:
            expect(pop.client.now == (200, guest.answer(before)), f"{pop.name}: {pop.client.now}")
        early = fleet.seen.had(version)
        expect(not early, f"{sorted(early)} have a version that they cannot reach")
        fleet.registries.mend_origin()
        mended = time.monotonic()
        fleet.wait_for(version, begin)
    none_failed(loaded, fleet.serving)
    times = fleet.times(version, mended)
    fleet.say(
        f"  unreachable for {mended - begin:.1f} s; then the first has the new version after "
        f"{times['first']} s, all after {times['all']} s"
    )
    return {
        "unreachable-seconds": round(mended - begin, 1),
        "seconds": times,
        "clients": loaded.numbers(fleet.serving),
    }


def quiet(fleet, seconds):
    """Nothing changes: what the looks at the tag cost."""
    before = fleet.registries.counts()
    begin = time.monotonic()
    fleet.settle(seconds)
    counts = fleet.registries.counts() - before
    took = time.monotonic() - begin
    hosts, origin = counts.hosts, counts.origin
    fleet.say(
        f"  in {took:.0f} s, {hosts.count('tag')} looks of hosts ({hosts.count('tag', status=304)} "
        f"answered with 304) took {hosts.bytes()} bytes, and {origin.count()} requests and "
        f"{origin.bytes()} bytes of the origin"
    )
    return {"seconds": round(took, 1), "registries": counts.numbers()}


def tell(fleet, loaded, counts):
    numbers = counts.numbers()
    requests, failed = loaded.sum(fleet.serving)
    fleet.say(f"  {requests} requests of clients in {loaded.seconds:.0f} s, {failed} failed")
    sides = [("origin", numbers["origin"]), ("hosts", numbers["hosts"])]
    sides += [(f"cache {n}", cache["hosts"]) for n, cache in enumerate(numbers["caches"], 1)]
    for name, side in sides:
        fleet.say(f"  {name}: {side['requests']} requests, {side['bytes']} bytes")
    fleet.say(f"  served by caches: {numbers['hit-ratio']}")
