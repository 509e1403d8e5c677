"""The steps of a pod, one after the other, in folders of this machine instead of a container's."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "serve/guests/service.wat"


def check(edgec, pod, config, folder):
    helper(pod, folder)
    Steps(edgec, pod, config, folder / "pod").walk()


class Answers(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self):
        self.send_response(int(self.path.removeprefix("/")))
        self.end_headers()

    def log_message(self, *_):
        pass


def helper(pod, folder):
    def ends(code, *arguments):
        done = subprocess.run([pod, *arguments], capture_output=True, text=True, timeout=30)
        assert done.returncode == code, (arguments, done)
        return done.stderr

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    ends(0, "probe", address, "/200")
    assert "503" in ends(1, "probe", address, "/503")
    ends(1, "probe", address, "/302")
    ends(1, "probe", "localhost:1", "/")
    ends(1, "probe", address, "/ HTTP/1.1")
    server.shutdown()
    server.server_close()
    ends(1, "probe", address, "/200")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It takes the connection, and says nothing.
        ends(1, "probe", f"127.0.0.1:{silent.getsockname()[1]}", "/")
    ends(2)
    ends(2, "probe")

    volume = folder / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    own = volume / "edgec"
    ends(0, "folder", str(own))
    assert own.stat().st_mode & 0o7777 == 0o700
    ends(0, "folder", str(own))
    own.chmod(0o770)
    ends(1, "folder", str(own))
    own.rmdir()
    own.symlink_to(folder)
    ends(1, "folder", str(own))
    ends(1, "folder", str(folder / "no/such"))


class Steps:
    """A pod: its folders stand for /etc/edgec and /var/lib/edgec."""

    def __init__(self, edgec, pod, config, folder):
        self.edgec, self.pod, self.config, self.folder = edgec, pod, config, folder
        folder.mkdir()
        self.ports = [free_port() for _ in range(3)]

    def run(self, *arguments, code=0):
        environment = {**os.environ, "HOME": str(self.folder)}
        command = [str(self.edgec), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def push(self, version):
        """A release of the application, in an OCI layout instead of a registry."""
        out = self.folder / f"out-{version}"
        program = self.folder / "app.wat"
        named = ["--name", "acme/shop", "--app-version", version, "--release", version]
        signed = ["--provenance", "--sbom", "cyclonedx", "--key", "release.pem"]
        self.run("build", "-q", program, "--profile", "edge", *named, *signed, "-o", out)
        [release] = out.glob("*.release.json")
        beside = ["--release", release]
        for option, pattern in ("--provenance", "*.provenance.json"), ("--sbom", "*.cdx.json"):
            for path in sorted(out.glob(pattern)):
                beside += [option, path]
        self.run("push", f"oci-layout:{self.folder}/registry:stable", *sorted(out.glob("*.cwasm")),
                 *beside)

    def configure(self):
        """The files of the manifests, with the places of this machine."""
        public = (self.folder / "release.pub.pem").read_text()
        etc = self.folder / "etc"
        etc.mkdir()
        for path in self.config.iterdir():
            text = path.read_text()
            text = text.replace("/var/lib/edgec", str(self.folder / "volume/edgec"))
            text = text.replace("/etc/edgec", str(etc))
            layout = f"oci-layout:{self.folder}/registry"
            text = text.replace("registry.example.com/acme/shop", layout)
            for port, own in zip((8080, 9090, 9091), self.ports):
                text = text.replace(f".1:{port}", f".1:{own}").replace(f".0:{port}", f".0:{own}")
            if "-----BEGIN" in text:
                begin, end = text.index("-----BEGIN"), text.index('"""', text.index("-----BEGIN"))
                text = text[:begin] + public + text[end:]
                # Also what travels beside an artifact.
                text += "\n[provenance]\nsbom = true\n"
            text = text.replace('"30s"\n\n[[app', '"200ms"\n\n[[app')
            (etc / path.name).write_text(text)
        return etc

    def start(self, *arguments):
        log = (self.folder / f"{arguments[0]}.log").open("w")
        command = [str(self.edgec), *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def probe(self, port, path):
        command = [self.pod, "probe", f"127.0.0.1:{port}", path]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def until(self, what, holds):
        end = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < end, f"{what}: {self.logs()}"
            time.sleep(0.1)

    def logs(self):
        return {path.name: path.read_text()[-2000:] for path in self.folder.glob("*.log")}

    def current(self):
        store = self.folder / "volume/edgec/store"
        done = self.run("store", "--store", store, "ls", "--format", "json")
        return {one["version"] for one in json.loads(done)["results"] if one.get("current")}

    def walk(self):
        self.run("keygen", "-o", "release.pem")
        shutil.copy(program_of_http(), self.folder / "app.wat")
        self.push(1)
        etc = self.configure()
        volume = self.folder / "volume"
        volume.mkdir()
        # As Kubernetes makes it: edgec keeps no store in such a folder.
        volume.chmod(0o777)
        reference = f"oci-layout:{self.folder}/registry:stable"
        pull = ["pull", "--store", volume / "store", "--trust", etc / "trust.toml", reference]
        said = self.run(*pull, code=1)
        assert "error[store-writable]" in said, said
        # So a container makes a folder of its own user, and the others mount that one. Here, the
        # folder above would still be on the way.
        subprocess.run([self.pod, "folder", str(volume / "edgec")], check=True)
        volume.chmod(0o755)
        store = volume / "edgec/store"
        self.run("pull", "--store", store, "--trust", etc / "trust.toml", reference)
        assert self.current() == {1}, self.current()
        assert len(list(store.glob("artifacts/*.sbom"))) == 1, list(store.glob("artifacts/*"))
        sync = self.start("sync", etc / "fleet.toml", "--store", store)
        serve = self.start("serve", "--config", etc / "serve.toml")
        http, admin, status = self.ports
        try:
            self.until("the host is ready", lambda: self.probe(admin, "/readyz"))
            self.until("sync has a status", lambda: self.probe(status, "/healthz"))
            self.push(2)
            self.until("version 2 is current", lambda: self.current() == {2})
            serve.send_signal(signal.SIGTERM)
            assert serve.wait(60) == 0, self.logs()
            assert not self.probe(admin, "/readyz")
            sync.send_signal(signal.SIGTERM)
            sync.wait(60)
        finally:
            for process in (serve, sync):
                if process.poll() is None:
                    process.kill()
                    process.wait()


def program_of_http():
    """A program that answers requests."""
    return EXAMPLE


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
