"""Servers of shared caches on this machine, and a proxy that makes one slow or breaks it off."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

# What a client of S3 needs. Moto does not check it.
AWS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_REGION": "us-east-1"}
BUCKET = "edgec"
PASSWORD = "s3cret"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port, process):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise SystemExit(f"a server ended: {process.args}")
        time.sleep(0.1)
    raise SystemExit(f"a server does not answer: {process.args}")


class Server:
    """A process that listens on a port."""

    def __init__(self, port, command, **more):
        self.port = port
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more
        )
        wait_for(port, self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()


def redis(folder):
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return Server(port, [*command, "--dir", str(folder), "--requirepass", PASSWORD])


def redis_url(port):
    return f"redis://:{PASSWORD}@127.0.0.1:{port}/1/edgec"


def s3(folder):
    port = free_port()
    program = os.path.join(os.path.dirname(sys.executable), "moto_server")
    server = Server(port, [program, "-H", "127.0.0.1", "-p", str(port)], cwd=folder)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request).close()
    return server


def s3_url(port):
    return f"s3://{BUCKET}/cache?endpoint=http://127.0.0.1:{port}&region=us-east-1"


DAV = """
import sys
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

folder, port, password = sys.argv[1:]
users = {"*": {"edgec": {"password": password}}}
app = WsgiDAVApp({
    "provider_mapping": {"/": folder},
    "simple_dc": {"user_mapping": users},
    "http_authenticator": {"accept_digest": False, "default_to_digest": False},
    "verbose": 0,
    "logging": {"enable": False},
})
wsgi.Server(("127.0.0.1", int(port)), app).start()
"""


def webdav(folder):
    port = free_port()
    return Server(port, [sys.executable, "-c", DAV, str(folder), str(port), PASSWORD])


def webdav_url(port):
    return f"webdav://edgec:{PASSWORD}@127.0.0.1:{port}/cache"


class Proxy:
    """Passes connections on, and does with each part of an answer what `treat` says."""

    def __init__(self, port, treat):
        self.behind, self.treat = port, treat
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=[client], daemon=True).start()

    def pass_on(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.behind))
        except OSError:
            client.close()
            return
        forward = threading.Thread(target=pump, args=[client, server, bytes], daemon=True)
        forward.start()
        pump(server, client, self.treat)

    def close(self):
        self.listener.close()


def pump(source, drain, treat):
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            part = treat(part)
            if part is None:
                break
            drain.sendall(part)
    for end in (source, drain):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def slow(seconds):
    """Each part comes this much later."""

    def treat(part):
        time.sleep(seconds)
        return part

    return treat


def broken_off(after):
    """The connection ends when it has passed on this many bytes."""
    lock, left = threading.Lock(), [after]

    def treat(part):
        with lock:
            if left[0] <= 0:
                return None
            left[0] -= len(part)
            return part[: max(0, len(part) + min(0, left[0]))]

    return treat
