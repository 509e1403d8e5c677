//! Row 38: WebAssembly that is small or plausible, and takes all memory or time of a compiler.

/// One bomb.
pub struct Bomb {
    /// Its name.
    pub name: &'static str,
    /// The binary, or text for it.
    pub wasm: Vec<u8>,
}

/// Every bomb. Some are valid programs that can be built in bounded time and memory.
pub fn bombs() -> Vec<Bomb> {
    const BLOCK: &[u8] = &[0x02, 0x40];
    const IF: &[u8] = &[0x20, 0x00, 0x04, 0x40];
    const END: &[u8] = &[0x0b];
    let nested = |open: &[u8], count: usize| function(1, &[open.repeat(count), END.repeat(count)]);
    let table = |targets: u32| {
        let jump = [&[0x20, 0x00, 0x0e], &leb(targets)[..]].concat();
        let zeros = vec![0; targets as usize + 1];
        function(1, &[BLOCK.to_vec(), jump, zeros, END.to_vec()])
    };
    let bomb = |name, wasm: Vec<u8>| Bomb { name, wasm };
    let text = |name, wasm: String| Bomb {
        name,
        wasm: wasm.into_bytes(),
    };
    vec![
        bomb("100,000 nested loops", nested(LOOP, 100_000)),
        bomb("100,000 nested blocks", nested(BLOCK, 100_000)),
        bomb("100,000 nested ifs", nested(IF, 100_000)),
        bomb(
            "2,000 loops around 2,000 variables",
            loops_around_variables(2000),
        ),
        bomb(
            "40,000 ifs in a row",
            function(1, &[b"\x20\0\x04\x40\x41\x01\x21\0\x0b".repeat(40_000)]),
        ),
        bomb("a table of 65,000 jumps", table(65_000)),
        bomb("a table of 1,000,000 jumps", table(1_000_000)),
        bomb("50,001 locals", function(50_001, &[])),
        bomb("4,000,000,000 locals", function(4_000_000_000, &[])),
        bomb("a function of 8 MB", function(1, &[vec![0x01; 8_000_000]])),
        bomb("1,000,000 functions", functions(1_000_000)),
        bomb("1,000,001 functions", functions(1_000_001)),
        bomb("1,000,001 types", types(1_000_001)),
        bomb("a type of 1,001 parameters", types_of(1001)),
        text("a memory of 4 GiB", "(module (memory 65536))".into()),
        text(
            "a memory of 2^48 pages",
            "(module (memory i64 0x1000000000000))".into(),
        ),
        text(
            "2^32 - 1 elements",
            "(module (table 0xffffffff funcref))".into(),
        ),
        text(
            "more memory than there is",
            "(module (memory 65537))".into(),
        ),
        text(
            "100,000 nested parentheses",
            format!("(module {})", "(".repeat(100_000)),
        ),
        text(
            "10,000 nested folded instructions",
            format!(
                "(module (func (result i32) {}(i32.const 0){}))",
                "(i32.eqz ".repeat(10_000),
                ")".repeat(10_000)
            ),
        ),
        text("200 nested components", {
            format!("{}{}", "(component ".repeat(200), ")".repeat(200))
        }),
        text("instances that double", doubling(60)),
        text("types that double", doubling_types(60)),
        text("a long component, many times", long_many_times(2_000)),
        bomb(
            "20 components of 1,000 core modules",
            modules_in_components(20, 1_000),
        ),
        bomb(
            "names of types, and core modules",
            modules_behind_names(100_000, 900),
        ),
        text(
            "imports of a core module, and its instances",
            instances_with_imports(20_000, 9_000),
        ),
        bomb("100,000 nested component types", nested_types(100_000)),
        text(
            "resources, and imports of them",
            resources_imported(500, 1_000),
        ),
        text("arguments that double", doubling_arguments(40)),
        text("captured components that double", doubling_captures(40)),
        text(
            "a component that makes two of its argument",
            doubling_by_another(40),
        ),
        text(
            "a table of jumps through supertypes",
            jumps_through_supertypes(1_000, 63, 15_000),
        ),
    ]
}

