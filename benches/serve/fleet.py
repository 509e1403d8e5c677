"""Many applications at once: in one host, and in one stock process each."""

import random
import re
import subprocess
import threading
import time
from pathlib import Path

from contenders import median, wrk
from host import Failed, Server, Store, ask, expect, wait_until

APPLICATIONS = 200
# The weight of the application of rank n is 1/n^EXPONENT.
EXPONENT = 1.0

# The ports of stock processes.
FIRST_PORT = 21_000

# Clients that choose an application for each request.
SCRIPT = """
local total, sums = 0, {}
for rank = 1, APPLICATIONS do
  total = total + 1 / rank ^ EXPONENT
  sums[rank] = total
end
function request()
  local wanted, low, high = math.random() * total, 1, APPLICATIONS
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sums[middle] < wanted then low = middle + 1 else high = middle end
  end
  return wrk.format("GET", "/", { ["Host"] = "app" .. low .. ".test" })
end
"""


def zipf(seed):
    chance = random.Random(seed)
    ranks = range(1, APPLICATIONS + 1)
    weights = [1 / rank**EXPONENT for rank in ranks]
    while True:
        yield from chance.choices(ranks, weights, k=1000)


def one_host(edgec, source, seconds, rounds, say):
    """A row for one `edgec serve` of all applications."""
    store = Store(edgec, "fleet")
    artifacts = [edgec.build(source, f"app{n}", options=()) for n in range(1, APPLICATIONS + 1)]
    store.add(*artifacts)
    listed = [{"name": f"app{n}", "host": f"app{n}.test"} for n in range(1, APPLICATIONS + 1)]
    with Server(store, listed, start=False) as server:
        starting = server.start()
        cold = first_answers(lambda rank: ask(server.port, "/", f"app{rank}.test"))
        script = edgec.folder / "zipf.lua"
        text = SCRIPT.replace("APPLICATIONS", str(APPLICATIONS))
        script.write_text(text.replace("EXPONENT", str(EXPONENT)))
        wrk(server.port, "", 2, script=script)
        runs = [wrk(server.port, "", seconds, script=script) for _ in range(rounds)]
        expect(not any(run.failed for run in runs), "requests failed")
        say(f"  one host: {median([run.rate for run in runs]):,.0f}/s")
        memory, warm = shared(server.process.pid), clients(
            lambda rank: ask(server.port, "/", f"app{rank}.test"), seconds
        )
        rate, p99 = (median([getattr(run, what) for run in runs]) for what in ("rate", "p99"))
        return (
            f"| one `edgec serve` | {starting:.2f} s | {cold:.1f} ms | {warm:.1f} ms "
            f"| {memory:.0f} MiB | {rate:,.0f}, p99 {p99:.1f} ms |"
        )


def many_processes(stock, image, seconds, say):
    """A row for a stock `wasmtime serve` for each application."""
    # Clients get ports above these from the system.
    ports = {rank: FIRST_PORT + rank for rank in range(1, APPLICATIONS + 1)}
    running = []
    begin = time.monotonic()
    try:
        for port in ports.values():
            command = [stock, "serve", "--allow-precompiled", "-Scli", "--addr", f"127.0.0.1:{port}"]
            running.append(
                subprocess.Popen(
                    list(map(str, [*command, image])),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        wait_until(lambda: all(map(is_open, ports.values())), "not all stock servers start")
        starting = time.monotonic() - begin
        asked = lambda rank: ask(ports[rank], "/", "127.0.0.1")
        cold, warm = first_answers(asked), clients(asked, seconds)
        memory = sum(shared(process.pid) for process in running)
        say(f"  {APPLICATIONS} stock processes: {memory:.0f} MiB")
        return (
            f"| {APPLICATIONS} × stock `wasmtime serve` | {starting:.2f} s | {cold:.1f} ms "
            f"| {warm:.1f} ms | {memory:.0f} MiB | |"
        )
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def is_open(port):
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_answers(asked):
    """The p99 of the first answer of each application, in milliseconds."""
    return p99([timed(asked, rank) for rank in range(1, APPLICATIONS + 1)])


def clients(asked, seconds, count=4):
    """The p99 of answers to clients that choose by the law, in milliseconds."""
    times, end = [], time.monotonic() + seconds

    def client(seed):
        for rank in zipf(seed):
            if time.monotonic() > end:
                return
            times.append(timed(asked, rank))

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return p99(times)


def timed(asked, rank):
    begin = time.monotonic()
    status, text = asked(rank)
    if status != 200:
        raise Failed(f"application {rank}: {status}: {text}")
    return 1000 * (time.monotonic() - begin)


def p99(times):
    return sorted(times)[int(0.99 * len(times))]


def shared(pid):
    """Its proportional part of the memory that it maps, in MiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1]) / 1024


def table(edgec, source, stock, image, seconds, rounds, say):
    rows = [
        "| | all ready after | first answers, p99 | Zipf clients, p99 | memory (PSS) | `wrk` |",
        "|---|---|---|---|---|---|",
        one_host(edgec, source, seconds, rounds, say),
        many_processes(stock, image, seconds, say),
    ]
    return "\n".join(rows)
