"""A proxy in front of a registry: it counts requests and bytes, and makes faults on request.

    proxy = Proxy(registry.port).start()
    ... clients ask proxy.host ...
    print(proxy.counters.requests(kind="blob"), proxy.counters.sent())
    with proxy.fault(Cut(after=1000)):
        ... every blob breaks off after 1000 bytes ...
    proxy.stop()

It speaks plain HTTP/1.1, and keeps connections open. It passes the field `Host` on as it came, so
the places that a registry answers with lead through the proxy too.
"""

import collections
import contextlib
import functools
import http.client
import http.server
import socket
import threading
import time

from fault import Broken, Fault, Stall, kind_of

PART = 1 << 16
# Fields that belong to one connection.
OWN = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}


class Counters:
    """Requests and bytes of bodies, by method, kind and status. Any thread may read them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        with self.lock:
            self.by = collections.defaultdict(lambda: [0, 0, 0])
            # Of each path: how often its content was asked for, and there.
            self.paths = collections.Counter()

    def add(self, method, path, status, requests=0, received=0, sent=0):
        """What is about to be sent is counted first: who has an answer finds it counted."""
        with self.lock:
            row = self.by[method, kind_of(path), status]
            row[0] += requests
            row[1] += received
            row[2] += sent
            if requests and method == "GET" and status in (200, 206):
                self.paths[path] += 1

    def total(self, column, method, kind, status):
        def fits(key):
            return all(
                wanted is None or wanted == has for wanted, has in zip((method, kind, status), key)
            )

        with self.lock:
            return sum(row[column] for key, row in self.by.items() if fits(key))

    def requests(self, method=None, kind=None, status=None):
        return self.total(0, method, kind, status)

    def received(self, method=None, kind=None, status=None):
        """Bytes of the bodies of requests: what clients push."""
        return self.total(1, method, kind, status)

    def sent(self, method=None, kind=None, status=None):
        """Bytes of the bodies of answers: what clients pull."""
        return self.total(2, method, kind, status)

    def line(self):
        with self.lock:
            rows = sorted(self.by.items())
        return "; ".join(
            f"{method} {kind} {status}: {row[0]} requests, {row[1] + row[2]} bytes"
            for (method, kind, status), row in rows
        )


class Link:
    """So many bytes in a second for all connections together. `None` is no limit."""

    def __init__(self, rate=None):
        self.rate, self.lock, self.free_at = rate, threading.Lock(), 0.0

    def wait(self, length):
        if not self.rate:
            return
        with self.lock:
            begin = max(time.monotonic(), self.free_at)
            self.free_at = begin + length / self.rate
            until = self.free_at
        time.sleep(max(0.0, until - time.monotonic()))


class Proxy:
    """Passes requests on to the server behind it. It can stop, and start again on its port."""

    def __init__(self, behind, port=0, rate=None):
        self.behind, self.port = behind, port
        self.counters, self.link = Counters(), Link(rate)
        self.faults, self.open = [], set()
        self.server = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.server = Listener(("127.0.0.1", self.port), self)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def stop(self):
        """Ends every connection, also in the middle of an answer."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        for connection in list(self.open):
            end(connection)

    @contextlib.contextmanager
    def fault(self, fault):
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)
            if isinstance(fault, Stall):
                fault.go.set()

    @contextlib.contextmanager
    def slow(self, rate):
        """A link of so many bytes in a second."""
        before, self.link = self.link, Link(rate)
        try:
            yield
        finally:
            self.link = before

    def fault_of(self, method, path):
        return next((fault for fault in self.faults if fault.takes(method, path)), Fault())


class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    # A process that is to end does not wait for a stalled answer.
    daemon_threads = True

    def __init__(self, address, proxy):
        self.proxy = proxy
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        """A client that went away is no error."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = PART

    def setup(self):
        super().setup()
        self.proxy, self.upstream = self.server.proxy, None
        self.proxy.open.add(self.connection)

    def finish(self):
        self.proxy.open.discard(self.connection)
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        if self.upstream:
            self.upstream.close()

    def log_message(self, *_):
        pass

    def do_GET(self):
        """Every method comes here."""
        path = self.path.partition("?")[0]
        body = b"".join(self.body_of_request())
        self.received = len(body)
        fault = self.proxy.fault_of(self.command, path)
        try:
            if other := fault.instead():
                status, fields, content = other
                self.answer(status, fields.items(), len(content), [content])
            else:
                self.pass_on(self.ask(body), fault)
            self.wfile.flush()
        except (OSError, Broken, http.client.HTTPException):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
            end(self.connection)

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

    def body_of_request(self):
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            left = int(self.headers.get("content-length", 0))
            while left > 0 and (part := self.rfile.read(min(left, PART))):
                left -= len(part)
                yield part

    def ask(self, body):
        """The registry's answer. A kept connection may have ended, so a second try follows."""
        # A field can be there several times: docker-registry sends an `Accept` for each type.
        fields = [
            (name, value)
            for name, value in self.headers.items()
            if name.lower() not in OWN and name.lower() not in ("content-length", "expect")
        ]
        if body or self.command in ("POST", "PUT", "PATCH"):
            fields.append(("content-length", str(len(body))))
        for is_kept in (self.upstream is not None, False):
            if self.upstream is None:
                where = ("127.0.0.1", self.proxy.behind)
                self.upstream = http.client.HTTPConnection(*where, timeout=300)
            try:
                self.upstream.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in fields:
                    self.upstream.putheader(name, value)
                self.upstream.endheaders(body or None)
                return self.upstream.getresponse()
            except (OSError, http.client.HTTPException):
                self.upstream.close()
                self.upstream = None
                if not is_kept:
                    raise

    def pass_on(self, answer, fault):
        stated = answer.getheader("content-length")
        length = int(stated) if stated is not None else None
        fields = [
            (name, value)
            for name, value in answer.getheaders()
            if name.lower() not in OWN and name.lower() != "content-length"
        ]
        length = fault.length(length)
        parts = fault.body(iter(lambda: answer.read1(PART), b""))
        try:
            self.answer(answer.status, fields, length, parts)
        except Broken:
            # What is left of the answer would be taken for the next one.
            self.upstream.close()
            self.upstream = None
            raise
        answer.read()

    def answer(self, status, fields, length, parts):
        count = functools.partial(
            self.proxy.counters.add, self.command, self.path.partition("?")[0], status
        )
        count(requests=1, received=self.received)
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        has_body = self.command != "HEAD" and status not in (204, 304)
        chunked = has_body and length is None
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        elif length is not None:
            self.send_header("content-length", str(length))
        self.end_headers()
        if not has_body:
            return
        for part in parts:
            # A slow link gives small parts, so that clients see that something comes.
            step = PART if not self.proxy.link.rate else max(1, int(self.proxy.link.rate / 20))
            for at in range(0, len(part), step):
                piece = part[at : at + step]
                self.proxy.link.wait(len(piece))
                count(sent=len(piece))
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if self.proxy.link.rate:
                    self.wfile.flush()
            # What was passed on before a fault has arrived.
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


def end(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        connection.close()
