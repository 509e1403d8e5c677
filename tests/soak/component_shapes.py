"""Components: nested, with many instances, types, aliases, imports and exports."""

import core_shapes
import wasm
from wasm import I32, Component, Module, name, s, signature, u, vector

CORE_INSTANCE, INSTANCE, ALIAS, TYPE, CANON, IMPORT, EXPORT = 2, 5, 6, 7, 8, 10, 11
_U32, _STRING, _BOOL = b"\x79", b"\x73", b"\x7f"
_PRIMITIVES = [bytes([kind]) for kind in range(0x73, 0x80)]
_EMPTY_MODULE = Module().bytes()


def _named(text):
    """The name of an import or export."""
    return b"\x00" + name(text)


def _function_module():
    """A module that exports a function `f` and a memory `m`."""
    module = Module()
    ty = module.add(wasm.TYPE, signature([I32], [I32]))
    function = module.function(b"\x20\x00", ty=ty)
    module.add(wasm.MEMORY, wasm.limits(1))
    module.add(wasm.EXPORT, name("f") + b"\x00" + u(function), name("m") + b"\x02\x00")
    return module.bytes()


def _instantiated(component):
    """Instantiates core module 0, and names its function."""
    component.section(CORE_INSTANCE, b"\x00" + u(0) + vector([]))
    return component.section(ALIAS, b"\x00\x00\x01" + u(0) + name("f"))


