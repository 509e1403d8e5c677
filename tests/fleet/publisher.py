"""The publisher of a simulated fleet: builds versions, signs statements about them, pushes them."""

import time

import guest
from host import Failed

NAME, CHANNEL, TAG = "acme/front", "stable", "stable"
ROLES = {"signer": "artifact", "offline": "release", "online": "timestamp"}


class Publisher:
    """It has the three keys of docs/releases-and-timestamps.md, and the policy of all hosts."""

    def __init__(self, edgec, targets, functions):
        # `edgec` is an Edgec of tests/serve/host.py.
        self.edgec, self.targets, self.functions = edgec, targets, functions
        self.folder = edgec.folder / "publisher"
        self.folder.mkdir()
        for key in ROLES:
            edgec.run("keygen", "-o", self.folder / f"{key}.pem")
        self.policy = self.folder / "edgec-trust.toml"
        text = "threshold = 1\nrelease = 1\ntimestamp = 1\n"
        for key, role in ROLES.items():
            pem = (self.folder / f"{key}.pub.pem").read_text()
            text += f"[[key]]\nname = '{key}'\nroles = ['{role}']\npem = '''\n{pem}'''\n"
        self.policy.write_text(text)
        self.policy.chmod(0o600)
        self.versions = {}

    def build(self, version, status=200):
        """A version for all targets, with its release. Returns the seconds that it took."""
        begin = time.monotonic()
        source = self.folder / f"front.{version}.wat"
        source.write_text(guest.source(version, self.functions, status))
        output = self.folder / f"version-{version}"
        named = ["--name", NAME, "--channel", CHANNEL, "--app-version", version]
        built = ["--profile", "edge", "-O0", "-t", ",".join(self.targets), "-o", output]
        key = ["--key", self.folder / "signer.pem"]
        self.edgec.run("build", "-q", source, *named, *built, *key)
        artifacts = sorted(output.glob("*.cwasm"))
        if len(artifacts) != len(self.targets):
            raise Failed(f"{len(self.targets)} targets have {len(artifacts)} artifacts")
        release = output / "release.json"
        key = ["--key", self.folder / "offline.pem"]
        self.edgec.run("release", "make", *artifacts, "--serial", version, *key, "-o", release)
        self.versions[version] = (artifacts, release)
        return time.monotonic() - begin

    def stamp(self, version):
        """A new timestamp of the release of a version: what says that it is the newest."""
        _, release = self.versions[version]
        timestamp = release.with_name("timestamp.json")
        timestamp.unlink(missing_ok=True)
        key = ["--key", self.folder / "online.pem"]
        self.edgec.run("release", "stamp", release, "--expires", "+1d", *key, "-o", timestamp)
        return timestamp

    def push(self, version, port, base=None):
        """Makes a version what the tag names. Hosts have the version `base`.

        Without `base`, the differences are against what the tag names until now. That is not
        enough after a bad version.
        """
        artifacts, release = self.versions[version]
        more = ["--release", release, "--timestamp", self.stamp(version)]
        for artifact in self.versions[base][0] if base else ():
            more += ["--base", artifact]
        self.edgec.run("push", f"127.0.0.1:{port}/{NAME}:{TAG}", *artifacts, *more)

    def sizes(self, version):
        """Bytes of the images of a version, by target, and of the program."""
        artifacts, _ = self.versions[version]
        images = {path.name.split(".")[-2]: path.stat().st_size for path in artifacts}
        return {"artifacts": images, "functions": self.functions}
