"""The programs of the simulated fleet: versions of one HTTP component, some of them bad."""

import random
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent / "guest.wat"
SAYS = '"version 0000\\n"'
STATUS = "(call $set-status (local.get $response) (i32.const 200))"
FUNCTIONS = "    ;; functions\n"
# Two operands each, none of which can be computed before the program runs.
OPERATIONS = ("i64.add", "i64.sub", "i64.mul", "i64.xor", "i64.rotl", "i64.or", "i64.and")


def answer(version):
    """What a client reads, if the version is not a bad one."""
    return f"version {version:04}\n"


def source(version, functions, status=200):
    """The text of a version. One function of `functions` differs from version to version."""
    text = TEMPLATE.read_text()
    for part in (SAYS, STATUS, FUNCTIONS):
        assert text.count(part) == 1, f"guest.wat has `{part}` once"
    text = text.replace(SAYS, f'"{answer(version)[:-1]}\\n"')
    text = text.replace(STATUS, STATUS.replace("200", str(status)))
    changed = version % functions
    bodies = [
        function(index, seed=index + (1_000_000 * version if index == changed else 0))
        for index in range(functions)
    ]
    names = " ".join(f"$f{index}" for index in range(functions))
    table = f"    (table $functions funcref (elem {names}))\n"
    return text.replace(FUNCTIONS, table + "".join(bodies))


def function(index, seed):
    """A function that computes with its parameter, with memory, and with constants."""
    chance = random.Random(seed)
    lines = [
        f"    (func $f{index} (type $number) (local $x i64)",
        "      (local.set $x (local.get 0))",
    ]
    for _ in range(chance.randint(10, 30)):
        operation = chance.choice(OPERATIONS)
        other = chance.choice((f"i64.const {chance.getrandbits(62)}", "local.get 0", None))
        if other is None:
            other = f"i64.load offset={8 * chance.randint(0, 4000)} (i32.const 1024)"
        lines.append(f"      (local.set $x ({operation} (local.get $x) ({other})))")
        if chance.random() < 0.2:
            place = 8 * chance.randint(0, 4000)
            lines.append(f"      (i64.store offset={place} (i32.const 2048) (local.get $x))")
    return "\n".join([*lines, "      (local.get $x))"]) + "\n"
