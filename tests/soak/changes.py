"""Changes to the bytes of a program: most results are not WebAssembly, and some almost are."""

_HEADERS = [b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\x01\0"]
_HEADERS += [b"\x1f\x8b\x08", b"\x7fELF", b""]
# Numbers at which readers may overflow, as LEB128.
_NUMBERS = [b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x10", b"\xff\xff\xff\xff\x07"]
_NUMBERS += [b"\x80\x80\x80\x80\x00"]


def cut(c, program):
    """The program without its end."""
    return program[: c.below(len(program) + 1)]


def flipped(c, program):
    """The program with changed bits at some places."""
    changed = bytearray(program)
    for _ in range(c.size(100)):
        if changed:
            changed[c.below(len(changed))] ^= 1 << c.below(8)
    return bytes(changed)


def numbered(c, program):
    """The program with large numbers at some places."""
    for _ in range(c.size(5)):
        at = c.below(len(program) + 1)
        program = program[:at] + c.pick(_NUMBERS) + program[at + c.below(2) :]
    return program


def repeated(c, program):
    """The program with a part of it repeated once or several times."""
    begin, end = _part(c, program)
    times = c.size(max(1, min(1000, 2_000_000 // max(1, end - begin))))
    return program[:end] + program[begin:end] * times + program[end:]


def shortened(c, program):
    """The program without a part of it."""
    begin, end = _part(c, program)
    return program[:begin] + program[end:]


def of_another_kind(c, program):
    """The program with the beginning of another kind of file."""
    return c.pick(_HEADERS) + program[8:]


def moved(c, program):
    """The program with its sections in another order, doubled, or left out."""
    found = sections(program)
    for _ in range(c.size(4)):
        if not found:
            break
        taken = found.pop(c.below(len(found)))
        for _ in range(c.below(3)):
            found.insert(c.below(len(found) + 1), taken)
    return program[:8] + b"".join(found)


def sections(program):
    """The sections of a program, each with its number and length."""
    found, at = [], 8
    while at < len(program):
        begin, at = at, at + 1
        length = shift = 0
        while at < len(program):
            byte = program[at]
            length |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not byte & 0x80:
                break
        at += length
        found.append(program[begin:at])
    return found


def _part(c, program):
    begin = c.below(len(program) + 1)
    return begin, min(len(program), begin + c.size(1 + len(program) // 2))


CHANGES = [cut, flipped, numbered, repeated, shortened, of_another_kind, moved]


def changed(c, program):
    """The program with one to three changes, and their names."""
    done = []
    for _ in range(c.pick([1, 1, 2, 3])):
        change = c.pick(CHANGES)
        program = change(c, program)
        done.append(change.__name__.replace("_", " "))
    return program, done
