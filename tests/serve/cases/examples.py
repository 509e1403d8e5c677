"""Every example of examples/edge answers, through one host, as its README says."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
import tomllib

import components
from host import REPOSITORY, Server, Store, expect

CONFIG = REPOSITORY / "examples" / "edge" / "serve.toml"


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, and counts."""

    asked = []

    def do_GET(self):
        type(self).asked.append(self.path)
        text = f"{self.path} {self.headers.get('x-subject', '-')}".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def token(secret, claims, algorithm="HS256"):
    """A JSON Web Token."""
    encoded = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    head = json.dumps({"alg": algorithm, "typ": "JWT"}).encode()
    signed = encoded(head) + b"." + encoded(json.dumps(claims).encode())
    signature = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return (signed + b"." + encoded(signature)).decode()


def run(edgec):
    store = Store(edgec)
    store.add(*(edgec.build(path, name) for name, path in components.examples().items()))
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        ask_all(store, upstream.server_address[1])
    finally:
        upstream.shutdown()
        upstream.server_close()


def ask_all(store, port):
    # The configuration of the examples, with the upstream of this test.
    config = tomllib.loads(CONFIG.read_text().replace("127.0.0.1:9090", f"127.0.0.1:{port}"))
    secret = next(it for it in config["application"] if it["name"] == "auth")["config"]["secret"]
    with Server(store, config["application"]) as server:

        def asked(name, path, status, **options):
            host = {"host": f"{name}.localhost"} | options.pop("headers", {})
            found, text, headers = server.ask(name, path, headers=host, whole=True, **options)
            expect(found == status, f"{name} {path}: {found}, not {status}: {text}")
            return text, headers

        _, headers = asked("redirects", "/old?a=1", 301)
        expect(headers["location"] == "https://www.example.com/new?a=1", str(headers))
        asked("redirects", "/other", 404)

        origin = {"origin": "https://shop.example"}
        _, headers = asked("cors", "/", 204, method="OPTIONS", headers=origin)
        expect(headers["access-control-allow-origin"] == origin["origin"], str(headers))
        _, headers = asked("cors", "/", 200, headers=origin)
        expect(headers["access-control-allow-origin"] == origin["origin"], str(headers))
        evil = {"origin": "https://evil.example"}
        asked("cors", "/", 403, method="OPTIONS", headers=evil)
        _, headers = asked("cors", "/", 200, headers=evil)
        expect("access-control-allow-origin" not in headers, str(headers))

        for country, place in [("DE", "germany"), ("fr", "world"), ("../", "world")]:
            text, _ = asked("country", "/page?q", 200, headers={"x-country": country})
            expect(text == f"/{place}/page?q -", text)

        good = {"sub": "ann", "exp": time.time() + 60}
        text, _ = asked("auth", "/me", 200, headers=bearer(token(secret, good)))
        expect(text == "/accounts/me ann", text)
        before = len(Upstream.asked)
        for wrong in [
            token("another", good),
            token(secret, good | {"exp": time.time() - 1}),
            token(secret, {"sub": "ann"}),
            token(secret, good, "none"),
            token(secret, good)[:-4],
            "no.token",
            "",
        ]:
            asked("auth", "/me", 401, headers=bearer(wrong))
        asked("auth", "/me", 401)
        expect(len(Upstream.asked) == before, "a request without a token reached the upstream")

        numbers = [json.loads(asked("counter", "/a", 200)[0])["visits"] for _ in range(3)]
        expect(numbers == [1, 2, 3], str(numbers))
        expect(json.loads(asked("counter", "/b", 200)[0])["visits"] == 1, "/b has its own number")
        asked("counter", "/a", 204, method="DELETE")
        expect(json.loads(asked("counter", "/a", 200)[0])["visits"] == 1, "after DELETE")
        print("  redirects, cors, country, auth and counter answer as documented")


def bearer(text):
    return {"authorization": f"Bearer {text}"}
