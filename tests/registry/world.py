"""What all cases share: the programs of others, the guests, and the list of results."""

import contextlib
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

from release import REPOSITORY, Failed, Point, Program, Publisher, environment
from servers import Registry

# Small programs come first. The last one takes a minute to compile and to compress in a debug
# build, so only one case takes it.
GUESTS = (
    "c-cmark.wasm",
    "rust-worker-p2.wasm",
    "rust-http-proxy.wasm",
)
LARGE_GUEST = "js-http-proxy.wasm"


def expect(is_so, what):
    if not is_so:
        raise Failed(what)


class World:
    def __init__(self, edgec, folder, tools, clients, guests):
        self.folder, self.clients = Path(folder), Path(clients)
        self.guests_folder = guests
        self.edgec = Program(edgec, self.folder)
        self.environment = environment(self.edgec.home)
        self.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
        os.environ["PATH"] = self.environment["PATH"]
        self.results, self.running = [], []
        self.made = {}

    # Servers.

    def start(self, server):
        """Starts it. It ends with the run, if nothing ended it before."""
        server.start()
        self.running.append(server)
        return server

    def registry(self, name, **more):
        return self.start(Registry(self.folder / "registries" / name, **more))

    def stop(self):
        while self.running:
            self.running.pop().stop()

    # What is built once.

    @property
    def publisher(self):
        if "publisher" not in self.made:
            self.made["publisher"] = Publisher(self.edgec)
        return self.made["publisher"]

    def version(self, name, version, **more):
        """A version of an application; built once."""
        key = (name, version)
        if key not in self.made:
            self.made[key] = self.publisher.publish(name, version, **more)
        return self.made[key]

    def components(self):
        """Portable programs: the guests, or the examples of the repository."""
        folder = self.guests_folder
        if folder and all((folder / name).is_file() for name in GUESTS):
            return [folder / name for name in GUESTS]
        sys.path.append(str(REPOSITORY / "tests" / "serve"))
        import components

        return [Path(path) for path in components.examples().values()][:3]

    def guests(self):
        """A version of each portable program, for both CPUs."""
        for component in self.components():
            yield self.version(f"guests/{component.stem}", 1, source=component)

    def large_guest(self):
        path = self.guests_folder and self.guests_folder / LARGE_GUEST
        return path if path and path.is_file() else None

    def point(self, name, **more):
        return Point(self.publisher, name, **more)

    # Programs of others.

    def tool(self, *command, data=None, cwd=None):
        """Runs a program of others. It must succeed. Returns its output, as bytes."""
        done = self.attempt(*command, data=data, cwd=cwd)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")[-2000:]
            raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{said}")
        return done.stdout

    def attempt(self, *command, data=None, cwd=None):
        return subprocess.run(
            [*map(str, command)],
            input=data,
            capture_output=True,
            cwd=cwd or self.folder,
            env=self.environment,
            timeout=300,
        )

    def client(self, how, reference):
        """The portable component, as `oci-client` or `oci-wasm` pulls it."""
        file = self.folder / "pulled.wasm"
        file.unlink(missing_ok=True)
        self.tool(self.clients / "pull", how, reference, file)
        return file.read_bytes()

    # Results.

    @contextlib.contextmanager
    def case(self, name):
        """One thing that is shown. If it fails, the others still run, and the run fails."""
        notes, begin, failed = [], time.monotonic(), None
        try:
            yield notes.append
        except Exception as error:
            failed = isinstance(error, Failed) and str(error) or traceback.format_exc()
        took = time.monotonic() - begin
        self.results.append((name, failed, notes, took))
        told = "; ".join(notes)
        print(f"  {'FAILED' if failed else 'ok':6} {name}: {told} ({took:.1f} s)", flush=True)
        if failed:
            print("    " + failed.strip().replace("\n", "\n    "), flush=True)


def kib(count):
    return f"{count / 1024:.0f} KiB"
