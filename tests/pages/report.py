#!/usr/bin/env python3
"""Opens pages of `edgec report` in a headless Chromium, and uses them.

    tests/pages/report.py EDGEC [FOLDER]     FOLDER gets pictures of the pages, in light and in dark

It builds programs whose names are hostile, with the real binary, and checks in the browser that the
names are text, that the map shows what the table says, that the keyboard reaches it, and that the
page fetches nothing.
"""

import pathlib
import subprocess
import sys
import tempfile

from browser import Browser, contrast

GOLDEN = pathlib.Path(__file__).parents[2] / "pages/src/report/golden.html"

HOSTILE = "</script><script>document.title='run'</script><img src=x onerror=alert(1)>"

# The names of an import, an export and functions.
PROGRAM = f"""(module $shop
  (import "env" "{HOSTILE}" (func $log))
  (func $handle (export "handle") (param i32) (result i32)
    local.get 0 i32.const 3 i32.mul call $log)
  (func $named (@name "{HOSTILE}") (export "<b>f</b>") (result i64) i64.const 1 i64.const 2 i64.mul))
"""

# Everything that a page must not be, whatever it is about.
SOUND = """(() => {
  const wrong = [];
  const say = (text) => wrong.push(text);
  if (document.title === 'run') say('a name ran');
  if (document.scripts.length !== 1) say('scripts: ' + document.scripts.length);
  if (document.images.length !== 0) say('images');
  if (document.querySelectorAll('main b, main a, iframe, link').length !== 0) say('foreign elements');
  const maps = document.querySelectorAll('.map');
  if (maps.length === 0) say('no map');
  for (const map of maps) {
    const table = document.getElementById(map.dataset.table);
    const first = [...table.querySelectorAll('tr[data-level="1"]')];
    const bytes = first.reduce((sum, row) => sum + Number(row.dataset.bytes), 0);
    if (bytes <= 0) say('no bytes');
    if (Number(map.dataset.boxes) < 3) say('boxes: ' + map.dataset.boxes);
    if (map.querySelectorAll('g[tabindex="0"]').length !== 1) say('one box is in the order of tabs');
    for (const box of map.querySelectorAll('g')) {
      if (!box.getAttribute('aria-label')) say('a box without a name');
    }
    // What is below a row is no more than the row.
    let above = [Infinity, Infinity, Infinity, Infinity], sums = [0, 0, 0, 0];
    for (const row of table.querySelectorAll('tr[data-bytes]')) {
      const level = Number(row.dataset.level), bytes = Number(row.dataset.bytes);
      above[level] = bytes; sums[level + 1] = 0; sums[level] += bytes;
      if (level > 1 && sums[level] > above[level - 1]) say('parts exceed ' + above[level - 1]);
    }
  }
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) say('wider than the window');
  return wrong;
})()"""

def check(condition, message):
    if not condition:
        raise SystemExit(f"tests/pages/report.py: {message}")


def look(browser, page, pictures):
    """Opens a page in light, in dark and in a narrow window."""
    address = page.resolve().as_uri()
    for dark in (False, True):
        for width in (1100, 360):
            browser.open(address, dark=dark, width=width)
            wrong = browser.run(SOUND) + browser.complaints()
            check(not wrong, f"{page.name}, dark={dark}, {width} wide: {wrong}")
            least = contrast(browser)
            check(least >= 4.5, f"{page.name}, dark={dark}: contrast {least:.2f}")
            if pictures and width == 1100:
                look = "dark" if dark else "light"
                browser.picture(pictures / f"{page.stem}-{look}.png")


def use(browser, page):
    """Uses the map with the keyboard alone."""
    said = "document.querySelector('.map output').textContent"
    browser.open(page.resolve().as_uri())
    pressed = "document.querySelector('.map button[aria-pressed=true]').textContent"
    check(browser.run(pressed) == "Bytes of the file", "the first view")
    for _ in range(40):
        browser.press("Tab")
        if browser.run("document.activeElement.matches('.map g')"):
            break
    else:
        check(False, "the keyboard does not reach the map")
    first = browser.run(said)
    browser.press("ArrowRight")
    second = browser.run(said)
    check(first != second, f"the arrow stays at {first}")
    browser.press("ArrowLeft")
    check(browser.run(said) == first, "the arrow back")
    browser.press("Enter")
    check(browser.run(said).startswith(first.split(":")[0]), f"Enter goes to {browser.run(said)}")
    browser.press("Escape")
    check(browser.run("document.activeElement.matches('.map g')"), "Escape loses the place")
    browser.run("document.querySelectorAll('.map button')[1].click()")
    check(browser.run(pressed) == "Bytes that a load reads", "the second view")
    check(not browser.run(SOUND), "the second view is sound")


def attack(browser, folder):
    """If a name were not escaped, the policy of the page would stop it."""
    page = folder / "attacked.html"
    html = GOLDEN.read_text()
    check(html.count("<main>") == 1, "one main element")
    page.write_text(html.replace("<main>", f"<main>{HOSTILE}<style>h1 {{ color: red }}</style>"))
    browser.open(page.resolve().as_uri())
    check(browser.run("document.title") != "run", "a script ran against the policy")
    red = browser.run("getComputedStyle(document.querySelector('h1')).color") == "rgb(255, 0, 0)"
    check(not red, "a style was used against the policy")
    check(len(browser.complaints()) >= 3, f"what was blocked: {browser.complaints()}")


def main():
    edgec, *more = sys.argv[1:]
    pictures = pathlib.Path(more[0]) if more else None
    edgec = str(pathlib.Path(edgec).resolve())
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        folder = pathlib.Path(folder)

        def run(*words, exit_code=0):
            ended = subprocess.run(
                [edgec, *map(str, words)], cwd=folder, capture_output=True, text=True
            )
            check(ended.returncode == exit_code, f"{words}: {ended.stdout}{ended.stderr}")
            return ended.stdout

        run("keygen", "-o", "key.pem")
        run("keygen", "-o", "other.pem")
        (folder / "shop.wat").write_text(PROGRAM)
        build = ("build", "-q", "--key", "key.pem", "--debug-file", "--name", "acme/shop")
        for target in ("x86_64", "aarch64"):
            run(*build, "-t", target, "-O0", "shop.wat", "-o", f"{target}.cwasm")
        run(*build, "-t", "x86_64", "--profile", "edge", "shop.wat", "-o", "edge.cwasm")
        for name, words, code in (
            ("plain", ("x86_64.cwasm",), 0),
            ("sides", ("x86_64.cwasm", "aarch64.cwasm", "--baseline", "edge.cwasm"), 0),
            ("accepted", ("edge.cwasm", "--key", "key.pub.pem"), 0),
            ("refused", ("edge.cwasm", "--key", "other.pub.pem"), 1),
        ):
            page = folder / f"{name}.html"
            run("report", *words, "-o", page.name, exit_code=code)
            look(browser, page, pictures)
            verdict = browser.run("document.getElementById('verdict').textContent")
            wanted = {"accepted": "accepted", "refused": "REFUSED"}.get(name, "Nothing was verified")
            check(wanted in verdict, f"{name}: {verdict}")
            text = browser.run("document.body.textContent")
            check("<img src=x" in text, f"{name}: the hostile name is not shown")
        use(browser, folder / "plain.html")
        attack(browser, folder)
        look(browser, GOLDEN, pictures)
        use(browser, GOLDEN)
    print("the pages are sound")


main()
