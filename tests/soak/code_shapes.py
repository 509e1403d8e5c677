"""Core modules whose function bodies are expensive for a compiler, compared with their length."""

import wasm
from wasm import BLOCK, DROP, EMPTY, END, I32, I64, IF, LOOP, NUMBERS, Module, i32, limits, name, s
from wasm import signature, u, vector


def _exported(module, function, title="f"):
    module.add(wasm.EXPORT, name(title) + b"\x00" + u(function))
    return module.bytes()


def nested_blocks(c):
    """Nested blocks, loops and conditions, with branches to any of them."""
    module = Module()
    depth = c.size(100_000)
    kinds = [BLOCK + EMPTY, LOOP + EMPTY, b"\x20\x00" + IF + EMPTY]
    code = bytearray()
    alone = c.pick([None, *kinds])
    for level in range(depth):
        code += alone or c.pick(kinds)
        if c.chance(30):
            code += b"\x20\x00\x0d" + u(c.below(level + 1))
    code += END * depth
    ty = module.add(wasm.TYPE, signature([I32]))
    return _exported(module, module.function(bytes(code), ty=ty))


def nested_values(c):
    """Nested blocks with many parameters and results."""
    module = Module()
    width, depth = c.size(1000), c.size(2000)
    values = [c.pick(NUMBERS)] * width
    own = module.add(wasm.TYPE, signature(values, values))
    code = b"".join(b"\x20" + u(local) for local in range(width))
    code += (c.pick([BLOCK, LOOP]) + s(own)) * depth
    if c.chance(50):
        code += b"\x41\x00\x0d" + u(depth // 2)
    code += END * depth
    return _exported(module, module.function(code, ty=own))


def jump_tables(c):
    """Jump tables with many targets, in blocks, one after the other."""
    module = Module()
    depth, targets = c.size(5000), c.size(500_000)
    entries = b"".join(u(c.below(depth)) for _ in range(min(targets, 1000)))
    entries *= max(1, targets // 1000)
    count = min(targets, 1000) * max(1, targets // 1000)
    table = b"\x20\x00\x0e" + u(count) + entries + u(0)
    times = c.size(max(1, 1_000_000 // len(table)))
    inner = (BLOCK + EMPTY + table + END) * times
    ty = module.add(wasm.TYPE, signature([I32]))
    code = (BLOCK + EMPTY) * depth + inner + END * depth
    return _exported(module, module.function(code, ty=ty))


def live_values(c):
    """Nested loops around many variables, which all stay in use to the end."""
    module = Module()
    variables, loops = c.size(5000), c.size(5000)
    kind = c.pick(NUMBERS[:2])
    constant, add = (b"\x41\x01", b"\x6a") if kind == I32 else (b"\x42\x01", b"\x7c")
    change = b"".join(
        b"\x20" + u(local) + constant + add + b"\x21" + u(local) for local in range(variables)
    )
    test = b"\x23\x00\x0d\x00"
    module.add(wasm.GLOBAL, I32 + b"\x01" + i32(0) + END)
    body = (LOOP + EMPTY) * loops + change + (test + END) * loops
    body += b"\x20\x00" + b"".join(b"\x20" + u(local) + add for local in range(1, variables))
    ty = module.add(wasm.TYPE, signature([], [kind]))
    function = module.function(body, [(variables, kind)], ty)
    return _exported(module, function)


def many_locals(c):
    """The maximum number of local variables, in functions with branches."""
    module = Module()
    groups = [(c.size(50_000), c.pick(NUMBERS + [wasm.V128, wasm.EXTERNREF]))]
    groups += [(1, c.pick(NUMBERS)) for _ in range(c.size(2000))]
    code = bytearray()
    count = sum(count for count, _ in groups)
    for _ in range(c.size(50_000)):
        local = u(c.below(count))
        copy = b"\x20" + local + b"\x21" + local
        code += copy if c.chance(80) else i32(1) + IF + EMPTY + END
    body = wasm.body(bytes(code), groups)
    times = c.size(max(1, min(200, 2_000_000 // len(body))))
    module.add(wasm.TYPE, signature())
    module.repeat(wasm.FUNCTION, times, u(0))
    module.repeat(wasm.CODE, times, body)
    return _exported(module, 0)


# Code that leaves the stack unchanged, in a function with an i32 parameter.
_PIECES = {
    "additions": b"\x20\x00\x41\x01\x6a\x21\x00",
    "divisions": b"\x20\x00\x20\x00\x6d\x21\x00",
    "loads": b"\x20\x00\x28\x02\x00\x21\x00",
    "stores": b"\x20\x00\x20\x00\x36\x02\x04",
    "calls": b"\x10\x00",
    "indirect calls": b"\x20\x00\x11\x00\x00",
    "growth": b"\x20\x00\x40\x00\x21\x00",
    "copies": b"\x20\x00\x20\x00\x20\x00\xfc\x0a\x00\x00",
    "conditions": b"\x20\x00\x04\x40\x20\x00\x45\x21\x00\x05\x01\x0b",
    "loops": b"\x03\x40\x20\x00\x0d\x00\x0b",
    "selections": b"\x20\x00\x41\x02\x20\x00\x1b\x21\x00",
    "vectors": b"\x20\x00\xfd\x11\x20\x00\xfd\x11\xfd\xae\x01\xfd\x1b\x00\x21\x00",
    "shuffles": b"\x20\x00\xfd\x11\x20\x00\xfd\x11\xfd\x0d"
    + bytes(range(16))
    + b"\xfd\x1b\x01\x21\x00",
    "tables": b"\x20\x00\x20\x00\x25\x00\x26\x00",
    "traps": b"\x20\x00\x04\x40\x00\x0b",
    "returns": b"\x20\x00\x04\x40\x0f\x0b",
    "conversions": b"\x20\x00\xb7\xaa\x21\x00",
    "atomics": b"\x20\x00\x20\x00\xfe\x1e\x02\x00\x1a",
}


def long_code(c):
    """Long functions without much structure: one kind of operator, or all of them."""
    module = Module()
    module.add(wasm.TYPE, signature(), signature([I32]))
    module.add(wasm.MEMORY, limits(1, 10))
    module.add(wasm.TABLE, wasm.FUNCREF + limits(10))
    first = module.function(b"", ty=0)
    pieces = [c.pick(list(_PIECES.values()))]
    if c.chance(40):
        pieces = list(_PIECES.values())
    length = c.size(1_500_000)
    code = bytearray()
    while len(code) < length:
        code += c.pick(pieces) * c.size(100)
    for _ in range(c.size(max(1, min(1000, 3_000_000 // len(code))))):
        module.function(bytes(code), ty=1)
    module.add(wasm.EXPORT, name("memory") + b"\x02\x00")
    return _exported(module, first + 1)


def operand_stack(c):
    """Many operands on the stack, and operators that take them."""
    module = Module()
    depth = c.size(300_000)
    code = c.pick([
        i32(1) * depth + b"\x6a" * (depth - 1) + DROP,
        i32(1) * depth + DROP * depth,
        b"\x20\x00" * depth + b"\x00",
        i32(1) * depth + b"\x0c\x00",
        b"\x20\x00" + b"\x45" * depth + DROP,
    ])
    ty = module.add(wasm.TYPE, signature([I32]))
    return _exported(module, module.function(code, ty=ty))


def wide_calls(c):
    """Calls of functions with many parameters and results."""
    module = Module()
    width = c.size(1000)
    values = [c.pick(NUMBERS)] * width
    ty = module.add(wasm.TYPE, signature(values, values))
    own = b"".join(b"\x20" + u(local) for local in range(width))
    callee = module.function(own, ty=ty)
    calls = (b"\x10" + u(callee)) * c.size(100_000)
    if c.chance(20):
        calls += b"\x12" + u(callee)
    return _exported(module, module.function(own + calls, ty=ty))


def call_trees(c):
    """Functions that call the next one more than once: a bomb for inlining."""
    module = Module()
    module.add(wasm.TYPE, signature([I32], [I32]))
    depth, calls = c.size(5000), c.size(50)
    for level in range(depth):
        call = b"\x10" + u(level + 1) if level + 1 < depth else b"\x45"
        module.add(wasm.FUNCTION, u(0))
        module.add(wasm.CODE, wasm.body(b"\x20\x00" + call * calls))
    return _exported(module, 0)


def handlers(c):
    """Nested handlers of exceptions, with many clauses."""
    module = Module()
    ty = module.add(wasm.TYPE, signature())
    module.add(wasm.TAG, b"\x00" + u(ty))
    depth, clauses = c.size(3000), c.size(2000)
    clause = c.pick([b"\x00\x00\x00", b"\x02\x00"])
    handler = b"\x1f" + EMPTY + vector([clause] * clauses)
    depth = max(1, min(depth, 1_000_000 // len(handler)))
    code = handler * depth + c.pick([b"\x08\x00", b"\x10\x00"]) + END * depth
    return _exported(module, module.function(code, ty=ty))


def collected(c):
    """Structs and arrays of many fields: made, read and cast."""
    module = Module()
    width = c.size(10_000)
    kind = c.pick([I32, I64])
    struct = module.add(wasm.TYPE, b"\x50\x00\x5f" + u(width) + (kind + b"\x01") * width)
    array = module.add(wasm.TYPE, b"\x5e" + kind + b"\x01")
    ty = module.add(wasm.TYPE, signature())
    zero = b"\x41\x00" if kind == I32 else b"\x42\x00"
    pieces = [
        b"\xfb\x01" + u(struct) + DROP,
        zero * width + b"\xfb\x08" + u(array) + u(width) + DROP,
        b"\xd0\x6e\xfb\x17" + s(struct) + DROP,
        b"\xfb\x01" + u(struct) + b"\xfb\x02" + u(struct) + u(width - 1) + DROP,
        b"\x41\x07\xfb\x07" + u(array) + b"\xfb\x0f" + DROP,
    ]
    code = bytearray()
    for _ in range(c.size(20_000)):
        code += c.pick(pieces)
        if len(code) > 1_000_000:
            break
    return _exported(module, module.function(bytes(code), ty=ty))


def runs_at_build_time(c):
    """An export `init` that takes time, memory or stack: for `--init`."""
    module = Module()
    module.add(wasm.TYPE, signature(), signature([I32], [I32]))
    module.add(wasm.MEMORY, limits(c.pick([1, 100, 65536])))
    module.add(wasm.TABLE, wasm.FUNCREF + limits(1))
    module.add(wasm.GLOBAL, I32 + b"\x01" + i32(0) + END)
    step = i32(c.pick([4, 4096, 65536]))
    code = c.pick([
        LOOP + EMPTY + b"\x0c\x00" + END,
        LOOP + EMPTY + i32(c.size(60_000)) + b"\x40\x00\x1a\x0c\x00" + END,
        b"\x10\x00",
        # Grows by up to 4 GiB, then writes a byte into each page.
        i32(c.size(65_000)) + b"\x40\x00\x1a" + LOOP + EMPTY
        + b"\x23\x00\x41\x01\x3a\x00\x00\x23\x00" + step + b"\x6a\x24\x00"
        + b"\x23\x00\x3f\x00\x41\x10\x74\x49\x0d\x00" + END,
        i32(0) + i32(7) + i32(-1) + b"\xfc\x0b\x00",
        LOOP + EMPTY + b"\xd0\x70" + i32(c.size(10_000_000)) + b"\xfc\x0f\x00\x1a\x0c\x00" + END,
        b"\x01",
    ])
    return _exported(module, module.function(code, ty=0), "init")


SHAPES = [nested_blocks, nested_values, jump_tables, live_values, many_locals, long_code]
SHAPES += [operand_stack, wide_calls, call_trees, handlers, collected, runs_at_build_time]
