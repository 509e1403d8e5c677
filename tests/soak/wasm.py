"""Writes WebAssembly: numbers, vectors, sections, core modules and components.

Sources: the core specification, section 5, and the component model's `Binary.md`.
"""

I32, I64, F32, F64, V128 = b"\x7f", b"\x7e", b"\x7d", b"\x7c", b"\x7b"
FUNCREF, EXTERNREF = b"\x70", b"\x6f"
NUMBERS = [I32, I64, F32, F64]

# The sections of a core module, by their numbers.
TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL = 1, 2, 3, 4, 5, 6
EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT, TAG = 7, 8, 9, 10, 11, 12, 13
_ORDER = [TYPE, IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT, START, ELEMENT]
_ORDER += [DATA_COUNT, CODE, DATA]

# Some operators.
BLOCK, LOOP, IF, END = b"\x02", b"\x03", b"\x04", b"\x0b"
EMPTY = b"\x40"
DROP = b"\x1a"


def u(number):
    """An unsigned LEB128 number."""
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def s(number):
    """A signed LEB128 number."""
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        done = (number == 0 and not low & 0x40) or (number == -1 and low & 0x40)
        out.append(low | (0 if done else 0x80))
        if done:
            return bytes(out)


def vector(items):
    """A count and the items."""
    items = list(items)
    return u(len(items)) + b"".join(items)


def sized(content):
    """A length and the content."""
    return u(len(content)) + content


def name(text):
    return sized(text.encode() if isinstance(text, str) else text)


def section(number, content):
    return bytes([number]) + sized(content)


def custom(title, content):
    return section(0, name(title) + content)


def signature(parameters=(), results=()):
    """A function type."""
    return b"\x60" + vector(parameters) + vector(results)


def body(code=b"", local_types=()):
    """A function's code; `local_types` are pairs of a count and a type."""
    declared = vector(u(count) + ty for count, ty in local_types)
    return sized(declared + code + END)


def i32(number):
    """An `i32.const`."""
    return b"\x41" + s(number)


def limits(least, most=None, wide=False):
    """The limits of a memory or table."""
    flags = (0 if most is None else 1) | (4 if wide else 0)
    return bytes([flags]) + u(least) + (b"" if most is None else u(most))


class Module:
    """A core module that gets entries of its sections, in any order."""

    def __init__(self):
        self._entries = {}
        self._custom = []

    def add(self, number, *entries):
        """Adds entries to a section. Returns the place of the first one among them."""
        count, content = self._entries.setdefault(number, [0, bytearray()])
        for entry in entries:
            content += entry
        self._entries[number][0] = count + len(entries)
        return count

    def repeat(self, number, times, entry):
        """Adds one entry many times. Returns the place of the first one."""
        count, content = self._entries.setdefault(number, [0, bytearray()])
        content += entry * times
        self._entries[number][0] = count + times
        return count

    def function(self, code=b"", local_types=(), ty=None):
        """Adds a function of a type, which is otherwise one without parameters or results."""
        if ty is None:
            ty = self.add(TYPE, signature())
        self.add(CODE, body(code, local_types))
        return self.add(FUNCTION, u(ty))

    def custom(self, title, content):
        """Adds a custom section after all other sections."""
        self._custom.append(custom(title, content))

    def bytes(self):
        out = [b"\0asm\x01\0\0\0"]
        for number in _ORDER:
            if number not in self._entries:
                continue
            count, content = self._entries[number]
            # These two are a single number, not a vector.
            alone = number in (START, DATA_COUNT)
            out.append(section(number, bytes(content) if alone else u(count) + bytes(content)))
        return b"".join(out + self._custom)


class Component:
    """A component that gets its sections in order."""

    def __init__(self):
        self._sections = [b"\0asm\x0d\0\x01\0"]

    def module(self, module):
        self._sections.append(section(1, module))
        return self

    def component(self, component):
        self._sections.append(section(4, component))
        return self

    def section(self, number, *entries):
        """One section with these entries."""
        self._sections.append(section(number, vector(entries)))
        return self

    def repeat(self, number, times, entry):
        """One section with one entry many times."""
        self._sections.append(section(number, u(times) + entry * times))
        return self

    def custom(self, title, content):
        self._sections.append(custom(title, content))
        return self

    def bytes(self):
        return b"".join(self._sections)
