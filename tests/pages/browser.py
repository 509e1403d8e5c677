"""Drives a headless Chromium over its debugging pipe, with Python's standard library alone.

The protocol: https://chromedevtools.github.io/devtools-protocol/ ; messages on the pipe are JSON that
ends with a zero byte (chromium, `content/browser/devtools/devtools_pipe_handler.cc`).
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 60


class Browser:
    """One browser with one page."""

    def __init__(self):
        program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
        if program is None:
            raise SystemExit("no chromium on the path: apt-get install chromium")
        # Its helpers may still write when the browser has ended.
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read_there, self.write_here = os.pipe()
        self.read_here, write_there = os.pipe()
        ends = {3: read_there, 4: write_there}

        def place_ends():
            copies = {wanted: os.dup(end) for wanted, end in ends.items()}
            for wanted, copy in copies.items():
                os.dup2(copy, wanted)

        self.process = subprocess.Popen(
            [
                program,
                "--headless",
                # The tests open their own files, and run as root in containers.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--remote-debugging-pipe",
                f"--user-data-dir={self.profile.name}",
            ],
            preexec_fn=place_ends,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_there)
        os.close(write_there)
        self.number = 0
        self.left = b""
        self.events = []
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session = None
        try:
            self.ask("Browser.close")
            self.process.wait(10)
        except (SystemExit, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.write_here)
        os.close(self.read_here)
        self.profile.cleanup()

    def receive(self):
        while b"\0" not in self.left:
            more = os.read(self.read_here, 1 << 16)
            if not more:
                raise SystemExit("the browser ended")
            self.left += more
        message, self.left = self.left.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_here, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            answer = self.receive()
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif "error" in answer:
                raise SystemExit(f"{method}: {answer['error']}")
            else:
                return answer["result"]
        raise SystemExit(f"{method}: no answer")

    def open(self, address, dark=False, width=1100, height=1400):
        """Opens a page and waits until it is drawn."""
        self.events = []
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=address)
        until = time.monotonic() + TIMEOUT
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            if time.monotonic() > until:
                raise SystemExit(f"{address}: not loaded")
            self.events.append(self.receive())

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            more = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37}
            self.ask(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **more,
            )

    def complaints(self):
        """What the page logged, what a policy blocked, and every request but the page's own."""
        found = []
        for event in self.events:
            method, content = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded":
                found.append(content["entry"]["text"])
            elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                found.append(json.dumps(content))
            elif method == "Page.javascriptDialogOpening":
                found.append("a dialog")
            elif method == "Network.requestWillBeSent" and content.get("type") != "Document":
                found.append(f"a request: {content['request']['url']}")
        return found

    def picture(self, path):
        answer = self.ask("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(answer["data"]))


# The least contrast of the text, by WCAG 2.2, section 1.4.3.
CONTRAST = """(() => {
  const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (text) => { const [r, g, b] = text.match(/[0-9.]+/g).map(Number);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b); };
  const ground = (at) => { for (; at; at = at.parentElement) {
    const c = getComputedStyle(at).backgroundColor; if (!c.startsWith('rgba(0, 0, 0, 0')) return c; }
    return 'rgb(255, 255, 255)'; };
  const ratio = (a, b) => { [a, b] = [light(a), light(b)].sort((x, y) => y - x); return (a + .05) / (b + .05); };
  let least = 99;
  for (const it of document.querySelectorAll('p, td, th, h1, h2, h3, li, code, button, strong')) {
    if (it.textContent.trim() && !it.disabled) {
      least = Math.min(least, ratio(getComputedStyle(it).color, ground(it)));
    }
  }
  for (const box of document.querySelectorAll('.map:not(.bars) g')) {
    const text = box.querySelector('text'), rect = box.querySelector('rect');
    if (text) least = Math.min(least, ratio(getComputedStyle(text).fill, getComputedStyle(rect).fill));
  }
  return least;
})()"""


def contrast(browser):
    """The least contrast between a text of the page and what is behind it."""
    return browser.run(CONTRAST)