const LOOP: &[u8] = &[0x03, 0x40];

/// This many nested loops, each with its own variable that all of them keep. For 2,000, a compiler
/// takes many seconds and gigabytes.
pub fn loops_around_variables(count: u32) -> Vec<u8> {
    let variable = |index: u32| {
        let index = leb(index + 1);
        let get = [&[0x20], &index[..]].concat();
        let set = [&[0x21], &index[..]].concat();
        [LOOP, &get, &[0x41, 0x01, 0x6a], &set].concat()
    };
    let open: Vec<u8> = (0..count).flat_map(variable).collect();
    let close = [0x20, 0x00, 0x0d, 0x00, 0x0b].repeat(count as usize);
    function(count + 1, &[open, close])
}

fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn section(id: u8, data: &[u8]) -> Vec<u8> {
    let len = leb(u32::try_from(data.len()).unwrap());
    [&[id], &len[..], data].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", &sections.concat()[..]].concat()
}

/// Components side by side, each with this many empty core modules.
pub fn modules_in_components(components: usize, modules: usize) -> Vec<u8> {
    let inner = component(&vec![section(1, &module(&[])); modules]);
    component(&vec![section(4, &inner); components])
}

/// This many exports of a type, followed by this many empty core modules.
pub fn modules_behind_names(names: u32, modules: usize) -> Vec<u8> {
    let export = |number: u32| {
        let name = format!("t{number}").into_bytes();
        let length = leb(u32::try_from(name.len()).unwrap());
        // A plain name; the first type, without a stated type.
        [&[0x00], &length[..], &name, &[0x03, 0x00, 0x00]].concat()
    };
    let exports: Vec<u8> = (0..names).flat_map(export).collect();
    let mut sections = vec![
        // One type, `u8`.
        section(7, &[0x01, 0x7d]),
        section(11, &[leb(names), exports].concat()),
    ];
    sections.extend(vec![section(1, &module(&[])); modules]);
    component(&sections)
}

/// A core module with this many imports, and this many instances of it.
pub fn instances_with_imports(imports: usize, instances: usize) -> String {
    let globals: String = (0..imports)
        .map(|number| format!("(global (export \"{number}\") i32 (i32.const 0))"))
        .collect();
    let imports: String = (0..imports)
        .map(|number| format!("(import \"m\" \"{number}\" (global i32))"))
        .collect();
    let instances = "(core instance (instantiate $m (with \"m\" (instance $e))))".repeat(instances);
    format!(
        "(component (core module $globals {globals}) (core instance $e (instantiate $globals)) \
         (core module $m {imports}) {instances})"
    )
}

/// This many nested instance types.
pub fn nested_types(depth: usize) -> Vec<u8> {
    let types = [
        &[0x01_u8][..],
        &[0x42, 0x01, 0x01].repeat(depth - 1),
        &[0x42, 0x00],
    ]
    .concat();
    component(&[section(7, &types)])
}

/// An instance type with this many resources, and this many imports of it.
pub fn resources_imported(resources: usize, imports: usize) -> String {
    let resources: String = (0..resources)
        .map(|number| format!("(export \"r{number}\" (type (sub resource)))"))
        .collect();
    let imports: String = (0..imports)
        .map(|number| format!("(import \"i{number}\" (instance (type $t)))"))
        .collect();
    format!("(component (type $t (instance {resources})) {imports})")
}

/// Each instance contains the one before twice.
pub fn doubling_arguments(levels: usize) -> String {
    let instances: String = (1..=levels)
        .map(|at| {
            format!(
                "(instance $i{at} (instantiate $twice (with \"i\" (instance $i{}))))",
                at - 1
            )
        })
        .collect();
    format!(
        "(component (component $twice (import \"i\" (instance $i)) \
         (export \"a\" (instance $i)) (export \"b\" (instance $i))) (instance $i0) {instances})"
    )
}