def nested_modules(c):
    """Components, each with many core modules, in a component."""
    modules = c.size(3000)
    module = _EMPTY_MODULE if c.chance(70) else _function_module()
    inner = Component()
    for _ in range(modules):
        inner.module(module)
    inner = inner.bytes()
    outer = Component()
    for _ in range(c.size(max(1, min(500, 2_000_000 // len(inner))))):
        outer.component(inner)
        if c.chance(50):
            outer.section(INSTANCE, b"\x00" + u(0) + vector([]))
    return outer.bytes()


def deep_components(c):
    """Nested components, with other entries beside each."""
    component = _function_module()
    component = Component().module(component).bytes()
    beside = c.pick([b"", wasm.section(1, _EMPTY_MODULE), wasm.section(TYPE, b"\x01" + _U32)])
    beside *= c.size(100)
    for _ in range(c.pick([c.size(99), c.size(5000)])):
        component = Component().component(component).bytes() + beside
        if len(component) > 2_000_000:
            break
    return component


def doubled_instances(c):
    """Components that instantiate the one before them more than once: 2 to the depth in all."""
    component = Component().module(_function_module())
    component = component.section(CORE_INSTANCE, b"\x00" + u(0) + vector([])).bytes()
    width = c.pick([1, 2, 2, 3, c.size(100)])
    for _ in range(c.size(99)):
        component = Component().component(component)
        component = component.repeat(INSTANCE, width, b"\x00" + u(0) + vector([])).bytes()
    return component


def many_instances(c):
    """Instances of one core module, which imports many functions."""
    names = [name(f"f{number}") for number in range(c.size(5000))]
    module = Module()
    ty = module.add(wasm.TYPE, signature([I32], [I32]))
    module.add(wasm.IMPORT, *(name("a") + title + b"\x00" + u(ty) for title in names))
    component = _instantiated(Component().module(_function_module())).module(module.bytes())
    given = vector(title + b"\x00" + u(0) for title in names)
    component.section(CORE_INSTANCE, b"\x01" + given)
    one = b"\x00" + u(1) + vector([name("a") + b"\x12" + u(1)])
    return component.repeat(CORE_INSTANCE, c.size(20_000), one).bytes()


def aliases(c):
    """Aliases of exports, and of entries of outer components."""
    component = _instantiated(Component().module(_function_module()))
    count = c.size(200_000)
    if c.chance(50):
        component.repeat(ALIAS, count, b"\x00\x00\x01" + u(0) + name("f"))
    else:
        component.section(TYPE, _U32)
        component.repeat(ALIAS, count, b"\x03\x02" + u(0) + u(0))
    return component.bytes()


def chained_types(c):
    """Types made of the type before them, more than once: as values, 2 to the depth in all."""
    component = Component()
    depth = c.pick([c.size(100), c.size(100), c.size(20_000)])
    width = c.pick([1, 2, 2, 3, c.size(max(1, 500_000 // depth))])
    last, count = _U32, 0
    alone = c.pick([None, b"\x70", b"\x6b", b"\x6f", b"\x6a"])
    for _ in range(depth):
        kind = alone or c.pick([b"\x70", b"\x6b", b"\x6f", b"\x72", b"\x71", b"\x6a"])
        component.section(TYPE, _composed(kind, last, width))
        if kind in (b"\x72", b"\x71"):
            # A record or variant needs a name.
            component.section(IMPORT, _named(f"t{count}") + b"\x03\x00" + u(count))
            count += 1
        last = s(count)
        count += 1
    component.section(TYPE, b"\x40" + vector([name("a") + last]) + b"\x00" + last)
    for number in range(c.pick([1, 1, c.size(2000)])):
        component.section(IMPORT, _named(f"f{number}") + b"\x01" + u(count))
    return component.bytes()


def _composed(kind, part, width):
    """A type with a part, or `width` of them."""
    labels = [name(f"f{place}") for place in range(width)]
    match kind:
        case b"\x6f":
            return kind + vector([part] * width)
        case b"\x72":
            return kind + vector(label + part for label in labels)
        case b"\x71":
            return kind + vector(label + b"\x01" + part + b"\x00" for label in labels)
        case b"\x6a":
            return kind + b"\x01" + part + b"\x01" + part
    return kind + part


def wide_types(c):
    """Records, variants, flags and enumerations of many cases with long names."""
    width = c.size(20_000)
    long = "a" * c.size(max(1, 1_000_000 // width))
    labels = [name(f"{long}-n{place}") for place in range(width)]
    kind = c.pick([
        b"\x72" + vector(label + c.pick(_PRIMITIVES) for label in labels),
        b"\x71" + vector(label + b"\x01" + c.pick(_PRIMITIVES) + b"\x00" for label in labels),
        b"\x6e" + vector(labels),
        b"\x6d" + vector(labels),
        b"\x6f" + vector([_STRING] * width),
    ])
    component = Component().section(TYPE, kind)
    component.section(IMPORT, _named("t") + b"\x03\x00" + u(0))
    component.section(TYPE, b"\x40" + vector([name("a") + s(1)]) + b"\x00" + s(1))
    for number in range(c.size(1000)):
        component.section(IMPORT, _named(f"f{number}") + b"\x01" + u(2))
    return component.bytes()


def interfaces(c):
    """Imports of instances with many functions, and exports of these imports."""
    functions = c.size(20_000)
    long = "n" * c.size(max(1, 500_000 // functions))
    declared = [b"\x01\x40" + vector([name("a") + _STRING]) + b"\x00" + _STRING]
    declared += [
        b"\x04" + _named(f"{long}-n{number}") + b"\x01" + u(0) for number in range(functions)
    ]
    component = Component().section(TYPE, b"\x42" + vector(declared))
    count = c.size(max(1, min(2000, 4_000_000 // functions)))
    for number in range(count):
        component.section(IMPORT, _named(f"a:b{number}/c@1.0.{number}") + b"\x05" + u(0))
    for number in range(count if c.chance(20) else 0):
        component.section(EXPORT, _named(f"x:y{number}/z") + b"\x05" + u(number) + b"\x00")
    return component.bytes()


def nested_interfaces(c):
    """Nested types of instances and of components."""
    kind = c.pick([b"\x42", b"\x41"])
    width = c.pick([1, 1, 2, c.size(100)])
    inner = kind + vector([])
    for _ in range(c.pick([c.size(99), c.size(2000)])):
        if len(inner) * width > 1_000_000:
            break
        inner = kind + vector([b"\x01" + inner] * width)
    return Component().section(TYPE, inner).bytes()


def doubled_interfaces(c):
    """Types of instances that export two of the type before them."""
    component = Component().section(TYPE, b"\x42" + vector([]))
    width, depth = c.pick([2, 2, 3, c.size(50)]), c.size(200)
    for level in range(depth):
        # The previous type, seen from inside, and then its exports.
        declared = [b"\x02\x03\x02" + u(1) + u(level)]
        declared += [b"\x04" + _named(f"i{place}") + b"\x05" + u(0) for place in range(width)]
        component.section(TYPE, b"\x42" + vector(declared))
    component.section(IMPORT, _named("top") + b"\x05" + u(depth))
    return component.bytes()


def lifted_functions(c):
    """Many functions between components: lifted, exported, and lowered again."""
    component = _instantiated(Component().module(_function_module()))
    component.section(TYPE, b"\x40" + vector([name("a") + _U32]) + b"\x00" + _U32)
    count = c.size(20_000)
    component.repeat(CANON, count, b"\x00\x00" + u(0) + vector([]) + u(0))
    if c.chance(50):
        component.repeat(CANON, count, b"\x01\x00" + u(c.below(count)) + vector([]))
    for number in range(c.pick([1, count])):
        component.section(EXPORT, _named(f"f{number}") + b"\x01" + u(number) + b"\x00")
    return component.bytes()


def adapted_calls(c):
    """Calls from component to component: the engine generates code for each function of each."""
    element = c.pick([_U32, _STRING, *_PRIMITIVES])
    count, instances = c.size(2000), c.size(500)
    kinds = [b"\x70" + element, b"\x40" + vector([name("a") + s(0)]) + b"\x00" + s(0)]
    options = vector([b"\x00", b"\x03" + u(0), b"\x04" + u(0)])
    callee = _with_memory(Component(), [I32] * 2, [I32]).section(TYPE, *kinds)
    callee.section(ALIAS, b"\x00\x00\x01" + u(0) + name("f"))
    callee.section(CANON, b"\x00\x00" + u(1) + options + u(1))
    for number in range(count):
        callee.section(EXPORT, _named(f"f{number}") + b"\x01" + u(0) + b"\x00")
    caller = _with_memory(Component(), [], []).section(TYPE, *kinds)
    for number in range(count):
        caller.section(IMPORT, _named(f"f{number}") + b"\x01" + u(1))
        caller.section(CANON, b"\x01\x00" + u(number) + options)
    module = Module()
    ty = module.add(wasm.TYPE, signature([I32] * 3))
    names = [name(f"f{number}") for number in range(count)]
    module.add(wasm.IMPORT, *(name("a") + title + b"\x00" + u(ty) for title in names))
    given = [title + b"\x00" + u(number + 1) for number, title in enumerate(names)]
    caller.module(module.bytes()).section(CORE_INSTANCE, b"\x01" + vector(given))
    caller.section(CORE_INSTANCE, b"\x00" + u(1) + vector([name("a") + b"\x12" + u(1)]))
    outer = Component().component(callee.bytes()).component(caller.bytes())
    outer.section(INSTANCE, b"\x00" + u(0) + vector([]))
    outer.section(ALIAS, *(b"\x01\x00" + u(0) + title for title in names))
    passed = vector(title + b"\x01" + u(number) for number, title in enumerate(names))
    return outer.repeat(INSTANCE, instances, b"\x00" + u(1) + passed).bytes()


def _with_memory(component, parameters, results):
    """The component with an instance of a module with a memory, an allocator and a function `f`.
    The memory and the allocator get the first places among their kinds."""
    module = Module()
    own = module.add(wasm.TYPE, signature(parameters, results))
    realloc = module.add(wasm.TYPE, signature([I32] * 4, [I32]))
    f = module.function(wasm.i32(0) * len(results), ty=own)
    r = module.function(wasm.i32(0), ty=realloc)
    module.add(wasm.MEMORY, wasm.limits(1))
    module.add(wasm.EXPORT, name("f") + b"\x00" + u(f), name("r") + b"\x00" + u(r))
    module.add(wasm.EXPORT, name("m") + b"\x02\x00")
    component.module(module.bytes()).section(CORE_INSTANCE, b"\x00" + u(0) + vector([]))
    memory, realloc = b"\x00\x02\x01" + u(0) + name("m"), b"\x00\x00\x01" + u(0) + name("r")
    return component.section(ALIAS, memory, realloc)


def resources(c):
    """Resources, with functions that make, use and drop them."""
    count = c.size(5000)
    component = Component().repeat(TYPE, count, b"\x3f\x7f\x00")
    for number in range(count):
        component.section(CANON, c.pick([b"\x02", b"\x03", b"\x04"]) + u(number))
        if c.chance(30):
            component.section(TYPE, c.pick([b"\x69", b"\x68"]) + u(number))
    return component.bytes()


def exported_again(c):
    """A component that exports a component again and again, and aliases of these exports."""
    inner = Component().component(Component().module(_function_module()).bytes())
    count = c.size(20_000)
    for number in range(count):
        inner.section(EXPORT, _named(f"e{number}") + b"\x04" + u(number) + b"\x00")
    outer = Component().component(inner.bytes())
    outer.repeat(INSTANCE, c.size(100), b"\x00" + u(0) + vector([]))
    alias = b"\x04\x00" + u(0) + name(f"e{c.below(count)}")
    return outer.repeat(ALIAS, c.size(20_000), alias).bytes()


def custom_sections(c):
    """Custom sections of components: names, producers, and others."""
    component = Component()
    for _ in range(c.size(1000)):
        title = c.pick(["component-name", "producers", "component-type:a", "x", ""])
        component.custom(title, c.bytes(c.size(20_000)))
    return component.bytes()


def with_a_module(c):
    """A core module of another shape, several times, in nested components."""
    module = c.pick(core_shapes.SHAPES)(c)
    component = Component()
    for _ in range(c.size(max(1, min(500, 2_000_000 // len(module))))):
        component.module(module)
    if c.chance(50):
        component.repeat(CORE_INSTANCE, c.size(100), b"\x00" + u(0) + vector([]))
    component = component.bytes()
    for _ in range(c.below(4)):
        component = Component().component(component).bytes()
    return component


SHAPES = [nested_modules, deep_components, doubled_instances, many_instances, aliases]
SHAPES += [chained_types, wide_types, interfaces, nested_interfaces, doubled_interfaces]
SHAPES += [lifted_functions, adapted_calls, resources, exported_again, custom_sections]
SHAPES += [with_a_module]
