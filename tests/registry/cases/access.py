"""Who may pull: passwords, credential helpers, and certificates of an authority of one's own."""

import base64
import json

from cases.tools import refusal
from servers import PASSWORD, USER, certificate
from world import expect

WRONG = "hunter2-is-wrong"


def run(world):
    version = world.version("access/app", 1)
    registry = world.registry("access", password=True)
    named = f"{registry.host}/access/app:v1"
    docker = world.edgec.home / "docker" / "config.json"
    token = lambda password: base64.b64encode(f"{USER}:{password}".encode()).decode()
    write = lambda content: docker.write_text(json.dumps(content))
    push = lambda: world.publisher.push(named, version, attempt=True)
    try:
        with world.case("no credentials: refused") as note:
            note(refused(push(), PASSWORD, token(PASSWORD)))
        with world.case("a wrong password: refused, and not printed") as note:
            write({"auths": {registry.host: {"auth": token(WRONG)}}})
            note(refused(push(), WRONG, token(WRONG)))
        with world.case("a password of the Docker configuration") as note:
            write({"auths": {registry.host: {"auth": token(PASSWORD)}}})
            done = push()
            expect(done.status == 0, done.said)
            expect(PASSWORD not in done.said + done.out, "the password is printed")
            note("pushed")
        with world.case("a credential helper") as note:
            helper(world, registry.host, PASSWORD)
            write({"credHelpers": {registry.host: "tests"}})
            point = world.point("helper")
            path = {"PATH": f"{world.folder / 'helpers'}:{world.environment['PATH']}"}
            point.pull(named, environment=path)
            point.verify()
            note("pulled")
        with world.case("a credential helper with a wrong password") as note:
            helper(world, registry.host, WRONG)
            done = world.point("wrong").attempt(named, environment=path)
            note(refused(done, WRONG, token(WRONG)))
        with world.case("a credential helper that is not there") as note:
            write({"credHelpers": {registry.host: "nobody-has-this"}})
            note(refused(world.point("wrong").attempt(named), PASSWORD))
    finally:
        docker.unlink(missing_ok=True)
    over_tls(world, version)


def refused(done, *secrets, of=None):
    code = refusal(done)
    expect(of in (None, code), f"the code is {code}: {done.said}")
    for secret in secrets:
        expect(secret not in done.said + done.out, f"a secret is printed: {done.said}")
    return code


def helper(world, host, password):
    folder = world.folder / "helpers"
    folder.mkdir(exist_ok=True)
    answer = json.dumps({"ServerURL": host, "Username": USER, "Secret": password})
    script = folder / "docker-credential-tests"
    script.write_text(
        f"#!/bin/sh\nread -r asked\n[ \"$asked\" = '{host}' ] || exit 1\n"
        f"cat <<'END'\n{answer}\nEND\n"
    )
    script.chmod(0o755)


def over_tls(world, version):
    authority, *pair = certificate(world.folder / "tls")
    registry = world.registry("tls", tls=pair)
    named = f"{registry.host}/access/app:v1"
    with world.case("HTTP to a registry with TLS: refused") as note:
        note(refusal(world.publisher.push(named, version, attempt=True)))
    with world.case("TLS by an unknown authority: refused") as note:
        other, *_ = certificate(world.folder / "tls-unknown")
        done = world.publisher.push(named, version, "--ca", other, attempt=True)
        note(refused(done, of="registry-tls"))
    with world.case("TLS by a named authority") as note:
        world.publisher.push(named, version, "--ca", authority)
        point = world.point("tls")
        point.pull(named, "--ca", authority)
        point.verify()
        note("pushed and pulled")
    with world.case("TLS for another name: refused") as note:
        other, *pair = certificate(world.folder / "tls-other", names="DNS:registry.example")
        registry = world.registry("tls-other", tls=pair)
        named = f"{registry.host}/access/app:v1"
        done = world.publisher.push(named, version, "--ca", other, attempt=True)
        note(refused(done, of="registry-tls"))
