"""Makes what is pushed with the real edgec: keys, a policy, programs, artifacts, statements.

`Publisher` is the side of CI, `Point` a point of presence with a store of its own. `Program` is the
edgec under test, in an environment without settings of this machine's user.
"""

import dataclasses
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# The program of tests/serve that answers "ok": here it answers with its version.
SOURCE = REPOSITORY / "tests" / "serve" / "guests" / "hostile.wat"
ROLES = {"signer": ["artifact"], "offline": ["release"], "online": ["timestamp"]}
TARGETS = ("x86_64", "aarch64")


class Failed(Exception):
    """edgec did something else than the test expects."""


def environment(home, **more):
    """Of the programs under test: no user's files, no settings, no proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EDGEC_", "DOCKER_", "REGISTRY_"))
        and not name.lower().endswith("_proxy")
    }
    return kept | {"HOME": str(home), "DOCKER_CONFIG": str(home / "docker")} | more


@dataclasses.dataclass
class Done:
    """How a run of edgec ended."""

    status: int
    out: str
    said: str

    @property
    def code(self):
        """The code of the error, such as `serial-rollback`, or nothing."""
        found = re.search(r"error\[([a-z0-9-]+)\]", self.said)
        return found and found[1]


class Program:
    """The edgec under test, in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = Path(program).resolve(), Path(folder)
        self.home = self.folder / "home"
        (self.home / "docker").mkdir(parents=True, exist_ok=True)
        self.environment = environment(self.home)

    def command(self, *arguments):
        return [str(self.program), *map(str, arguments)]

    def attempt(self, *arguments, before=(), environment=(), patience=300):
        """Runs it, however it ends. `before` is what starts it, such as strace."""
        done = subprocess.run(
            [*before, *self.command(*arguments)],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=self.folder,
            env=self.environment | dict(environment),
            timeout=patience,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments, **more):
        """Runs it. It must succeed."""
        done = self.attempt(*arguments, **more)
        if done.status != 0:
            words = " ".join(map(str, arguments))
            raise Failed(f"edgec {words}: exit code {done.status}\n{done.said}{done.out}")
        return done.out

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--format", "json", **more))

    def start(self, *arguments, log=subprocess.DEVNULL, **more):
        return subprocess.Popen(
            self.command(*arguments),
            stdout=log,
            stderr=log,
            cwd=self.folder,
            env=self.environment,
            **more,
        )


@dataclasses.dataclass
class Version:
    """One version of an application, with everything that is pushed together."""

    name: str
    version: int
    component: Path
    artifacts: list
    release: Path
    timestamp: Path

    def of(self, target):
        return next(path for path in self.artifacts if f".{target}." in path.name)


class Publisher:
    """Keys, a policy that demands a release and a timestamp, and what is built."""

    def __init__(self, edgec):
        self.edgec, self.folder = edgec, edgec.folder / "publisher"
        self.folder.mkdir(exist_ok=True)
        self.policy = self.folder / "trust.toml"
        head, keys = "threshold = 1\nrelease = 1\ntimestamp = 1\n", ""
        for name, roles in ROLES.items():
            edgec.run("keygen", "-o", self.key(name))
            pem = self.key(name).with_suffix(".pub.pem").read_text()
            keys += f"[[key]]\nname = '{name}'\nroles = {roles}\npem = '''\n{pem}'''\n"
        self.policy.write_text(head + keys)
        self.policy.chmod(0o600)

    def key(self, name):
        return self.folder / f"{name}.pem"

    def program(self, name, version, padding=0):
        """A program of `wasi:http` that answers `/a` with its version, `v1` to `z9`.

        `padding` bytes of its memory cannot be compressed, and are others in each version.
        """
        answer = f"{chr(ord('v') + version // 10)}{version % 10}"
        text = SOURCE.read_text()
        if text.count('"ok\\n') != 1 or text.count('(memory (export "memory") 1)') != 1:
            raise Failed(f"{SOURCE} has changed")
        text = text.replace('"ok\\n', f'"{answer}\\n')
        if padding:
            noise = hashlib.shake_128(f"{name} {version}".encode()).digest(padding)
            data = "".join(f"\\{byte:02x}" for byte in noise)
            pages = 2 + -(-padding // 65536)
            memory = f'(memory (export "memory") {pages}) (data (i32.const 131072) "{data}")'
            text = text.replace('(memory (export "memory") 1)', memory)
        path = self.folder / f"{name.replace('/', '-')}.{version}.wat"
        path.write_text(text)
        return path

    def publish(self, name, version, source=None, padding=0, targets=TARGETS, options=("-O0",)):
        """Builds and signs a version, with release and timestamp. Its serial is its version."""
        source = source or self.program(name, version, padding)
        output = self.folder / f"{name.replace('/', '-')}.{version}"
        release = ["--name", name, "--app-version", version, "--key", self.key("signer")]
        self.edgec.run(
            *("build", "-q", source, "-t", ",".join(targets), "--profile", "edge"),
            *(*options, *release, "-o", output),
        )
        artifacts = sorted(output.glob("*.cwasm"))
        statement, timestamp = output / "release.json", output / "timestamp.json"
        signed = ["--key", self.key("offline"), "-o", statement]
        self.edgec.run("release", "make", *artifacts, "--serial", version, *signed)
        signed = ["--expires", "+1d", "--key", self.key("online"), "-o", timestamp]
        self.edgec.run("release", "stamp", statement, *signed)
        return Version(name, version, Path(source), artifacts, statement, timestamp)

    def push(self, reference, version, *options, attempt=False, **more):
        """Pushes a version. Returns how it ended if it may fail."""
        arguments = [
            *("push", reference, *version.artifacts),
            *("--release", version.release, "--timestamp", version.timestamp),
            *options,
        ]
        if version.component.suffix == ".wasm":
            arguments += ["--component", version.component]
        return (self.edgec.attempt if attempt else self.edgec.run)(*arguments, **more)


class Point:
    """A point of presence: a store, a host profile, and the publisher's policy."""

    def __init__(self, publisher, name, store=None, host=None):
        self.edgec, self.name = publisher.edgec, name
        # The names that `tests/serve/host.py` asks a store for.
        self.policy = publisher.policy
        self.path = store or self.edgec.folder / f"store-{name}"
        self.host = host

    def arguments(self, reference, *options):
        host = ["--host", self.host] if self.host else []
        return ["pull", reference, "--store", self.path, "--trust", self.policy, *host, *options]

    def attempt(self, reference, *options, **more):
        return self.edgec.attempt(*self.arguments(reference, *options), **more)

    def pull(self, reference, *options, **more):
        return self.edgec.run(*self.arguments(reference, *options), **more)

    def listed(self):
        """What the store has: a row for each artifact."""
        return self.edgec.json("store", "--store", self.path, "ls")["results"]

    def version(self, name):
        """The current version of an application."""
        rows = [row for row in self.listed() if row["name"] == name and row["current"]]
        return max((row["version"] for row in rows), default=None)

    def verify(self):
        """Every image is hashed and every artifact verified again."""
        return self.edgec.run("store", "--store", self.path, "verify", "--trust", self.policy)

    def unfinished(self):
        """Files that a process left behind."""
        return sorted(path.name for path in (self.path / "temporary").iterdir())


def host_profile(folder, name, arch, features, engine):
    """The file of a host profile."""
    path = Path(folder) / f"{name}.toml"
    path.write_text(
        f"schema = 1\nname = '{name}'\narch = '{arch}'\nfeatures = {json.dumps(features)}\n"
        f"page-size = 4096\nengine = '{engine}'\nprofiles = ['edge']\n"
    )
    return path
