"""What programs learn about their clients, and operators about requests, over every listener."""

import socket
import threading

from attacks import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    frame,
    header_block,
)
from cases.sockets import ask_on, certificate, over_tls, over_unix
from host import HERE, Server, Store, application, ask, expect, free_port, wait_until

# What a client may say about itself.
LIES = {"x-forwarded-for": "10.0.0.1", "forwarded": "for=10.0.0.1", "x-real-ip": "10.0.0.1"}


def run(edgec):
    store = Store(edgec)
    store.add(edgec.build(HERE / "guests" / "hostile.wat", "good"))
    listeners(store)
    refused(store)
    one_connection(store)
    no_window(store)
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
        with over_unix(path) as stream:
            says(ask_on(stream, path="/f")[1], "forwarded: for=unknown;proto=http")
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


def one_connection(store):
    """Two listeners share one connection: a listener without clients takes no place."""
    other = free_port()
    server = Server(store, [application("good")], limits={"connections": 1}, start=False)
    server.tables["listen"]["http"].append(f"127.0.0.1:{other}")
    server.write()
    with server:
        server.start()
        for port in (server.port, other) * 3:
            found = ask(port, "/a", "good.test")
            expect(found == (200, "ok\n"), f"port {port}: {found}")
        # A connection at one listener holds up those at the other, and no longer than it lasts.
        held = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        expect(ask_on(held) == (200, "ok\n"), "the connection that is held")
        before = server.count('limit="connections"')
        found = []
        waits = threading.Thread(target=lambda: found.append(ask(other, "/a", "good.test")))
        waits.start()
        wait_until(lambda: server.count('limit="connections"') > before, "nobody waits")
        expect(not found, f"two connections at a time: {found}")
        held.close()
        waits.join()
        expect(found == [(200, "ok\n")], f"after the connection that was held: {found}")
        expect(server.stop() == 0, "it does not end well")
    print("  connections = 1: two listeners take turns")


def no_window(store):
    """A client of HTTP/2 that asks, answers pings, and never takes a byte of the response."""
    limits = {"header-read-time": "1s", "wall-time": "2s"}
    with Server(store, [application("good")], limits=limits) as server:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        # SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, section 6.5.2).
        settings = frame(SETTINGS, 0, 0, (4).to_bytes(2) + bytes(4))
        block = header_block(b"good.test", b"/a")
        client.sendall(PREFACE + settings + frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
        kinds = set()
        for kind, flags, payload in frames(client):
            kinds.add(kind)
            if kind in (SETTINGS, PING) and not flags & ACK:
                client.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        client.close()
        expect(HEADERS in kinds, "there is no head of a response")
        expect(PING in kinds, "nobody asks whether the client is there")
        expect(DATA not in kinds, "bytes come without a window")
        hits = server.count('limit="wall-time"')
        expect(hits > 0, "the limit is not counted")
        wait_until(lambda: server.count("edgec_requests_running") == 0, "it still runs")
        expect(server.ask("good", "/a") == (200, "ok\n"), "the others")
        expect(server.stop() == 0, "it does not end well")
    print(f"  an HTTP/2 client without a window is left: {hits:.0f} hits of wall-time")


# Frames of HTTP/2 (RFC 9113, section 6).
DATA, PING = 0, 6


def frames(client):
    """The frames that come, until the connection ends."""
    kept = b""
    while True:
        while len(kept) >= 9 and len(kept) >= 9 + int.from_bytes(kept[:3]):
            end = 9 + int.from_bytes(kept[:3])
            yield kept[3], kept[4], kept[9:end]
            kept = kept[end:]
        try:
            part = client.recv(1 << 16)
        except ConnectionError:
            return
        if not part:
            return
        kept += part


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
