"""What clients see when something around the host fails, and comes back."""

import http.client
import os
import shutil
import signal
import subprocess
import time

import components
from cases.sockets import ask_on, certificate, over_tls
from host import (
    HERE,
    Edgec,
    Failed,
    Server,
    Store,
    application,
    ask,
    expect,
    free_port,
    wait_until,
)
from probe import Probe


def run(edgec):
    store = Store(edgec)
    guest = HERE / "guests" / "hostile.wat"
    store.add(edgec.build(guest, "good", 1))
    redis(edgec)
    certificate_replaced(store)
    policy_expired(store)
    configuration_changed(store)
    few_open_files(store)
    log_reader_stopped(store)
    disk_full(edgec)
    killed(store)


def seen(server, ask):
    """What the client sees now: the status, or the error."""
    try:
        return str(ask()[0])
    except OSError as error:
        return type(error).__name__


def redis(edgec):
    program = shutil.which("redis-server")
    expect(program, "redis-server is not installed: apt-get install redis-server")
    port = free_port()

    def start():
        command = [program, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=edgec.folder)
        wait_until(lambda: is_open(port), "Redis does not start")
        return started

    store = Store(edgec, "counting")
    store.add(edgec.build(components.examples()["counter"], "counter"))
    counter = application("counter", keyvalue={"redis": f"redis://127.0.0.1:{port}/0"})
    running = start()
    try:
        with Server(store, [counter]) as server:
            ask = lambda: server.ask("counter", "/page")
            expect(ask()[0] == 200 and '"visits":2' in ask()[1], "the counter does not count")
            running.kill()
            running.wait()
            begin = time.monotonic()
            lost = seen(server, ask)
            took = time.monotonic() - begin
            expect(lost == "503", f"without Redis, the client sees {lost}")
            running = start()
            back = wait_until(lambda: seen(server, ask) == "200", "Redis is back, the host is not")
            print(f"  Redis killed: 503 after {took:.2f} s; started again: 200 after {back:.2f} s")
    finally:
        running.kill()
        running.wait()


def is_open(port):
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def certificate_replaced(store):
    folder = store.edgec.folder
    live = folder / "live.cert.pem", folder / "live.key.pem"
    put = lambda files: [replace(old, new) for old, new in zip(files, live)]
    first, second = certificate(folder, "one"), certificate(folder, "two")
    put(first)
    port = free_port()
    listen = {"https": [f"127.0.0.1:{port}"], "tls": {"cert": live[0], "key": live[1]}}
    with Server(store, [application("good")], listen=listen) as server:

        def served():
            with over_tls(port) as stream:
                return stream.getpeercert(binary_form=True)

        before = served()
        with over_tls(port) as old:
            put(second)
            took = wait_until(lambda: served() != before, "the new certificate is not served")
            expect(ask_on(old) == (200, "ok\n"), "the connection with the old certificate")
        live[1].write_text("no key\n")
        time.sleep(1.5)
        with over_tls(port) as stream:
            expect(ask_on(stream) == (200, "ok\n"), "a broken key replaces a good one")
        print(f"  certificate replaced: served after {took:.2f} s; a broken key changes nothing")


def replace(old, new):
    copy = new.with_suffix(".copy")
    shutil.copy(old, copy)
    copy.replace(new)


def policy_expired(store):
    with Server(store, [application("good")]) as server:
        ask = lambda: server.ask("good", "/a")
        expect(ask()[0] == 200, "it is not served")
        store.write_policy("expires = 2020-01-01T00:00:00Z\n")
        took = wait_until(lambda: seen(server, ask) != "200", "an expired policy changes nothing")
        status, text = ask()
        expect(status == 503, f"under an expired policy, the client sees {status}: {text}")
        store.write_policy()
        back = wait_until(lambda: seen(server, ask) == "200", "a good policy changes nothing")
        print(f"  policy expired: {status} after {took:.2f} s; replaced: 200 after {back:.2f} s")


def configuration_changed(store):
    """Routes come and go while clients ask, and a bad file changes nothing."""
    with Server(store, [application("good")]) as server:
        other = application("good") | {"host": ["good.test", "other.test"]}
        asks = lambda host: ask(server.port, "/a", host)[0]
        with Probe(server.port, "good.test", "/a") as probe:
            for hosts, is_there in [(other, 200), (application("good"), 421)] * 3:
                server.applications = [hosts]
                server.replace()
                wait_until(lambda: asks("other.test") == is_there, "a route does not change")
            server.applications = []
            server.replace()
            wait_until(lambda: "stays as it was" in server.logged(), "a bad file is not told")
            time.sleep(0.5)
        told = server.logged().count("stays as it was")
        expect(told == 1, f"a bad file is told {told} times")
        expect(not probe.failures, f"failed: {probe.failures[:3]}")
        server.config.chmod(0o666)
        wait_until(lambda: "can write it" in server.logged(), "a file that all can write")
        expect(asks("good.test") == 200, "the old configuration is gone")
        expect(server.stop() == 0, "it does not end well")
        server.config.chmod(0o600)
        print(f"  configuration changed 6 times: {probe.line()}; a bad file changes nothing")


