"""Points of presence: each has a store, `edgec sync`, and some have `edgec serve` and clients."""

import json
import random
import subprocess
import tomllib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import settings
from host import Failed, ask, many_files, wait_until
from load import Client
from ports import free_port
from publisher import CHANNEL, NAME

KINDS = tomllib.loads((Path(__file__).parent / "kinds.toml").read_text())["kind"]


def kinds_of(count):
    """The kind of each of `count` points of presence: one of each, then in shares, and mixed."""
    whole = [kind for kind in KINDS for _ in range(kind["share"] - 1)]
    left = count - len(KINDS)
    chosen = KINDS + [whole[place * len(whole) // left] for place in range(left)]
    random.Random(7).shuffle(chosen)
    return chosen


def profile(kind, engine):
    """A host profile, as `edgec host --save` writes it."""
    features = ", ".join(json.dumps(feature) for feature in kind["features"])
    return (
        f'schema = 1\narch = "{kind["arch"]}"\nfeatures = [{features}]\n'
        f'page-size = {kind["page-size"]}\nengine = "{engine}"\nprofiles = ["edge"]\n'
    )


@dataclass
class Process:
    """A process whose output is in a file. It can be killed and started again."""

    command: list
    log: Path
    process: subprocess.Popen = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, self.command)), stdout=log, stderr=log, preexec_fn=many_files
            )

    def check(self):
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace")[-3000:]
            raise Failed(f"{self.log.name} ended with {self.process.returncode}:\n{said}")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def resident(self):
        """Resident memory in MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0


class Pop:
    """A point of presence. `serves` says whether this machine runs its programs."""

    def __init__(self, fleet, number, kind, cache, serves):
        self.fleet, self.kind, self.cache, self.serves = fleet, kind, cache, serves
        self.name = f"pop-{number:02}"
        self.folder = fleet.edgec.folder / self.name
        self.folder.mkdir()
        self.store = self.folder / "store"
        self.status_port, self.port, self.admin = free_port(), free_port(), free_port()
        self.client = None
        self.host_file = self.folder / f"{self.name}.toml"
        self.host_file.write_text(profile(kind, fleet.engine))
        self.config = self.folder / "FLEET.toml"
        program = fleet.edgec.program
        self.sync = Process(
            [program, "sync", self.config, "--store", self.store]
            + ["--name", self.name, "--host", self.host_file],
            self.folder / "sync.log",
        )
        serve = self.folder / "serve.toml"
        serve.write_text(settings.serve(self, fleet.publisher.policy))
        serve.chmod(0o600)
        self.server = Process(
            [program, "serve", "--config", serve], self.folder / "serve.log"
        )

    def start_sync(self):
        self.config.write_text(settings.sync(self, self.fleet))
        self.config.chmod(0o600)
        self.sync.start()

    def start_serve(self):
        """Serves what the store will have. The store is there as soon as sync runs."""

        def is_there():
            self.sync.check()
            return (self.store / "edgec-store").is_file()

        wait_until(is_there, f"{self.name} has no store")
        self.server.start()

    def wait_for_start(self):
        def is_up():
            self.sync.check()
            if not self.serves:
                return self.status() is not None
            self.server.check()
            try:
                return ask(self.admin, "/healthz", "localhost")[0] == 200
            except OSError:
                return False

        wait_until(is_up, f"{self.name} does not start", pause=0.1)

    def begin_to_ask(self):
        """From now on, a client asks all the time."""

        def is_ready():
            self.server.check()
            return ask(self.admin, "/readyz", "localhost")[0] == 200

        wait_until(is_ready, f"{self.name} does not serve", pause=0.1)
        self.client = Client(self.port, self.fleet.pace.between_requests)

    def status(self):
        """What sync says about itself, or None while it does not answer."""
        self.sync.check()
        try:
            address = f"http://127.0.0.1:{self.status_port}/status"
            with urllib.request.urlopen(address, timeout=10) as answer:
                return settings.Status(json.load(answer))
        except (OSError, ValueError):
            return None

    def listed(self):
        """The versions in the store, and the current one: from the store itself."""
        said = self.fleet.edgec.run("store", "--store", self.store, "ls", "--format", "json")
        artifacts = [
            artifact
            for artifact in json.loads(said)["results"]
            if artifact["name"] == NAME and artifact.get("channel") == CHANNEL
        ]
        current = [artifact["version"] for artifact in artifacts if artifact["current"]]
        targets = {artifact["target"] for artifact in artifacts}
        if targets - {self.kind["target"]}:
            raise Failed(f"{self.name} is for {self.kind['target']} and has {targets}")
        return {artifact["version"] for artifact in artifacts}, current[0] if current else None

    def stop(self):
        if self.client is not None:
            self.client.stop()
        self.server.stop()
        self.sync.stop()
