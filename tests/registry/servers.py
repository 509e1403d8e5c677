"""Registries, pull-through caches, and a registry with the referrers API: all on loopback.

`proxy.py` has what stands between them and their clients. Everything ends with its owner's `stop`.
"""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

USER, PASSWORD = "tests", "correct-horse-battery"
# `htpasswd -nbB tests correct-horse-battery`: docker-registry knows no other hash.
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuSnF5tLPqPFqc0z9CY0HcSLFbSRlL67u\n"
# After this time, a server that does not answer is an error.
PATIENCE = 60
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ends_with_parent():
    """In a new process: the kernel ends it with the thread that started it, so start servers in the
    main thread. Then nothing is left if the test is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A process that listens on a port. It can be killed, and started again with what it kept."""

    def __init__(self, command, log, port, **more):
        self.command, self.log, self.port, self.more = command, Path(log), port, more
        self.process = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, preexec_fn=ends_with_parent, **self.more
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.command[0]} does not answer:\n{self.log.read_text()[-2000:]}")

    def kill(self):
        """As if the machine had failed: nothing is finished."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    stop = kill


class Registry(Server):
    """Debian's docker-registry, which has no referrers API.

    With `cache_of`, the address of another registry, it is a pull-through cache in front of that
    one. With `password`, it asks for `USER` and `PASSWORD`. `tls` is a pair of files: certificate
    and key.
    """

    def __init__(self, folder, cache_of=None, password=False, tls=None, port=None):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        self.files = folder / "files"
        config = {
            "version": "0.1",
            "log": {"accesslog": {"disabled": True}, "level": "error"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.files)},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
        }
        if cache_of:
            config["proxy"] = {"remoteurl": f"http://{cache_of}"}
        if password:
            (folder / "htpasswd").write_text(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
        if tls:
            config["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        # JSON is YAML.
        (folder / "config.json").write_text(json.dumps(config))
        command = ["docker-registry", "serve", str(folder / "config.json")]
        super().__init__(command, folder / "log", port, env=plain_environment())


class WithReferrers(Server):
    """A registry that has the referrers API: `clients/src/bin/registry.rs`, in memory."""

    def __init__(self, program, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        super().__init__([str(program), f"127.0.0.1:{port}"], folder / "log", port)


def plain_environment():
    """Without settings that docker-registry would read, and without proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REGISTRY_") and not name.lower().endswith("_proxy")
    }


def certificate(folder, names="IP:127.0.0.1,DNS:localhost"):
    """A certificate authority, and a certificate for these names by it.

    Returns the files of the authority's certificate, the certificate and its key.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    openssl = lambda *arguments: subprocess.run(
        ["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True
    )
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    authority = ["-x509", "-days", 2, "-keyout", "ca.key.pem", "-out", "ca.pem"]
    openssl("req", *new, *authority, "-subj", "/CN=tests of registries")
    openssl("req", *new, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=127.0.0.1")
    (folder / "names").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    by = ["-CA", "ca.pem", "-CAkey", "ca.key.pem", "-CAcreateserial", "-extfile", "names"]
    openssl("x509", "-req", "-days", 2, "-in", "request.pem", *by, "-out", "cert.pem")
    return folder / "ca.pem", folder / "cert.pem", folder / "key.pem"


MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    )
)


def get(host, path, accept=MANIFESTS, method="GET", ca=None):
    """One request to a registry. Returns status, header fields in lower case, and body."""
    if ca:
        connection = http.client.HTTPSConnection(
            host, timeout=PATIENCE, context=ssl.create_default_context(cafile=ca)
        )
    else:
        connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"accept": accept})
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, fields, answer.read()


def manifest(host, repository, reference):
    """A manifest of a registry: its digest and its content."""
    status, fields, body = get(host, f"/v2/{repository}/manifests/{reference}")
    if status != 200:
        raise RuntimeError(f"{host}/{repository} {reference}: status {status}: {body[:300]}")
    return fields.get("docker-content-digest"), json.loads(body)


def blob(host, repository, digest):
    status, _, body = get(host, f"/v2/{repository}/blobs/{digest}", "*/*")
    if status != 200:
        raise RuntimeError(f"{host}/{repository} {digest}: status {status}: {body[:300]}")
    return body


def referrers(host, repository, digest):
    """The manifests that name this one as their subject, with their content.

    From the referrers API, or from the fallback tag. Only those that state the subject count,
    because registries and tools write other things into the fallback tag.
    """
    status, _, body = get(host, f"/v2/{repository}/referrers/{digest}")
    if status == 404:
        tag = digest.replace(":", "-")
        status, _, body = get(host, f"/v2/{repository}/manifests/{tag}")
    if status != 200:
        return []
    found = []
    for entry in json.loads(body)["manifests"]:
        _, content = manifest(host, repository, entry["digest"])
        if content.get("subject", {}).get("digest") == digest:
            found.append((entry, content))
    return found
