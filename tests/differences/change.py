#!/usr/bin/env python3
"""Changes one function of a WebAssembly program, as a developer who adds some lines to it.

    tests/differences/change.py PROGRAM OUTPUT

The function is one in the middle of the largest core module. It gets instructions at its start
that load a byte of its memory and store it again. So the program still does the same, no optimizer
removes the change, and everything behind the function moves, in the program and in native code.
"""

import sys
from pathlib import Path

# Binary format: the sections that matter here.
MODULE, COMPONENT = b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"
CODE, CORE_MODULE, NESTED_COMPONENT = 10, 1, 4
# How many times the function loads and stores.
ADDED = 12


class ChangeError(Exception):
    """This is no program, or it has no function to change."""


def read_number(data, at):
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def number(value):
    """A number as unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def signed(value):
    """A number that is not negative, as signed LEB128."""
    out = bytearray()
    while value >= 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sections(data):
    """The sections: identifier and content."""
    at = 8
    while at < len(data):
        kind = data[at]
        size, start = read_number(data, at + 1)
        yield kind, data[start : start + size]
        at = start + size


def joined(header, parts):
    return header + b"".join(bytes([kind]) + number(len(body)) + body for kind, body in parts)


def functions(code):
    """The bodies of a code section."""
    count, at = read_number(code, 0)
    for _ in range(count):
        size, start = read_number(code, at)
        yield code[start : start + size]
        at = start + size


def lengthened(body):
    """The same function with more to do."""
    groups, at = read_number(body, 0)
    for _ in range(groups):
        _, at = read_number(body, at)
        at += 1
    added = b"".join(
        # i32.const, i32.const, i32.load8_u, i32.store8
        b"\x41" + signed(place) + b"\x41" + signed(place) + b"\x2d\0\0\x3a\0\0"
        for place in range(1024, 1024 + 8 * ADDED, 8)
    )
    return body[:at] + added + body[at:]


def changed_module(data):
    parts = list(sections(data))
    for index, (kind, body) in enumerate(parts):
        if kind == CODE:
            bodies = list(functions(body))
            # The next one of a usual size: not a stub, and not an interpreter's loop.
            middle = len(bodies) // 2
            order = [*range(middle, len(bodies)), *range(middle)]
            chosen = next((i for i in order if 200 <= len(bodies[i]) <= 4000), None)
            if chosen is None:
                raise ChangeError("the largest module has no function of a usual size")
            bodies[chosen] = lengthened(bodies[chosen])
            written = number(len(bodies)) + b"".join(number(len(b)) + b for b in bodies)
            parts[index] = (kind, written)
            return joined(MODULE, parts)
    raise ChangeError("the largest module has no code")


def modules(data):
    """Every core module of a program."""
    if data[:8] == MODULE:
        yield data
    elif data[:8] == COMPONENT:
        for kind, body in sections(data):
            if kind in (CORE_MODULE, NESTED_COMPONENT):
                yield from modules(body)
    else:
        raise ChangeError("this is neither a core module nor a component")


def replaced(data, old, new):
    if data[:8] == MODULE:
        return new if data == old else data
    parts = [
        (kind, replaced(body, old, new) if kind in (CORE_MODULE, NESTED_COMPONENT) else body)
        for kind, body in sections(data)
    ]
    return joined(COMPONENT, parts)


def change(data):
    """The program with one changed function."""
    largest = max(modules(data), key=len, default=None)
    if largest is None:
        raise ChangeError("the program has no core module")
    return replaced(data, largest, changed_module(largest))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        Path(sys.argv[2]).write_bytes(change(Path(sys.argv[1]).read_bytes()))
    except ChangeError as error:
        sys.exit(f"error: {error}")
