"""A point of presence that serves while something around it fails: servers, links, clients."""

import sys

from follow import Follower, wait_until
from proxy import Proxy
from release import REPOSITORY
from world import expect

sys.path.append(str(REPOSITORY / "tests" / "serve"))

from host import Server, application  # noqa: E402
from probe import Probe  # noqa: E402

APPLICATION = "faults/app"
TAG = "live"
# Bytes in an image that no compressor makes smaller. Every version has others.
PADDING = 150_000
# So many bytes of a body came before something happened. Envelopes are shorter.
MIDDLE = 50_000


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
        expect(status == 200, f"clients get status {status}: {text}\n{self.told()}")
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
        expect(not self.probe.failures, f"failed: {self.probe.failures[:3]}\n{self.told()}")
        return self.probe.line()

    def told(self):
        """What the host said, besides that it takes versions."""
        lines = self.server.log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if " info " not in line)
