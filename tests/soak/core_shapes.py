"""Core modules with one large section: types, imports, exports, segments, names."""

import wasm
from wasm import I32, I64, NUMBERS, V128, Module, i32, limits, name, s, signature, sized, u, vector


def many_types(c):
    """Function types, some of them with many parameters."""
    module = Module()
    width = c.size(1000)
    for _ in range(c.size(max(1, 400_000 // width))):
        parameters = [c.pick(NUMBERS)] * c.size(width)
        module.add(wasm.TYPE, signature(parameters, [c.pick(NUMBERS)] * c.below(3)))
    module.function()
    return module.bytes()


def subtypes(c):
    """Chains of struct types, each a subtype of the last, that refer to the types before them."""
    module = Module()
    ty = module.add(wasm.TYPE, signature())
    depth, width = c.size(70), c.size(40)
    count = 1
    for _ in range(c.size(max(1, 20_000 // depth))):
        # The fields of a subtype begin with those of its supertype.
        field = b"\x63" + s(count) + b"\x01"
        types = [b"\x50\x00\x5f\x00"]
        for level in range(1, depth):
            fields = u(min(level, width)) + field * min(level, width)
            types.append(b"\x50" + vector([u(count + level - 1)]) + b"\x5f" + fields)
        if c.chance(50):
            module.add(wasm.TYPE, b"\x4e" + vector(types))
        else:
            module.add(wasm.TYPE, *types)
        count += depth
    module.function(b"", [(c.size(50_000), b"\x63" + s(count - 1))], ty)
    return module.bytes()


def groups(c):
    """One recursive group of many types, and many groups that are the same."""
    module = Module()
    ty = module.add(wasm.TYPE, signature())
    length = c.size(20_000)
    field = b"\x63" + s(length) + b"\x01"
    members = [b"\x5f" + u(2) + field * 2] * (length - 1) + [b"\x5e" + field]
    group = b"\x4e" + vector(members)
    module.repeat(wasm.TYPE, c.size(max(1, 1_000_000 // len(group))), group)
    module.function(ty=ty)
    return module.bytes()


def imports(c):
    """Imports of each kind, with short or long names."""
    module = Module()
    module.add(wasm.TYPE, signature([I32], [I32]))
    long = "n" * c.size(10_000)
    kinds = [b"\x00\x00", b"\x03\x7f\x00", b"\x01\x70" + limits(1), b"\x02" + limits(1)]
    same = c.chance(30)
    host = c.pick(["env", "wasi_snapshot_preview1", long])
    for number in range(c.size(max(1, 2_000_000 // (len(long) + 10)))):
        field = "fd_write" if same else f"{long}{number}"
        # A module that may have only one memory is seldom valid.
        kind = kinds[0] if c.chance(90) else c.pick(kinds)
        module.add(wasm.IMPORT, name(host) + name(field) + kind)
    module.function()
    return module.bytes()


def exports(c):
    """Exports of one function or of many, with short or long names."""
    module = Module()
    functions = c.size(10_000)
    module.add(wasm.TYPE, signature())
    module.repeat(wasm.FUNCTION, functions, u(0))
    module.repeat(wasm.CODE, functions, wasm.body())
    long = "n" * c.size(10_000)
    for number in range(c.size(max(1, 2_000_000 // (len(long) + 10)))):
        module.add(wasm.EXPORT, name(f"{long}{number}") + b"\x00" + u(c.below(functions)))
    return module.bytes()


def functions(c):
    """Many functions without code, or with little code."""
    module = Module()
    module.add(wasm.TYPE, signature([], [I64]))
    count = c.size(300_000)
    module.repeat(wasm.FUNCTION, count, u(0))
    module.repeat(wasm.CODE, count, wasm.body(c.pick([b"\x42\x00", b"\x00", b"\x10\x00"])))
    if c.chance(50):
        module.add(wasm.EXPORT, name("f") + b"\x00" + u(count - 1))
    return module.bytes()


def segments(c):
    """Segments of data, also far apart, overlapping, and empty."""
    module = Module()
    pages = c.pick([1, 16, 1000, 65536])
    module.add(wasm.MEMORY, limits(pages))
    content = c.bytes(c.size(20_000)) if c.chance(70) else b""
    count = c.size(max(1, min(100_000, 2_000_000 // (len(content) + 8))))
    spread = c.chance(60)
    for number in range(count):
        at = pages * 65536 * number // count if spread else 0
        at = (at ^ (1 << 31)) - (1 << 31)
        module.add(wasm.DATA, b"\x00" + i32(at) + wasm.END + sized(content))
    if c.chance(50):
        module.add(wasm.EXPORT, name("memory") + b"\x02" + u(0))
    return module.bytes()


def passive_segments(c):
    """Passive segments of data, and code that copies and drops them."""
    module = Module()
    module.add(wasm.MEMORY, limits(1))
    count = c.size(100_000)
    module.repeat(wasm.DATA, count, b"\x01" + sized(b"x" * c.below(8)))
    module.add(wasm.DATA_COUNT, u(count))
    code = bytearray()
    for _ in range(c.size(20_000)):
        code += b"\xfc\x09" + u(c.below(count))
    module.function(bytes(code))
    return module.bytes()


def tables(c):
    """Large tables, and many segments of functions."""
    module = Module()
    number = module.function()
    module.add(wasm.TABLE, wasm.FUNCREF + limits(c.pick([10, 100_000, 10_000_000, (1 << 32) - 1])))
    if c.chance(30):
        module.repeat(wasm.TABLE, c.size(99), wasm.FUNCREF + limits(c.size(10_000_000)))
    length = c.size(50_000)
    one = b"\x00" + i32(c.pick([0, 0, 9, 900_000, 9_000_000])) + wasm.END
    one += vector([u(number)] * length)
    module.repeat(wasm.ELEMENT, c.size(max(1, 1_000_000 // len(one))), one)
    return module.bytes()


def expressions_of_elements(c):
    """Segments of expressions, active, passive and declared."""
    module = Module()
    number = module.function()
    module.add(wasm.TABLE, wasm.FUNCREF + limits(1_000_000))
    items = vector([c.pick([b"\xd2" + u(number), b"\xd0\x70"]) + wasm.END] * c.size(100_000))
    one = c.pick([b"\x04" + i32(0) + wasm.END, b"\x05\x70", b"\x07\x70"]) + items
    module.repeat(wasm.ELEMENT, c.size(max(1, 1_000_000 // len(one))), one)
    return module.bytes()


def globals_of_long_expressions(c):
    """Globals, each from the last one, with long constant expressions."""
    module = Module()
    length = c.size(100_000)
    for number in range(c.size(max(1, 500_000 // (2 * length + 8)))):
        start = b"\x23" + u(number - 1) if number and c.chance(80) else i32(number)
        expression = start + (i32(1) + c.pick([b"\x6a", b"\x6c"])) * (length - 1)
        module.add(wasm.GLOBAL, I32 + b"\x00" + expression + wasm.END)
    module.function(b"\x23\x00" + wasm.DROP)
    return module.bytes()


def memories_and_tables(c):
    """Many memories and tables, large ones among them."""
    module = Module()
    for _ in range(c.size(110)):
        pages = c.size(65536)
        wide = c.chance(20)
        most = c.pick([None, 65536, 1 << 40]) if wide else c.pick([None, 65536])
        module.add(wasm.MEMORY, limits(pages, most, wide))
    module.repeat(wasm.TABLE, c.size(110), c.pick([wasm.FUNCREF, wasm.EXTERNREF]) + limits(1))
    module.function(b"\x3f\x00" + wasm.DROP)
    return module.bytes()


def tags_and_globals(c):
    """Many tags and many globals, which are exported."""
    module = Module()
    width = c.size(1000)
    module.add(wasm.TYPE, signature([c.pick(NUMBERS)] * width))
    module.repeat(wasm.TAG, c.size(50_000), b"\x00" + u(0))
    count = c.size(200_000)
    module.repeat(wasm.GLOBAL, count, V128 + b"\x01\xfd\x0c" + b"\x07" * 16 + wasm.END)
    for number in range(min(count, c.size(20_000))):
        module.add(wasm.EXPORT, name(str(number)) + b"\x03" + u(number))
    return module.bytes()


def names(c):
    """A section of names: of many functions, of locals, long, repeated, out of order, cut off."""
    module = Module()
    count = c.size(50_000)
    module.add(wasm.TYPE, signature([I32] * 4))
    module.repeat(wasm.FUNCTION, count, u(0))
    module.repeat(wasm.CODE, count, wasm.body())
    long = c.pick(["f", "é\u202e", "_ZN4core3fmt", "_RNvC1a1"]) * c.size(5000)
    most = max(1, 2_000_000 // (len(long) + 8))
    order = list(range(min(count, most)))
    if c.chance(20):
        order.reverse()
    titles = [f"{long}{number % 7 if c.chance(3) else number}" for number in order]
    functions = vector(u(number) + name(title) for number, title in zip(order, titles))
    inner = vector(u(local) + name(long) for local in range(4))
    some = order[: max(1, 500_000 // len(inner))]
    local_names = vector(u(number) + inner for number in some)
    sections = [bytes([0]) + sized(name(long)), bytes([1]) + sized(functions)]
    sections += [bytes([2]) + sized(local_names)]
    sections += [bytes([kind]) + sized(functions) for kind in range(3, 12) if c.chance(10)]
    content = b"".join(sections)
    if c.chance(20):
        content = content[: c.below(len(content))]
    times = 1 if c.chance(90) else c.size(100)
    for _ in range(max(1, min(times, 4_000_000 // (len(content) + 1)))):
        module.custom("name", content)
    return module.bytes()


def custom_sections(c):
    """Custom sections that tools read: producers, DWARF, source maps, component types."""
    module = Module()
    module.function(b"\x01" * c.size(10_000))
    titles = [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_ranges"]
    titles += ["producers", "target_features", "sourceMappingURL", "dylink.0", "linking"]
    titles += ["component-type:x", "metadata.code.branch_hint", "reloc.CODE", "any", ""]
    for _ in range(c.size(2000)):
        length = c.size(1_000_000) if c.chance(5) else c.size(300)
        content = c.bytes(length) if c.chance(60) else b"\x01" * length
        title = c.pick(titles)
        if title == "producers" and c.chance(70):
            values = vector([name("v" * c.size(300)) + name("1")] * c.size(1000))
            content = vector([name("processed-by") + values])
        module.custom(title, content)
        if sum(map(len, module._custom)) > 3_000_000:
            break
    return module.bytes()


def preview_1(c):
    """A command of WASI preview 1, which gets an adapter, with large parts."""
    module = Module()
    module.add(wasm.TYPE, signature([I32] * 4, [I32]), signature([I32]), signature())
    for title, ty in [("fd_write", 0), ("proc_exit", 1)]:
        for _ in range(c.pick([1, 1, c.size(2000)])):
            module.add(wasm.IMPORT, name("wasi_snapshot_preview1") + name(title) + b"\x00" + u(ty))
    imported = module._entries[wasm.IMPORT][0]
    module.add(wasm.MEMORY, limits(c.pick([1, 2, 1000, 65536])))
    call = i32(0) * 4 + b"\x10\x00" + wasm.DROP
    start = module.function(call * c.size(20_000), ty=2) + imported
    module.add(wasm.EXPORT, name("memory") + b"\x02\x00", name("_start") + b"\x00" + u(start))
    for number in range(c.pick([0, 0, c.size(5000)])):
        module.add(wasm.EXPORT, name(f"cabi_{number}") + b"\x00" + u(start))
    return module.bytes()


SHAPES = [many_types, subtypes, groups, imports, exports, functions, segments, passive_segments]
SHAPES += [tables, expressions_of_elements, globals_of_long_expressions, memories_and_tables]
SHAPES += [tags_and_globals, names, custom_sections, preview_1]
