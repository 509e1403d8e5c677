#!/usr/bin/env python3
"""Opens the status page of a host in a headless Chromium, and gives its metrics to promtool.

    tests/pages/telemetry.py [FOLDER]     FOLDER gets pictures of the page, in light and in dark

Page and metrics are the golden ones, which the tests of `host/` compare with what a host says.
"""

import pathlib
import shutil
import subprocess
import sys

from browser import Browser, contrast

GOLDEN = pathlib.Path(__file__).parents[2] / "host/src/telemetry"

SOUND = """(() => {
  const wrong = [];
  if (document.scripts.length !== 0) wrong.push('scripts');
  if (document.querySelectorAll('img, iframe, link, main a').length !== 0) wrong.push('foreign elements');
  for (const chart of document.querySelectorAll('.bars')) {
    const bars = [...chart.querySelectorAll('title')].map((it) => Number(it.textContent.split(': ')[1]));
    const rows = [...chart.parentElement.querySelectorAll('td')].map((it) => Number(it.textContent));
    if (bars.length === 0 || String(bars) !== String(rows)) wrong.push(`bars ${bars}, rows ${rows}`);
  }
  for (const label of document.querySelectorAll('.bars text')) {
    const [own, next] = [label, label.parentElement.nextElementSibling?.querySelector('text')];
    if (next && own.getBoundingClientRect().right > next.getBoundingClientRect().left + 1) {
      wrong.push(`${own.textContent} lies over ${next.textContent}`);
    }
  }
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) wrong.push('wider than the window');
  return wrong;
})()"""


def check(condition, message):
    if not condition:
        raise SystemExit(f"tests/pages/telemetry.py: {message}")


def metrics():
    promtool = shutil.which("promtool")
    check(promtool, "no promtool on the path: apt-get install prometheus")
    text = (GOLDEN / "golden.prom").read_bytes()
    ended = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    said = (ended.stdout + ended.stderr).decode()
    check(ended.returncode == 0 and not said, f"promtool: {ended.returncode}: {said}")
    # promtool would say so if a metric had no help.
    without = b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"# HELP"))
    ended = subprocess.run([promtool, "check", "metrics"], input=without, capture_output=True)
    check(ended.returncode != 0, "promtool accepts metrics without help")


def main():
    pictures = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None
    metrics()
    page = GOLDEN / "golden.html"
    with Browser() as browser:
        for dark in (False, True):
            for width in (1100, 360):
                browser.open(page.resolve().as_uri(), dark=dark, width=width, height=900)
                wrong = browser.run(SOUND) + browser.complaints()
                check(not wrong, f"dark={dark}, {width} wide: {wrong}")
                least = contrast(browser)
                check(least >= 4.5, f"dark={dark}: contrast {least:.2f}")
                if pictures and width == 1100:
                    look = "dark" if dark else "light"
                    browser.picture(pictures / f"status-{look}.png")
        shown = browser.run("document.body.textContent")
        check("<script>alert(1)</script>" in shown, "the hostile name is not shown as text")
    print("the status page and the metrics are sound")


main()