/// Each component captures the one before twice.
pub fn doubling_captures(levels: usize) -> String {
    let components: String = (1..=levels)
        .map(|at| {
            let alias = format!("(alias outer 1 $c{} (component))", at - 1);
            format!("(component $c{at} {alias} {alias})")
        })
        .collect();
    format!("(component (component $c0) {components})")
}

/// Each component is instantiated twice, by a component that receives it as an argument.
pub fn doubling_by_another(levels: usize) -> String {
    let components: String = (1..=levels)
        .map(|at| {
            format!(
                "(component $c{at} (alias outer 1 $twice (component $twice)) \
                 (alias outer 1 $c{} (component $c)) \
                 (instance (instantiate $twice (with \"c\" (component $c)))))",
                at - 1
            )
        })
        .collect();
    format!(
        "(component (component $c0) (component $twice (import \"c\" (component $c)) \
         (instance (instantiate $c)) (instance (instantiate $c))) \
         {components} (instance (instantiate $c{levels})))"
    )
}

/// A table of this many jumps. Each jump passes this many references to a type with `depth`
/// supertypes, and each reference must be compared with the first of these.
pub fn jumps_through_supertypes(references: usize, depth: usize, jumps: usize) -> String {
    let types: String = (1..=depth)
        .map(|at| format!("(type $t{at} (sub $t{} (struct)))", at - 1))
        .collect();
    let results = "(ref null $t0)".repeat(references);
    let operands = format!("(ref.null $t{depth})").repeat(references);
    let targets = "0 ".repeat(jumps);
    format!(
        "(module (type $t0 (sub (struct))) {types} \
         (func (result {results}) {operands} (br_table {targets} (i32.const 0))))"
    )
}

/// A module with one function that takes an i32, has `locals` more of them, and has this code.
fn function(locals: u32, code: &[Vec<u8>]) -> Vec<u8> {
    let body = [&[0x01], &leb(locals)[..], &[0x7f], &code.concat(), &[0x0b]].concat();
    let len = leb(u32::try_from(body.len()).unwrap());
    module(&[
        section(1, &[0x01, 0x60, 0x01, 0x7f, 0x00]),
        section(3, &[0x01, 0x00]),
        section(10, &[&[0x01], &len[..], &body].concat()),
    ])
}

fn functions(count: u32) -> Vec<u8> {
    let many = |one: &[u8]| [leb(count), one.repeat(count as usize)].concat();
    module(&[
        section(1, &[0x01, 0x60, 0x00, 0x00]),
        section(3, &many(&[0x00])),
        section(10, &many(&[0x02, 0x00, 0x0b])),
    ])
}

fn types(count: u32) -> Vec<u8> {
    let many = [leb(count), [0x60, 0x00, 0x00].repeat(count as usize)].concat();
    module(&[section(1, &many)])
}

fn types_of(parameters: u32) -> Vec<u8> {
    let list = vec![0x7f; parameters as usize];
    module(&[section(
        1,
        &[&[0x01, 0x60], &leb(parameters)[..], &list, &[0x00]].concat(),
    )])
}

/// Each level doubles the instances.
fn doubling(levels: usize) -> String {
    let mut text = "(component $c0)".to_owned();
    for level in 1..levels {
        let inner = level - 1;
        text = format!(
            "(component $c{level} {text} \
             (instance (instantiate $c{inner})) (instance (instantiate $c{inner})))"
        );
    }
    text
}

/// Each type contains the one before twice.
fn doubling_types(levels: usize) -> String {
    let mut text = "(component (type $t0 (tuple u8 u8))".to_owned();
    for level in 1..levels {
        let inner = level - 1;
        text += &format!(" (type $t{level} (tuple $t{inner} $t{inner}))");
    }
    text + ")"
}

/// This many aliases, in a component that has as many instances.
fn long_many_times(count: usize) -> String {
    let aliases = "(alias outer 1 $t (type))".repeat(count);
    let instances = "(instance (instantiate $c))".repeat(count);
    format!("(component (type $t u8) (component $c {aliases}) {instances})")
}
