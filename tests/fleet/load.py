"""Clients of serving hosts: one that reads every answer, on each host, and `wrk` on some."""

import http.client
import re
import shutil
import signal
import subprocess
import threading
import time


class Client:
    """Asks one host all the time, and keeps every change of the answer with its time."""

    def __init__(self, port, pause, path="/front"):
        self.port, self.path, self.pause = port, path, pause
        # (seconds of the monotonic clock, status, text), one for each change.
        self.changes = []
        self.requests, self.failed, self.first_failures = 0, 0, []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        connection = None
        while not self.is_over.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", self.path)
                answer = connection.getresponse()
                seen = (answer.status, answer.read().decode(errors="replace"))
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                seen = (0, f"{type(error).__name__}: {error}")
                connection.close()
                connection = None
            self.note(*seen)
            self.is_over.wait(self.pause)

    def note(self, status, text):
        self.requests += 1
        if status != 200:
            self.failed += 1
        if not self.changes or self.changes[-1][1:] != (status, text):
            self.changes.append((time.monotonic(), status, text))

    @property
    def now(self):
        """The newest answer: status and text."""
        return self.changes[-1][1:] if self.changes else (0, "")

    def first(self, text, since):
        """When an answer with this text came first after `since`, or None."""
        return next((at for at, _, said in self.changes if at >= since and said == text), None)

    def stop(self):
        self.is_over.set()
        self.thread.join()


class Wrk:
    """`wrk` on one host until it is stopped. Then it has counted its requests and failures."""

    def __init__(self, port, path="/front", connections=4):
        url = f"http://127.0.0.1:{port}{path}"
        # It takes what the hosts leave of this machine.
        command = ["nice", "-n", "15", "wrk", "-t1", f"-c{connections}", "-d3600s"]
        command += ["--timeout", "30s", url]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.requests = self.failed = 0

    @staticmethod
    def is_there():
        return shutil.which("wrk") is not None

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=60)
        self.requests = int(re.search(r"(\d+) requests in", said)[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        errors = re.search(r"Socket errors: (.*)", said)
        self.failed = int(bad[1]) if bad else 0
        if errors:
            self.failed += sum(map(int, re.findall(r"\d+", errors[1])))
        return self
