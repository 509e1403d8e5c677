"""The configurations of a point of presence, and how fast a simulated fleet goes."""

import json
from dataclasses import dataclass

from publisher import CHANNEL, NAME, TAG


@dataclass
class Pace:
    """Sizes and times of a simulation. Times are seconds."""

    pops: int
    caches: int
    # Clients wait so long between two requests; on so many hosts, `wrk` asks without a pause.
    between_requests: float
    with_wrk: int
    # The serving hosts of the first wave, whose status all others watch.
    canaries: int
    # Functions of the program: they decide how large its images are.
    functions: int
    poll: float
    # From one wave to the next. The third has all that are left.
    pause: float
    second_wave: float
    # How long a release is on trial.
    trial: float
    # How long a cache is dead, and the origin unreachable.
    outage: float

    @property
    def rollout(self):
        """When the last wave begins, after the first."""
        return 2 * self.pause


WHOLE = Pace(
    pops=50,
    caches=3,
    between_requests=0.1,
    with_wrk=3,
    canaries=3,
    functions=500,
    poll=2,
    pause=15,
    second_wave=0.4,
    trial=8,
    outage=12,
)
SMALL = Pace(
    pops=9,
    caches=1,
    between_requests=0.02,
    with_wrk=1,
    canaries=1,
    functions=60,
    poll=0.5,
    pause=3,
    second_wave=0.5,
    trial=2,
    outage=3,
)


class Status:
    """What `edgec sync` says about the application (docs/sync.md)."""

    def __init__(self, document):
        (said,) = document["applications"]
        self.current, self.phase = said.get("version"), said["phase"]
        self.newest = said.get("newest", {}).get("version")
        self.bad = said.get("bad", {}).get("version")
        self.waits, self.error = said.get("waits"), said.get("error")
        self.polls, self.bytes, self.wave = said["polls"], said["bytes"], said["wave"]

    def __str__(self):
        return str(vars(self))


def serve(pop, policy):
    """serve.toml. Many hosts share this machine, so each keeps little resident."""
    return f"""schema = 1
[listen]
http = ["127.0.0.1:{pop.port}"]
admin = "127.0.0.1:{pop.admin}"
[store]
path = "{pop.store}"
refresh = "200ms"
[policy]
file = "{policy}"
[pools]
memory-budget = "8MiB"
[limits]
instances = 32
reserved-instances = 1
[[application]]
name = "{NAME}"
channel = "{CHANNEL}"
"""


def period(seconds):
    return json.dumps(f"{round(1000 * seconds)}ms")


def sync(pop, fleet):
    """FLEET.toml: the cache of the host first, then the origin itself; three waves; a gate."""
    pace = fleet.pace
    canaries = json.dumps([canary.name for canary in fleet.canaries])
    watched = "".join(
        f'[[watch]]\nhost = "{canary.name}"\nurl = "http://127.0.0.1:{canary.status_port}/"\n'
        for canary in fleet.canaries
        if canary is not pop
    )
    judge = 'command = ["true"]\n'
    if pop.serves:
        # Hosts that are asked by one client alone need not many requests.
        judge = (
            f'metrics = {{ url = "http://127.0.0.1:{pop.admin}/metrics", min-requests = 10 }}\n'
        )
    return f"""schema = 1
status = "127.0.0.1:{pop.status_port}"
[policy]
file = "{fleet.publisher.policy}"
[poll]
interval = {period(pace.poll)}
backoff = {period(4 * pace.poll)}
[registry]
mirrors = ["127.0.0.1:{pop.cache.port}"]
[rollout]
waves = [
    {{ share = 0, hosts = {canaries}, pause = {period(pace.pause)} }},
    {{ share = {pace.second_wave}, pause = {period(pace.pause)} }},
    {{ share = 1 }},
]
[gate]
for = {period(pace.trial)}
every = {period(pace.trial / 8)}
failures = 2
{judge}[[application]]
name = "{NAME}"
channel = "{CHANNEL}"
reference = "127.0.0.1:{fleet.registries.direct.port}/{NAME}:{TAG}"
{watched}"""
