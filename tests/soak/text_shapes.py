"""Programs in the text format: expensive for the parser, or short only as text."""


def functions(c):
    """Many functions without names."""
    return f"(module{'(func)' * c.size(400_000)})"


def parentheses(c):
    """Nested expressions, also ones that do not end."""
    depth = c.size(500_000)
    inside = c.pick(["(block ", "(if (i32.const 1) (then ", "(loop (result i32) ", "(drop ", "("])
    opened = inside.count("(") - inside.count(")")
    end = ")" * (depth * opened if c.chance(70) else c.size(depth))
    return f"(module (func {inside * depth}{end}))"


def identifiers(c):
    """Long identifiers, each used many times."""
    long = "$" + "x" * c.size(100_000)
    calls = f"(call {long})" * c.size(max(1, 2_000_000 // len(long)))
    return f"(module (func {long} {calls}))"


def comments(c):
    """Nested comments, and lines of comments."""
    depth = c.size(300_000)
    return c.pick(["(;" * depth + ";)" * depth, ";; x\n" * depth, "(;" * depth]) + "(module)"


def annotations(c):
    """Nested annotations, and custom sections as annotations."""
    depth = c.size(100_000)
    custom = '(@custom "name" "\\00\\ff")' * depth
    return "(module " + c.pick(["(@a " * depth + ")" * depth, custom, "(@producers)" * depth]) + ")"


def subtypes(c):
    """A chain of subtypes, which is short in the text format."""
    lines = ["(type $t0 (sub (struct)))"]
    for level in range(1, c.pick([c.size(62), c.size(20_000)])):
        lines.append(f"(type $t{level} (sub $t{level - 1} (struct)))")
    lines.append("(func)")
    return "(module (rec " + " ".join(lines[:-1]) + ") " + lines[-1] + ")"


def strings(c):
    """Data in escapes, and empty data."""
    one = c.pick(['""', '"\\00\\01\\02"', '"' + "x" * c.size(1000) + '"'])
    times = c.size(max(1, 2_000_000 // len(one)))
    return "(module (memory 1) (data (i32.const 0) " + f"{one} " * times + "))"


def folded_types(c):
    """Function types at the place of their use, with many parameters."""
    width = c.size(1000)
    kinds = " ".join(c.pick(["i32", "i64", "f32", "f64"]) for _ in range(width))
    one = f"(func (param {kinds}))"
    return f"(module {one * c.size(max(1, 1_000_000 // len(one)))})"


def components(c):
    """Nested components, instances and types."""
    depth = c.size(3000)
    inside = c.pick([
        "(component ", "(core module ", "(type (list ", "(type (instance ", "(type (component ",
        "(instance $i ",
    ])
    ends = ")" * (depth * inside.count("("))
    return f"(component {inside * depth}{ends})"


def tuples(c):
    """A type of a type of a type, in place: each level has more of them."""
    depth, width = c.size(40), c.pick([1, 2])
    ty = "u32"
    for _ in range(depth):
        ty = c.pick(["(list {})", "(option {})", "(result {})"]).format(ty) if width == 1 else (
            f"(tuple {ty} {ty})"
        )
        if len(ty) > 1_000_000:
            break
    return f'(component (type (func (param "a" {ty}))))'


SHAPES = [functions, parentheses, identifiers, comments, annotations, subtypes, strings]
SHAPES += [folded_types, components, tuples]
