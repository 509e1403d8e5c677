"""Faults of a registry or of the way to it, which a `Proxy` makes on request.

A fault changes answers to `GET` requests of one kind: `blob`, `manifest` (by digest), `tag` (a
manifest by its tag), or another one of `KINDS`.
"""

import contextlib
import hashlib
import http.client
import re
import threading

KINDS = (
    ("upload", re.compile(r"/blobs/uploads/")),
    ("blob", re.compile(r"/blobs/sha256:")),
    ("manifest", re.compile(r"/manifests/sha256:")),
    ("tag", re.compile(r"/manifests/")),
    ("referrers", re.compile(r"/referrers/")),
)


def kind_of(path):
    """What a request is about: `tag` is a manifest by its tag, `manifest` one by its digest."""
    for kind, pattern in KINDS:
        if pattern.search(path):
            return kind
    return "other"


class Broken(Exception):
    """The proxy ends the connection here."""


class Fault:
    """Does nothing. Subclasses change answers to `GET` requests of one kind.

    `times` is how often it happens; without it, every time. `reached` is set when it happens, and
    `count` says how often it did.
    """

    kind = "blob"

    def __init__(self, kind=None, times=None):
        self.kind, self.times = kind or self.kind, times
        self.count, self.reached = 0, threading.Event()
        self.lock = threading.Lock()

    def takes(self, method, path):
        """Whether this request may get the fault."""
        return method == "GET" and kind_of(path) == self.kind

    def happens(self):
        """Whether it happens here. Counts it."""
        with self.lock:
            if self.times is not None and self.count >= self.times:
                return False
            self.count += 1
        self.reached.set()
        return True

    def instead(self):
        """Another answer: status, header fields and body. `None` asks the registry."""
        return None

    def length(self, length):
        """The length that the answer states, from the one that the registry stated."""
        return length

    def body(self, parts):
        """The body, part by part."""
        return parts


class Cut(Fault):
    """The connection breaks off after so many bytes of a body. A shorter body comes whole."""

    def __init__(self, after, **more):
        super().__init__(**more)
        self.after = after

    def body(self, parts):
        left = self.after
        for part in parts:
            if left is not None and left < len(part):
                if self.happens():
                    yield part[:left]
                    raise Broken
                left = None
            left = left and left - len(part)
            yield part


class Short(Fault):
    """The body is shorter than the blob, and the answer says so: as a file that lost its end."""

    def __init__(self, by=1, least=0, **more):
        super().__init__(**more)
        self.by, self.least, self.cut = by, least, False

    def length(self, length):
        self.cut = length is not None and length > max(self.by, self.least) and self.happens()
        return length - self.by if self.cut else length

    def body(self, parts):
        whole = b"".join(parts)
        yield whole[: len(whole) - self.by] if self.cut else whole


class Flip(Fault):
    """One bit of one byte is another, and the length is right. A shorter body stays as it is."""

    def __init__(self, at=100, **more):
        super().__init__(**more)
        self.at = at

    def body(self, parts):
        whole = bytearray(b"".join(parts))
        if self.at < len(whole) and self.happens():
            whole[self.at] ^= 1
        yield bytes(whole)


class Stall(Fault):
    """After so many bytes, nothing more comes until `go` is set. Then the rest comes."""

    def __init__(self, after=0, **more):
        super().__init__(**more)
        self.after = after
        self.go = threading.Event()

    def body(self, parts):
        left = self.after
        for part in parts:
            if left is not None and left < len(part):
                if not self.go.is_set() and self.happens():
                    yield part[:left]
                    part = part[left:]
                    self.go.wait(120)
                left = None
            left = left and left - len(part)
            yield part


class Status(Fault):
    """The registry answers with an error."""

    def __init__(self, status, fields=(), **more):
        super().__init__(**more)
        self.status, self.fields = status, dict(fields)

    def instead(self):
        if not self.happens():
            return None
        return self.status, self.fields, b'{"errors":[{"code":"UNKNOWN","message":"a test"}]}'


class Old(Fault):
    """A tag names what it named when this was made: a mirror that brings back an old release."""

    kind = "tag"

    def __init__(self, proxy, repository, tag, **more):
        super().__init__(**more)
        self.path = f"/v2/{repository}/manifests/{tag}"
        kinds = "application/vnd.oci.image.{}.v1+json"
        accept = ", ".join(map(kinds.format, ("index", "manifest")))
        connection = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", self.path, headers={"accept": accept})
            answer = connection.getresponse()
            self.bytes = answer.read()
            self.media_type = answer.getheader("content-type")
        if answer.status != 200:
            raise RuntimeError(f"{self.path}: status {answer.status}")

    def takes(self, method, path):
        return method in ("GET", "HEAD") and path == self.path

    def instead(self):
        self.happens()
        digest = f"sha256:{hashlib.sha256(self.bytes).hexdigest()}"
        fields = {
            "content-type": self.media_type,
            "docker-content-digest": digest,
            "etag": f'"{digest}"',
        }
        return 200, fields, self.bytes
