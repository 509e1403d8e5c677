"""What programs learn about their clients, and operators about requests, over every listener."""

import socket

from cases.sockets import ask_on, certificate, over_tls
from host import HERE, Server, Store, application, ask, expect, free_port, wait_until

# What a client may say about itself.
LIES = {"x-forwarded-for": "10.0.0.1", "forwarded": "for=10.0.0.1", "x-real-ip": "10.0.0.1"}


def run(edgec):
    store = Store(edgec)
    store.add(edgec.build(HERE / "guests" / "hostile.wat", "good"))
    listeners(store)
    refused(store)
    nothing_served(edgec)


def listeners(store):
    """The client as a program sees it, over TCP, TLS and a Unix socket."""
    folder = store.edgec.folder
    cert, key = certificate(folder, "clients")
    secure, path = free_port(), folder / "clients.sock"
    listen = {"https": [f"127.0.0.1:{secure}"], "tls": {"cert": cert, "key": key}}
    listen |= {"unix": [path], "unix-mode": "0600"}
    with Server(store, [application("good")], listen=listen) as server:
        status, plain = server.ask("good", "/f", headers=LIES)
        expect(status == 200, f"over TCP: {status}")
        says(plain, "forwarded: for=127.0.0.1;proto=http", "x-forwarded-for: 127.0.0.1")
        expect("10.0.0.1" not in plain, f"the client is believed: {plain}")
        with over_tls(secure) as stream:
            says(ask_on(stream, path="/f")[1], "forwarded: for=127.0.0.1;proto=https")
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(path))
        says(ask_on(stream, path="/f")[1], "forwarded: for=unknown;proto=http")
        stream.close()
        mode = path.stat().st_mode & 0o777
        expect(mode == 0o600, f"the mode of the Unix socket is {mode:o}")
    print("  programs see the address of their client, over TCP, TLS and a Unix socket")


def says(text, *lines):
    for line in lines:
        expect(line in text.splitlines(), f"no {line!r} in {text!r}")


def refused(store):
    log = {"requests": True}
    applications = [application("good", path="/f")]
    with Server(store, applications, log=log) as server:
        for host, path, status, reason in (
            ("good.test", "/other", 404, "unknown-path"),
            ("other.test", "/f?token=secret", 421, "unknown-host"),
            ("no host", "/f", 400, "host"),
        ):
            found = ask(server.port, path, host)[0]
            expect(found == status, f"{host}{path}: {found}")
            counted = server.count(f'edgec_requests_refused_total.*"{reason}"')
            expect(counted == 1, f"{reason}: {counted}")
            wait_until(lambda: f"reason={reason}" in server.logged(), f"no line of {reason}")
        expect('path="/f" client=127.0.0.1 status=421' in server.logged(), server.logged())
        expect("secret" not in server.logged(), "the log has a query")
        expect(server.stop() == 0, "it does not end well")
        expect("the drain has ended" in server.logged(), "no line about the drain")
    print("  what is refused before routing is counted by reason, and logged")


def nothing_served(edgec):
    """A policy that lets nothing in makes the host not ready."""
    store = Store(edgec, "withheld")
    store.add(edgec.build(HERE / "guests" / "hostile.wat", "good"))
    with Server(store, [application("good")]) as server:
        store.write_policy("expires = 2020-01-01T00:00:00Z\n")
        took = wait_until(lambda: server.ask_admin("/readyz")[0] == 503, "it is ready")
        said = server.ask_admin("/readyz")[1]
        expect(said == "nothing is served\nnot served: good\n", said)
        store.write_policy()
        wait_until(lambda: server.ask_admin("/readyz")[0] == 200, "it is not ready again")
    print(f"  with nothing to serve, /readyz is 503 after {took:.2f} s")
