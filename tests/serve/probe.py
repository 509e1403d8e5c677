"""Honest clients: they measure how long answers take, and count what is no good answer."""

import http.client
import threading
import time


class Probe:
    """Clients of one application, each on a connection of its own, while other things happen."""

    def __init__(self, port, host, path="/", clients=2, pause=0.005, good=(200,)):
        self.port, self.host, self.path = port, host, path
        self.pause, self.good = pause, good
        self.times, self.failures = [], []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.client) for _ in range(clients)]

    def client(self):
        connection = None
        while not self.is_over.is_set():
            begin = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", self.path, headers={"host": self.host})
                answer = connection.getresponse()
                answer.read()
                if answer.status not in self.good:
                    self.failures.append(f"status {answer.status}")
                if answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
                connection = None
            self.times.append(time.monotonic() - begin)
            time.sleep(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def percentile(self, share):
        """In milliseconds."""
        ordered = sorted(self.times)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def line(self):
        return (
            f"{len(self.times)} requests, {len(self.failures)} failed, "
            f"p50 {self.percentile(0.5):.1f} ms, p99 {self.percentile(0.99):.1f} ms"
        )
