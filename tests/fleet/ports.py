"""Ports for servers that start later, or again: outside of what the system gives to clients."""

import itertools
import os
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Another simulation on this machine probably begins elsewhere.
LOWEST, PARTS, PART = 10_000, 20, 1_000


def ports():
    """Ports at which nothing listens, each once."""
    first_of_clients = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    begin = LOWEST + PART * (os.getpid() % PARTS)
    for port in itertools.chain(range(begin, first_of_clients), range(LOWEST, begin)):
        with socket.socket() as probe:
            # As servers do: a port whose connections have just ended is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


FREE = ports()


def free_port():
    return next(FREE)
