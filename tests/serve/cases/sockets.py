"""Listeners other than a TCP port: Unix sockets, TLS with HTTP/2, and sockets from systemd."""

import http.client
import shutil
import socket
import ssl
import subprocess

from host import HERE, Server, Store, application, expect, free_port


def certificate(folder, name):
    """A certificate for `good.test`, and its key."""
    cert, key = folder / f"{name}.cert.pem", folder / f"{name}.key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=DNS:good.test"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def over_tls(port, protocols=("http/1.1",)):
    """A connection over TLS to whoever listens there, whatever its certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    return context.wrap_socket(plain, server_hostname="good.test")


def over_unix(path):
    """A connection to a Unix socket."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(str(path))
    return stream


def ask_on(stream, host="good.test", path="/a"):
    """A request on a connected socket. Returns the status and the text."""
    connection = http.client.HTTPConnection(host)
    connection.sock = stream
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


class UnixServer(Server):
    """A host whose admin interface is at a Unix socket."""

    def ask_admin(self, path):
        with over_unix(self.folder / "admin.sock") as stream:
            return ask_on(stream, "localhost", path)


def run(edgec):
    store = Store(edgec)
    store.add(edgec.build(HERE / "guests" / "hostile.wat", "good"))
    unix_socket(store)
    tls(store)
    systemd(store)


def unix_socket(store):
    folder = store.edgec.folder
    listen = {"http": [], "unix": [folder / "host.sock"], "admin": f"unix:{folder / 'admin.sock'}"}
    for _ in range(2):
        # The second one finds the socket that the first one left behind.
        with UnixServer(store, [application("good")], listen=listen) as server:
            with over_unix(folder / "host.sock") as stream:
                answer = ask_on(stream)
            expect(answer == (200, "ok\n"), f"through the Unix socket: {answer}")
            server.process.kill()
            server.process.wait()
    print("  a Unix socket answers, also in the place of one that was left behind")


def tls(store):
    cert, key = certificate(store.edgec.folder, "first")
    port = free_port()
    listen = {"http": [], "https": [f"127.0.0.1:{port}"], "tls": {"cert": cert, "key": key}}
    with Server(store, [application("good")], listen=listen):
        with over_tls(port) as stream:
            answer = ask_on(stream)
            expect(answer == (200, "ok\n"), f"over TLS: {answer}")
        with over_tls(port, ("h2", "http/1.1")) as stream:
            expect(stream.selected_alpn_protocol() == "h2", "the host does not offer HTTP/2")
        if program := shutil.which("h2load"):
            url = f"https://good.test:{port}/a"
            command = [program, "-n", "500", "-c", "4", "-m", "10", f"--connect-to=127.0.0.1:{port}"]
            said = subprocess.run([*command, url], capture_output=True, text=True).stdout
            expect("500 succeeded" in said, said)
            print("  h2load: 500 requests over HTTP/2 and TLS, all succeeded")
    print("  TLS answers, with HTTP/1.1 and HTTP/2")


def systemd(store):
    """As systemd does it: the socket listens before the program starts, as descriptor 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # A client may come first.
        early = socket.create_connection(("127.0.0.1", port))
        early.sendall(b"GET /a HTTP/1.1\r\nhost: good.test\r\nconnection: close\r\n\r\n")
        listen = {"http": [], "systemd": True}
        server = Server(store, [application("good")], listen=listen, start=False)
        descriptor = listener.fileno()
        script = f"exec 3<&{descriptor}; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http"
        command = ["bash", "-c", script + '; exec "$@"', "bash", *server.command()]
        with server:
            server.start(command, pass_fds=[descriptor])
            early.settimeout(30)
            answer = early.makefile("rb").read()
            expect(answer.startswith(b"HTTP/1.1 200"), f"the early client got {answer[:100]}")
            late = socket.create_connection(("127.0.0.1", port), timeout=30)
            expect(ask_on(late) == (200, "ok\n"), "a later client")
    print("  a socket from systemd answers, also a client that came before the host")