def few_open_files(store):
    """A program that takes all the sockets that it can get, in a process with few open files."""
    outbound = {"sockets": ["tcp"]}
    limits = {"sockets": 100_000}
    hostile = application("hostile", outbound=outbound, limits=limits)
    guest = HERE / "guests" / "hostile.wat"
    store.add(store.edgec.build(guest, "hostile"))
    applications = [hostile, application("good")]
    server = Server(store, applications, limits={"sockets": 100_000}, start=False)
    with server:
        server.start(["bash", "-c", 'ulimit -n 1024; exec "$@"', "bash", *server.command()])
        expect("may have 1024 open files" in server.logged(), "the lower limits are not told")
        with Probe(server.port, "good.test", "/a") as probe:
            for _ in range(20):
                status, text = server.ask("hostile", "/c")
                expect(status == 200, f"the program is answered with {status}: {text}")
        hits = server.count('limit="(application-)?sockets"')
        expect(hits >= 20, f"{hits} hits are counted")
        expect("Too many open files" not in server.logged(), server.logged())
        expect(not probe.failures, f"failed: {probe.failures[:3]}")
        expect(server.stop() == 0, "it does not end well")
    print(f"  1024 open files, all sockets taken 20 times: {probe.line()}; {hits:.0f} hits")


def log_reader_stopped(store):
    """The log goes to a pipe from which nobody reads, and later somebody does."""
    pipe = store.edgec.folder / "log.pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    read = bytearray()

    def told():
        try:
            read.extend(os.read(reader, 1 << 16))
        except BlockingIOError:
            pass
        return b"were lost" in read

    server = Server(store, [application("good")], start=False, log={"requests": True})
    with server:
        server.start(["bash", "-c", 'exec "$@" 2>"$0"', str(pipe), *server.command()])
        with Probe(server.port, "good.test", "/a") as probe:
            # Each of these is a line of two kilobytes. The pipe and the host keep about 600.
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            for _ in range(1500):
                client.request("GET", "/" + "x" * 190, headers={"host": b"\xe2\x80\xae" * 200})
                client.getresponse().read()
            client.close()
        lost = server.count("edgec_log_lines_lost_total")
        expect(lost > 0, "no line of the log is lost")
        expect(not probe.failures, f"failed: {probe.failures[:3]}")
        wait_until(told, "the log does not tell that lines are missing")
        # Nobody reads any more.
        expect(server.stop() == 0, "it does not end well")
    os.close(reader)
    print(f"  the reader of the log stops: {probe.line()}; {lost:.0f} lines are lost, and told")


def disk_full(edgec):
    """The store and the log are on a disk that becomes full."""
    folder = edgec.folder / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "edgec-test", folder],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        print(f"  NOT CHECKED: disk full: no small disk can be mounted: {mounted.stderr.strip()}")
        return
    try:
        small = Edgec(edgec.program, folder)
        store = Store(small)
        guest = HERE / "guests" / "hostile.wat"
        store.add(small.build(guest, "good", 1))
        newer = small.build(guest, "good", 2)
        with Server(store, [application("good")]) as server:
            with Probe(server.port, "good.test", "/a") as probe:
                fill(folder / "filler")
                said = refused(store, newer)
                expect("No space left" in said or "full" in said, said)
                time.sleep(2)
                (folder / "filler").unlink()
                store.add(newer)
                time.sleep(1)
            expect(not probe.failures, f"failed: {probe.failures[:3]}")
            print(f"  disk full: {probe.line()}; a new version is refused, and taken when there is room")
            server.stop()
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def refused(store, artifact):
    """What edgec says, since the store cannot take the artifact."""
    try:
        store.add(artifact)
    except Failed as failed:
        return str(failed)
    raise Failed("a full disk takes an artifact")


def fill(path):
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def killed(store):
    server = Server(store, [application("good")])
    with server:
        ask = lambda: server.ask("good", "/a")
        expect(ask()[0] == 200, "it is not served")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        gone = seen(server, ask)
        begin = time.monotonic()
        server.start()
        expect(ask()[0] == 200, "it is not served again")
        took = time.monotonic() - begin
        expect(server.stop() == 0, "it does not end well")
    print(f"  kill -9: {gone}; started again: first answer after {took:.2f} s")
