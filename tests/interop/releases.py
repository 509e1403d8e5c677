"""Releases, timestamps and notaries' statements, for verify.py, by docs/format.md and
docs/policy.md. `v` is that module: its JSON in one spelling, its envelopes, and its signatures."""

import hashlib

ROLES = "artifact", "release", "timestamp", "notary", "root"
DEMANDS = ROLES[1:]  # of which a policy says how many must have signed
ASKED = {"release": "release", "freshness": "timestamp", "notary": "notary"}
OWNER = "artifact", "release", "timestamp"  # what a key counts for that the command line names
SKEW = 300  # how much the clocks of a host and of a signer may differ


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def has_role(key, role):
    return role in key.get("roles", ["artifact"])


def roles(value):
    return type(value) is list and all(role in ROLES for role in value)


def check_policy(policy, need, is_name):
    for check, demand in ASKED.items():
        need(
            demand in policy or policy.get("checks", {}).get(check, "off") == "off",
            f"{check}: only a mode",
        )
    need("release" in policy or "timestamp" not in policy, "a timestamp without a release")
    need("root" not in policy, "root keys must have signed it, and this is its source")
    need(
        "expires" in policy or not policy.get("validity", {}).get("policy-expiry-required"),
        "it does not expire",
    )
    resets = [(one["application"], one.get("channel")) for one in policy.get("reset", [])]
    revoked = [one["id"] for one in policy.get("revoked-key", [])]
    numbers = [
        one["number"]
        for one in [*policy.get("reset", []), policy.get("reset-clock", {"number": 1})]
    ]
    need(
        len(set(revoked)) == len(revoked) and 0 not in numbers,
        "a key is revoked twice, or a reset that no host follows",
    )
    need(
        len(set(resets)) == len(resets)
        and all(is_name(name) for one in resets for name in one if name is not None),
        "reset",
    )


def policy_fields(version, number, text, moment):
    reset = {"number": version, "application": text, "channel?": text}
    reset |= {"version": version, "serial": version}
    clock = {"number": version, "to": moment}
    demands = {f"{role}?": number for role in DEMANDS}
    return demands | {"reset?": [reset], "reset-clock?": clock}


def check_roles(policy, need):
    """The names of the signers for artifacts."""
    names = {key["name"] for key in policy["key"]}
    ids = [one for key in policy["key"] for one in key["keys"]]
    need(
        len(names) == len(policy["key"]) and len(set(ids)) == len(ids),
        "a key or a name is there twice",
    )
    for key in policy["key"]:
        mine = set(key.get("roles", ["artifact"]))
        limits = set() if mine & {"artifact", "notary"} else {"targets"}
        if "root" in mine:
            limits |= {"applications", "channels", "not-before", "expires"}
        need(not limits & key.keys(), "a limit without effect on the role")
        need(
            len(mine) == 1 or key["roles"] is OWNER or mine and mine <= {"artifact", "release"},
            "roles that exclude each other",
        )
    for role in DEMANDS:
        count = sum(has_role(key, role) for key in policy["key"])
        need(role not in policy or 0 < policy[role] <= count, f"{role}: out of reach")
    return {key["name"] for key in policy["key"] if has_role(key, "artifact")}


def is_revoked(key, policy, known):
    """Whether a key that the signer needs is. `known`: since when a witness knows the signature."""
    starts = {one["id"]: one.get("revoked-from") for one in policy.get("revoked-key", [])}
    mine = [starts[one] for one in key["needed"] if one in starts]
    return any(start is None or known is None or known >= start.timestamp() for start in mine)


def shapes(v):
    def count(least, most):
        return lambda value: type(value) is int and least <= value <= most

    digests = v.table_of(v.digest)
    image = v.BYTES | {"fsverity": v.digest}
    listed = {"target": v.is_name, "profile": v.is_name, "image": image, "manifest": v.digest}
    predicates = {
        "release": {
            "application": v.is_name,
            "channel?": v.is_name,
            "version": count(1, 2**53 - 1),
            "serial": count(1, 2**53 - 1),
            "floor": v.number,
            "program": v.BYTES,
            "artifacts": [listed],
        },
        "timestamp": {"issued": v.number, "expires": count(0, 2**53 - 1)},
        "rebuild": {
            "application": v.is_name,
            "input": v.BYTES,
            "image": image,
            "manifest": v.digest,
            "edgec": v.text,
        },
    }
    return {
        kind: {
            "_type": v.one_of("https://in-toto.io/Statement/v1"),
            "subject": [{"name": v.text, "digest": digests}],
            "predicateType": v.one_of(f"https://edgec.dev/{kind}/v1"),
            "predicate": predicate,
        }
        for kind, predicate in predicates.items()
    }


def both(image):
    return {"fsverity-sha256-12": image["fsverity"], "sha256": image["sha256"]}


