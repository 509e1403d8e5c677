"""The servers that are compared, and `wrk`, which asks them."""

import re
import subprocess
import time
from pathlib import Path

from host import Failed, Server, Store, application, ask, free_port, many_files, wait_until

CONNECTIONS = ["-t2", "-c16"]


class Measured:
    """What `wrk` saw in one run."""

    def __init__(self, said):
        self.rate = float(re.search(r"Requests/sec:\s+(\S+)", said)[1])
        self.p99 = milliseconds(re.search(r"^\s+99%\s+(\S+)", said, re.MULTILINE)[1])
        errors = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
        self.failed = int(errors[1]) if errors else 0
        self.failed += sum(map(int, sockets.groups())) if sockets else 0


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]


def wrk(port, host, seconds, path="/", script=None):
    command = ["wrk", *CONNECTIONS, f"-d{seconds}s", "--latency"]
    command += ["-s", str(script)] if script else ["-H", f"Host: {host}"]
    url = f"http://127.0.0.1:{port}{path}"
    done = subprocess.run([*command, url], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"wrk: {done.stderr}{done.stdout}")
    return Measured(done.stdout)


def median(values):
    return sorted(values)[len(values) // 2]


class Contender:
    """A server with a name in the table, and what was measured of it."""

    def __init__(self, name, host):
        self.name, self.host = name, host
        self.runs, self.memory, self.share = [], 0.0, None

    def measure(self, seconds):
        self.runs.append(wrk(self.port, self.host, seconds))
        self.memory = max(self.memory, self.resident())

    def rate(self):
        return median([run.rate for run in self.runs])

    def p99(self):
        return median([run.p99 for run in self.runs])

    def failed(self):
        return sum(run.failed for run in self.runs)


class Stock(Contender):
    """An unmodified `wasmtime serve`, with what it compiled itself."""

    def __init__(self, name, program, image, options=(), more=()):
        super().__init__(name, "127.0.0.1")
        self.port = free_port()
        command = [program, "serve", "--allow-precompiled", "-Scli", *more]
        command += [f"-O{option}" for option in options]
        command += ["--addr", f"127.0.0.1:{self.port}", image]
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=many_files,
        )
        wait_until(self.answers, f"{' '.join(map(str, command))} does not answer")

    def answers(self):
        if self.process.poll() is not None:
            raise Failed(f"stock Wasmtime ended with {self.process.returncode}")
        try:
            return ask(self.port, "/", self.host)[0] == 200
        except OSError:
            return False

    def resident(self):
        return resident(self.process.pid)

    def finish(self):
        pass

    def stop(self):
        self.process.kill()
        self.process.wait()


class Edgec(Contender):
    """`edgec serve`, with an artifact of the edge profile."""

    def __init__(self, name, edgec, artifact, own=None, **tables):
        application_name = re.sub(r"\.\d+\.cwasm$", "", artifact.name)
        super().__init__(name, f"{application_name}.test")
        store = Store(edgec, f"store-{free_port()}")
        store.add(artifact)
        listed = application(application_name, **(own or {}))
        # One host's configuration must not replace another's.
        self.server = Server(store, [listed], start=False, **tables)
        self.server.config = store.path.with_suffix(".toml")
        self.server.log = store.path.with_suffix(".log")
        self.server.write()
        self.server.start()
        self.port = self.server.port

    def resident(self):
        return self.server.resident()

    def finish(self):
        """Asks how much of a request is the cold start: making the instance."""
        samples = self.server.metrics()
        total = lambda pattern: sum(
            value for name, value in samples.items() if re.search(pattern, name)
        )
        making = total(r"instantiat\w*_seconds_sum")
        requests = total(r"request\w*_seconds_sum")
        self.share = making / requests if requests else None

    def stop(self):
        self.server.stop()


def resident(pid):
    """In MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def in_turns(contenders, seconds, rounds, say):
    """Measures the contenders alternately, since machines drift. The first round only warms up."""
    for number in range(rounds + 1):
        for contender in contenders:
            contender.measure(seconds if number else min(seconds, 2))
            if number == 0:
                contender.runs.clear()
            else:
                last = contender.runs[-1]
                say(f"  {contender.name}: {last.rate:,.0f}/s, p99 {last.p99:.1f} ms")
            time.sleep(0.2)
    for contender in contenders:
        contender.finish()


def table(contenders):
    """Markdown rows, each with its ratio to the first contender."""
    lines = [
        "| | requests/s | to stock | p99 | resident | to stock | cold start's share |",
        "|---|---|---|---|---|---|---|",
    ]
    first = contenders[0]
    for it in contenders:
        share = "" if it.share is None else f"{100 * it.share:.0f}%"
        failed = f" ({it.failed():,} failed)" if it.failed() else ""
        lines.append(
            f"| {it.name} | {it.rate():,.0f}{failed} | {it.rate() / first.rate():.2f}× "
            f"| {it.p99():.1f} ms | {it.memory:.0f} MiB | {it.memory / first.memory:.2f}× | {share} |"
        )
    return "\n".join(lines)
