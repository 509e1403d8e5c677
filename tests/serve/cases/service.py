"""Programs of wasi:http 0.3: what ends an instance is what its requests are told."""

import http.client
import socket

from host import HERE, Failed, Server, Store, application, expect, wait_until

# An instance of its own for each request, and one for several.
REUSE = ({}, {"reuse": {"requests": 100, "concurrent": 16}})
LIMITS = {"cpu-time": "200ms", "wall-time": "2s"}


def run(edgec):
    store = Store(edgec)
    store.add(edgec.build(HERE / "guests" / "service.wat", "service"))
    for reuse in REUSE:
        with Server(store, [application("service", limits=LIMITS, **reuse)]) as server:
            no_content(server)
            alone(server)
            if reuse:
                neighbours(server)
            expect("panicked" not in server.logged(), server.logged())
            expect(server.stop() == 0, "it does not end well")


def send(server, path):
    stream = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    head = f"GET {path} HTTP/1.1\r\nhost: service.test\r\nconnection: close\r\n\r\n"
    stream.sendall(head.encode())
    return stream


def received(stream, until=None):
    """Everything until the connection is closed, or until a text has come."""
    found = b""
    while part := stream.recv(1 << 16):
        found += part
        if until and until in found:
            return found.decode()
    stream.close()
    return found.decode()


def no_content(server):
    """A response of status 204 has neither a body nor a statement about one."""
    answer = received(send(server, "/a"))
    head, _, body = answer.partition("\r\n\r\n")
    expect(head.startswith("HTTP/1.1 204 "), answer)
    expect(body == "", f"204 with a body: {answer!r}")
    for field in ("content-length", "transfer-encoding"):
        expect(field not in head.lower(), f"204 with {field}: {answer!r}")
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(2):
        client.request("GET", "/a", headers={"host": "service.test"})
        found = client.getresponse()
        expect((found.status, found.read()) == (204, b""), f"{found.status}")
        expect(not found.will_close, "204 ends its connection")
    client.close()
    print("  204 has no body, and its connection goes on")


def ended(server, outcome):
    return server.count(f'edgec_requests_total.*outcome="{outcome}"')


def is_cut(answer):
    is_whole = answer.endswith("0\r\n\r\n")
    return answer.startswith("HTTP/1.1 200 ") and "begin" in answer and not is_whole


def alone(server):
    """A program that meets its limit, before the head of its response and after it."""
    for path, status, outcome, counted in (
        ("/t", 500, "trapped", "edgec_traps_total"),
        ("/l", 504, "limited", 'limit="cpu-time"'),
        ("/w", 504, "limited", 'limit="wall-time"'),
        ("/s", 200, "limited", 'limit="wall-time"'),
    ):
        before, hits = ended(server, outcome), server.count(counted)
        answer = received(send(server, path))
        expect(answer.startswith(f"HTTP/1.1 {status} "), f"{path}: {answer!r}")
        expect(path != "/s" or is_cut(answer), f"a body that is cut looks whole: {answer!r}")
        wait_until(lambda: ended(server, outcome) == before + 1, f"{path} is not {outcome}")
        # The instance ends a little later than its request, and counts nothing again.
        wait_until(lambda: server.count("edgec_requests_running") == 0, "it still runs")
        again = received(send(server, "/a"))
        expect(again.startswith("HTTP/1.1 204 "), f"after {path}: {again!r}")
        found = server.count(counted) - hits
        expect(found == 1, f"{path}: {counted} is counted {found:.0f} times")
    expect(ended(server, "unanswered") == 0, "a reason is not told")
    print("  a trap and limits have their names, and a body that is cut does not look whole")


def neighbours(server):
    """Another request of the same instance, which waits or is in the middle of its body."""
    # No instance is left.
    received(send(server, "/t"))
    for first in ("/w", "/s"):
        for second, status, outcome in (("/t", 500, "trapped"), ("/l", 504, "limited")):
            before = ended(server, outcome)
            other, answer = beside(server, first, second)
            expect(answer.startswith(f"HTTP/1.1 {status} "), f"{second}: {answer!r}")
            well = is_cut(other) if first == "/s" else other.startswith(f"HTTP/1.1 {status} ")
            expect(well, f"{second} beside {first}: {other!r}")
            wait_until(lambda: ended(server, outcome) >= before + 2, f"{first} is not {outcome}")
    expect(ended(server, "unanswered") == 0, "a reason is not told")
    print("  requests of one instance learn why it ended")


def beside(server, first, second):
    """The answers to two requests in one instance."""
    running = lambda: server.count("edgec_requests_running")
    for _ in range(20):
        wait_until(lambda: running() == 0, "it still runs")
        instances = server.count("edgec_cold_starts_total")
        stream, begun = send(server, first), ""
        if first == "/s":
            begun = received(stream, until=b"begin")
        else:
            wait_until(lambda: running() == 1, "it does not run")
        answer = received(send(server, second))
        other = begun + received(stream)
        # The second one has an instance of its own if the first one was not there yet.
        if server.count("edgec_cold_starts_total") == instances + 1:
            return other, answer
    raise Failed("requests do not share an instance")