def read(v, payload, kind):
    """The predicate, whose statement has one spelling."""
    statement = v.parse_json(payload, shapes(v)[kind], kind)
    subject, it = statement["subject"], statement["predicate"]
    if kind == "release":
        listed = it["artifacts"]
        places = [(one["target"].encode(), one["profile"].encode()) for one in listed]
        v.need(
            0 < len(listed) <= 256 and all(a < b for a, b in zip(places, places[1:])),
            "release: artifacts",
        )
        v.need(it["floor"] <= it["version"], "release: its floor")
        name = it["application"]
        wanted = [{"name": name, "digest": {"sha256": it["program"]["sha256"]}}]
        wanted += [
            {"name": f"{name}:{one['target']}:{one['profile']}", "digest": both(one["image"])}
            for one in listed
        ]
    elif kind == "timestamp":
        v.need(it["issued"] < it["expires"] and len(subject) == 1, "timestamp: times")
        it["release"] = subject[0]["digest"].get("sha256")
        wanted = [{"name": "release", "digest": {"sha256": it["release"]}}]
    else:
        wanted = [{"name": it["application"], "digest": both(it["image"])}]
    v.need(
        [(one["name"], list(one["digest"].items())) for one in subject]
        == [(one["name"], list(one["digest"].items())) for one in wanted],
        f"{kind}: another subject",
    )
    return it


def signers(v, data, policy, role):
    """The payload, and the signers with the role that have signed it."""
    v.need(len(data) <= 2**20, "too long")
    payload, signatures = v.open_envelope(data)
    keys = v.signers_of(payload, signatures, policy)
    return payload, [key for key in keys if has_role(key, role)]


def covers(v, key, it):
    """Whether the key is for this application and channel. A release is for all targets."""
    applications = v.matches(key, "applications", it["application"])
    return applications and v.matches(key, "channels", it.get("channel", ""))


class Beside:
    """The statements beside an artifact whose envelope has this payload."""

    def __init__(self, v, policy, options, payload):
        self.v, self.policy, self.at, self.payload = v, policy, options.at, sha256(payload)
        self.given = {
            kind: [open(path, "rb").read() for path in getattr(options, kind)]
            for kind in ASKED.values()
        }
        self.releases = list(filter(None, map(self.release, self.given["release"])))
        stamps = [self.stamp(data, self.releases) for data in self.given["timestamp"]]
        self.stamps = [stamp for stamp in stamps if stamp]
        self.known = min(
            (
                stamp["issued"]
                for stamp in self.stamps
                if any(one["manifest"] == self.payload for one in stamp["of"]["artifacts"])
            ),
            default=None,
        )

    def enough(self, keys, role, it, known=None):
        counting = [
            key
            for key in keys
            if not is_revoked(key, self.policy, known)
            and self.v.is_within(key, self.at)
            and covers(self.v, key, it)
        ]
        return len(counting) >= self.policy.get(role, 1)

    def release(self, data):
        try:
            payload, keys = signers(self.v, data, self.policy, "release")
            self.v.need(len(keys) >= self.policy.get("release", 1), "release: signatures")
            release = read(self.v, payload, "release") | {"sha256": sha256(payload)}
        except (ValueError, RecursionError, self.v.InvalidSignature):
            return None
        stamps = filter(None, (self.stamp(data, [release]) for data in self.given["timestamp"]))
        known = min((stamp["issued"] for stamp in stamps), default=None)
        return release if self.enough(keys, "release", release, known) else None

    def stamp(self, data, releases):
        try:
            payload, keys = signers(self.v, data, self.policy, "timestamp")
            self.v.need(len(keys) >= self.policy.get("timestamp", 1), "timestamp: signatures")
            stamp = read(self.v, payload, "timestamp")
        except (ValueError, RecursionError, self.v.InvalidSignature):
            return None
        for release in releases:
            if release["sha256"] == stamp["release"] and stamp["issued"] <= self.at + SKEW:
                return stamp | {"of": release} if self.enough(keys, "timestamp", release) else None
        return None

    def notaries(self, manifest):
        found = set()
        for data in self.given["notary"]:
            try:
                payload, keys = signers(self.v, data, self.policy, "notary")
                self.v.need(keys, "notary: signatures")
                it = read(self.v, payload, "rebuild")
            except (ValueError, RecursionError, self.v.InvalidSignature):
                continue
            about = it["application"], it["image"], it["input"], it["manifest"]
            if about == (
                manifest["name"],
                manifest["image"],
                manifest["source"]["input"],
                self.payload,
            ):
                found |= {
                    key["name"]
                    for key in keys
                    if not is_revoked(key, self.policy, None)
                    and self.v.is_within(key, self.at)
                    and self.v.selects(key, manifest)
                }
        return len(found)

    def check(self, manifest, enforce):
        place = manifest["name"], manifest.get("channel")
        mine = [one for one in self.releases if (one["application"], one.get("channel")) == place]

        def lists(release):
            fits = (
                manifest["target"]["id"],
                manifest["engine"]["profile"],
                manifest["image"],
                self.payload,
            )
            return release["version"] == manifest["version"] and any(
                (one["target"], one["profile"], one["image"], one["manifest"]) == fits
                for one in release["artifacts"]
            )

        own = max(filter(lists, mine), key=lambda one: one["serial"], default=None)
        floor = max(mine, key=lambda one: one["serial"])["floor"] if mine else 0

        def asked(kind):
            return kind in self.policy or self.given[kind]

        enforce("release", not asked("release") or own is not None and manifest["version"] >= floor)
        stamps = [
            stamp
            for stamp in self.stamps
            if (stamp["of"]["application"], stamp["of"].get("channel")) == place
        ]
        stamp = max(stamps, key=lambda one: (one["of"]["serial"], one["expires"]), default=None)
        fresh = (
            stamp and self.at < stamp["expires"] and own and own["serial"] == stamp["of"]["serial"]
        )
        enforce("freshness", not asked("timestamp") or fresh)
        enforce(
            "notary", not asked("notary") or self.notaries(manifest) >= self.policy.get("notary", 1)
        )
