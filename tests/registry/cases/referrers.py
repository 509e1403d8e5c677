"""The same, in a registry that has the referrers API."""

from cases import tools
from proxy import Proxy
from servers import WithReferrers, get
from world import expect


def run(world):
    registry = world.start(WithReferrers(world.clients / "registry", world.folder / "referrers"))
    front = world.start(Proxy(registry.port))
    guests = [next(world.guests())]
    tools.judge(world, front, front, "with referrers", guests)
    with world.case("with referrers: no fallback tag is written") as note:
        for version in guests:
            status, _, body = get(front.host, f"/v2/{version.name}/tags/list", "*/*")
            expect(status == 200 and b"sha256-" not in body, f"status {status}: {body[:300]}")
        count = front.counters.requests(kind="referrers")
        note(f"{count} requests to the referrers API")
