"""Programs of `tests/generator`, most of them made with `wasm-smith`: it answers kinds and seeds."""

import subprocess
import threading
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "generator"


class Generator:
    """A running generator. Several threads may use it."""

    def __init__(self, program=None):
        """Starts the program. Builds it if none is given."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [program or _built()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def program(self, kind, seed):
        """The program of a kind and a seed, or nothing if the generator makes none for it."""
        with self._lock:
            self._process.stdin.write(f"{kind} {seed}\n".encode())
            self._process.stdin.flush()
            length = int.from_bytes(self._exactly(4), "little")
            return self._exactly(length)

    def _exactly(self, length):
        content = self._process.stdout.read(length)
        if len(content) != length:
            raise RuntimeError(f"the generator ended with {self._process.wait()}")
        return content


def _built():
    manifest = PACKAGE / "Cargo.toml"
    build = ["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest]
    subprocess.run([*build, "--target-dir", PACKAGE / "target"], check=True)
    return PACKAGE / "target/debug/edgec-generator"
