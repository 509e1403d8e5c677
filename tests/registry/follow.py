"""Something that keeps a store current: `edgec sync`, as a host runs it."""

import os
import signal
import time


class Follower:
    """A running `edgec sync` of one reference. It ends at the end of the block."""

    def __init__(self, point, reference, application, interval="300ms"):
        self.point, self.process = point, None
        self.log = point.edgec.folder / f"sync-{point.name}.log"
        self.config = point.edgec.folder / f"fleet-{point.name}.toml"
        host = f"host = '{point.host}'\n" if point.host else ""
        self.config.write_text(
            f"schema = 1\nname = '{point.name}'\n{host}"
            f"[policy]\nfile = '{point.policy}'\n"
            f"[poll]\ninterval = '{interval}'\nbackoff = '1s'\n"
            f"[[application]]\nname = '{application}'\nreference = '{reference}'\n"
        )
        self.config.chmod(0o600)

    def start(self):
        with self.log.open("ab") as log:
            self.process = self.point.edgec.start(
                "sync", self.config, "--store", self.point.path, log=log
            )
        return self

    def logged(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        """As the machine would: nothing is finished."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def wait_until(is_so, what, patience=60, pause=0.02):
    """Waits. Returns how many seconds it took."""
    begin = time.monotonic()
    while not is_so():
        if time.monotonic() - begin > patience:
            raise TimeoutError(f"after {patience} s: {what}")
        time.sleep(pause)
    return time.monotonic() - begin
