"""A host under test: its artifacts, its store, its configuration, and the running `edgec serve`."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# After this time, a test stops waiting.
PATIENCE = 120


class Failed(Exception):
    """The host did something else than the test expects."""


def expect(is_so, what):
    if not is_so:
        raise Failed(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(done, what, patience=PATIENCE, pause=0.01):
    """Waits, and returns how many seconds it took."""
    begin = time.monotonic()
    while not done():
        if time.monotonic() - begin > patience:
            raise Failed(f"after {patience} s: {what}")
        time.sleep(pause)
    return time.monotonic() - begin


class Edgec:
    """The program under test, with a key and a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = Path(program).resolve(), Path(folder)
        self.key = self.folder / "key.pem"
        self.public = self.folder / "key.pub.pem"
        self.run("keygen", "-o", self.key)

    def run(self, *arguments):
        done = subprocess.run(
            [str(self.program), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        if done.returncode != 0:
            raise Failed(f"edgec {' '.join(map(str, arguments))}: {done.stderr}{done.stdout}")
        return done.stdout

    def build(self, source, name, version=0, options=("-O0",)):
        """An artifact of a program for this machine. Returns its path."""
        output = self.folder / f"{name}.{version}.cwasm"
        release = ["--name", name, "--app-version", version, "--key", self.key]
        target = ["-t", os.uname().machine, "--profile", "edge"]
        self.run("build", "-q", source, *options, *target, *release, "-o", output)
        return output


class Store:
    """A store, and a policy that trusts the key of the tests."""

    def __init__(self, edgec, name="store"):
        self.edgec, self.path = edgec, edgec.folder / name
        self.policy = edgec.folder / f"{name}-trust.toml"
        self.write_policy()

    def write_policy(self, head=""):
        """Replaces the policy in one step, as for a running host."""
        pem = self.edgec.public.read_text()
        text = f"{head}threshold = 1\n[[key]]\nname = 'tests'\npem = '''\n{pem}'''\n"
        new = self.policy.with_suffix(".new")
        new.write_text(text)
        new.replace(self.policy)

    def add(self, *artifacts):
        self.edgec.run("store", "--store", self.path, "add", "--trust", self.policy, *artifacts)

    def use(self, name, version):
        self.edgec.run("store", "--store", self.path, "use", name, "--app-version", version)


def toml(value):
    """A value in TOML. Its strings are those of JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(value)


def tables(parts):
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
        for name, table in parts.items()
    )


def application(name, **more):
    """An application of a configuration. Its host name is `NAME.test`, if nothing else is said."""
    return {"name": name, "host": f"{name}.test"} | more


class Server:
    """A running `edgec serve`. It ends at the end of the block."""

    def __init__(
        self, store, applications, listen=(), limits=(), start=True, serves=True, **tables_
    ):
        self.store, self.folder = store, store.edgec.folder
        self.serves = serves
        self.port, self.admin = free_port(), free_port()
        self.applications = applications
        self.tables = {
            "listen": {"http": [f"127.0.0.1:{self.port}"], "admin": f"127.0.0.1:{self.admin}"}
            | dict(listen),
            "store": {"path": store.path, "refresh": "100ms"},
            "policy": {"file": store.policy},
            "limits": dict(limits),
        } | tables_
        self.config = self.folder / "serve.toml"
        self.log = self.folder / "serve.log"
        self.process = None
        self.write()
        if start:
            self.start()

    def write(self):
        text = "schema = 1\n" + tables(self.tables)
        for application in self.applications:
            text += "[[application]]\n"
            text += "".join(f"{key} = {toml(value)}\n" for key, value in application.items())
        self.config.write_text(text)
        self.config.chmod(0o600)

    def replace(self):
        """Replaces the configuration in one step, as for a running host."""
        place, self.config = self.config, self.config.with_suffix(".new")
        self.write()
        self.config.replace(place)
        self.config = place

    def command(self):
        return [str(self.store.edgec.program), "serve", "--config", str(self.config)]

    def start(self, command=None, **options):
        """Starts it. Returns the seconds until it was ready."""
        begin = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command or self.command(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=many_files,
                **options,
            )
        self.wait_until_ready()
        return time.monotonic() - begin

    def wait_until_ready(self):
        def is_ready():
            if self.process.poll() is not None:
                raise Failed(f"the host ended with {self.process.returncode}:\n{self.logged()}")
            try:
                # A host is not ready as long as it serves nothing.
                return self.ask_admin("/readyz" if self.serves else "/healthz")[0] == 200
            except OSError:
                return False

        wait_until(is_ready, f"the host is not ready:\n{self.logged()}")

    def logged(self):
        return self.log.read_text(errors="replace")[-4000:]

    def ask_admin(self, path):
        return ask(self.admin, path, "localhost")

    def metrics(self):
        """All samples of the metrics, by name and labels."""
        status, text = self.ask_admin("/metrics")
        expect(status == 200, f"/metrics: {status}")
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                sample, _, value = line.rpartition(" ")
                samples[sample] = float(value)
        return samples

    def count(self, pattern):
        """The sum of the samples whose name and labels match."""
        samples = self.metrics().items()
        return sum(value for sample, value in samples if re.search(pattern, sample))

    def ask(self, application, path="/", **options):
        return ask(self.port, path, f"{application}.test", **options)

    def resident(self):
        """Its resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def memory(self):
        """The memory that it takes from the machine, in MiB: resident pages, each counted once.

        Instances of one program share the pages of its code, and resident memory counts them for
        each instance. So it grows with the number of instances that ever ran at once.
        """
        pages = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", pages, re.MULTILINE)[1]) / 1024

    def stop(self, how=signal.SIGTERM, patience=60):
        """Ends it. Returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"the host did not end within {patience} s") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print(self.logged(), flush=True)


def many_files():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def ask(port, path, host, method="GET", body=None, headers=(), whole=False):
    """One request on a new connection. Returns the status and the text, or the whole answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=body, headers={"host": host} | dict(headers))
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return (answer.status, text, dict(answer.getheaders())) if whole else (answer.status, text)
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
