//! Recognizes errors of the validator that are limits, not rules of the specification.
//!
//! Engines agree on most of these limits, and the specification allows all of them. The validator
//! stops at a limit, so the rest of the program was not checked.
//!
//! Sources: WebAssembly JavaScript Interface, "Limits"
//! (<https://webassembly.github.io/spec/js-api/#limits>); wasmparser 0.254, `limits.rs`, which
//! keeps its numbers to itself.

/// The maximum length of a string, in bytes.
const STRING: u32 = 100_000;

/// The limit that the program exceeds, if the validator's error is about one. `None` if the program
/// is invalid: it breaks a rule, or it states a length that exceeds the file.
pub(crate) fn exceeded(bytes: &[u8], message: &str, offset: usize) -> Option<String> {
    let more = |limit: u32, what: &str| Some(format!("more than {limit} {what} are not supported"));
    if let Some(what) = message.strip_suffix(" size is out of bounds") {
        let (limit, what) = of_list(what)?;
        return more(limit, what).filter(|_| fits(bytes, offset));
    }
    if let Some((what, limit)) = message.split_once(" count exceeds limit of ") {
        let limit: u32 = limit.parse().ok()?;
        return match what {
            "function body size" => more(limit, "bytes in a function body"),
            _ => more(limit, what).filter(|_| fits(bytes, offset)),
        };
    }
    match message {
        "string size out of bounds" => {
            more(STRING, "bytes in a name").filter(|_| string_fits(bytes, offset))
        }
        "too many locals: locals exceed maximum" => {
            more(50_000, "parameters and locals in a function")
        }
        "data count section specifies too many data segments" => {
            more(100_000, "data segments").filter(|_| fits(bytes, offset))
        }
        // Each element takes at least one byte.
        "number of elements is out of bounds" => {
            more(10_000_000, "elements in a segment").filter(|_| bytes.len() > 10_000_000)
        }
        "type nesting is too deep" => more(100, "levels of nested component types"),
        _ if message.starts_with("sub type hierarchy too deep") => {
            more(63, "supertypes above a type")
        }
        _ if message.starts_with("effective type size exceeds the limit") => {
            more(1_000_000, "parts in a type")
        }
        _ if message.starts_with("implementation limit: too many types") => {
            Some("so many types are not supported".to_owned())
        }
        _ => None,
    }
}

/// The limit on a list: its maximum length, and a noun for its entries. `name` is the validator's
/// name for the list. Lists that the specification itself limits (`select types`, `supertype idxs`,
/// `flag names`, `canonical options`) are not here, because a longer one is invalid.
fn of_list(name: &str) -> Option<(u32, &'static str)> {
    Some(match name {
        "function params" => (1000, "parameters of a function"),
        "function returns" => (1000, "results of a function"),
        "struct fields" => (10_000, "fields of a struct"),
        "rec group types" => (1_000_000, "types of a recursion group"),
        "catches" => (10_000, "catch clauses of a block"),
        "resume table" => (10_000, "handlers of an instruction"),
        "br_table" => (7_654_321, "targets of a jump table"),
        "component function parameters" => (1000, "parameters of a component function"),
        "module type declaration" => (100_000, "declarations of a module type"),
        "component type declaration" => (1_000_000, "declarations of a component type"),
        "instance type declaration" => (1_000_000, "declarations of an instance type"),
        "record field" => (10_000, "fields of a record"),
        "variant cases" => (10_000, "cases of a variant"),
        "tuple types" => (10_000, "types of a tuple"),
        "enum cases" => (10_000, "cases of an enum"),
        "core instantiation arguments" | "instantiation arguments" => {
            (100_000, "arguments of an instantiation")
        }
        "instantiation exports" => (100_000, "exports of an instantiation"),
        "start function arguments" => (1000, "arguments of a start function"),
        "start function results" => (1000, "results of a start function"),
        _ => return None,
    })
}

/// Whether the file can contain the list whose length stands at `offset`: each entry takes at least
/// one byte. Otherwise the length is wrong.
fn fits(bytes: &[u8], offset: usize) -> bool {
    number(bytes, offset).is_some_and(|(length, end)| within(bytes, length, end))
}

/// Like [`fits`], for a string: the validator gives the last byte of its length.
fn string_fits(bytes: &[u8], last: usize) -> bool {
    (0..5).any(|before| {
        let read = last
            .checked_sub(before)
            .and_then(|begin| number(bytes, begin));
        read.is_some_and(|(length, end)| {
            end == last + 1 && length > u64::from(STRING) && within(bytes, length, end)
        })
    })
}

/// Whether at least this many bytes follow `end`.
fn within(bytes: &[u8], length: u64, end: usize) -> bool {
    let left = bytes.len().checked_sub(end);
    left.is_some_and(|left| usize::try_from(length).is_ok_and(|length| length <= left))
}

/// An unsigned number of up to five bytes (LEB128), and where it ends.
fn number(bytes: &[u8], begin: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.get(begin..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, begin + index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::{ValidateError, validate};

    /// The validator's answer about a program.
    fn answer(wasm: Vec<u8>) -> Result<(), ValidateError> {
        validate(wasm).map(|_| ())
    }

    fn text(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    fn numbered(count: usize, entry: impl Fn(usize) -> String) -> String {
        (0..count).map(entry).collect()
    }

    /// A module whose only function has a body of this many bytes.
    fn body(length: usize) -> Vec<u8> {
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        let mut functions = wasm_encoder::FunctionSection::new();
        functions.function(0);
        let mut body = wasm_encoder::Function::new([]);
        // The number of locals, `nop`, `end`.
        body.raw(std::iter::repeat_n(0x01, length - 2));
        body.raw([0x0b]);
        let mut code = wasm_encoder::CodeSection::new();
        code.function(&body);
        let mut module = wasm_encoder::Module::new();
        module.section(&types).section(&functions).section(&code);
        module.finish()
    }

    type Program = fn(usize) -> Vec<u8>;

    /// The limit, its object, and a program with this many.
    const CASES: &[(usize, &str, Program)] = &[
        (1000, "parameters of a function", |count| {
            text(&format!("(module (func (param {})))", "i32 ".repeat(count)))
        }),
        (1000, "results of a function", |count| {
            let results = "i32 ".repeat(count);
            text(&format!("(module (func (result {results}) unreachable))"))
        }),
        (50_000, "parameters and locals in a function", |count| {
            let locals = "i32 ".repeat(count - 1);
            text(&format!("(module (func (param i32) (local {locals})))"))
        }),
        (100, "memories", |count| {
            text(&format!("(module {})", "(memory 0)".repeat(count)))
        }),
        (100, "tables", |count| {
            text(&format!("(module {})", "(table 0 funcref)".repeat(count)))
        }),
        (100_000, "element segments", |count| {
            text(&format!("(module {})", "(elem func)".repeat(count)))
        }),
        (100_000, "data segments", |count| {
            text(&format!("(module {})", "(data \"\")".repeat(count)))
        }),
        // The section that counts the segments comes first.
        (100_000, "data segments", |count| {
            let segments = "(data \"\")".repeat(count);
            text(&format!("(module (func data.drop 0) {segments})"))
        }),
        (10_000, "fields of a struct", |count| {
            let fields = "(field i32)".repeat(count);
            text(&format!("(module (type (struct {fields})))"))
        }),
        (63, "supertypes above a type", |count| {
            let types = numbered(count, |above| {
                format!("(type $t{} (sub $t{above} (struct)))", above + 1)
            });
            text(&format!("(module (type $t0 (sub (struct))) {types})"))
        }),
        (7_654_321, "bytes in a function body", body),
        (100_000, "bytes in a name", |count| {
            let name = "n".repeat(count);
            text(&format!("(module (func (export \"{name}\")))"))
        }),
        (1000, "parameters of a component function", |count| {
            let parameters = numbered(count, |at| format!("(param \"p{at}\" u8)"));
            text(&format!("(component (type (func {parameters})))"))
        }),
        (10_000, "fields of a record", |count| {
            let fields = numbered(count, |at| format!("(field \"f{at}\" u8)"));
            text(&format!("(component (type (record {fields})))"))
        }),
        (10_000, "cases of an enum", |count| {
            let cases = numbered(count, |at| format!("\"c{at}\" "));
            text(&format!("(component (type (enum {cases})))"))
        }),
    ];

    #[test]
    fn what_is_beyond_a_limit_is_not_called_invalid() {
        for (limit, what, program) in CASES {
            let says = format!("more than {limit} {what} are not supported (at offset 0x");
            let refused = |count| match answer(program(count)) {
                Err(ValidateError::Engine { message }) => message.starts_with(&says),
                Err(error @ ValidateError::Invalid { .. }) => panic!("{count} {what}: {error}"),
                _ => false,
            };
            assert!(!refused(*limit), "{limit} {what}");
            assert!(refused(limit + 1), "{limit} {what}");
        }
    }

    #[test]
    fn a_length_that_the_file_does_not_have_is_invalid() {
        let section = |id: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&b"\0asm\x01\0\0\0"[..], &[id, length], content].concat()
        };
        // A million memories, parameters, and bytes of an import's name.
        let million = [0xc0, 0x84, 0x3d];
        for wasm in [
            section(5, &million),
            section(1, &[&[1, 0x60][..], &million[..]].concat()),
            section(2, &[&[1][..], &million[..]].concat()),
        ] {
            let error = answer(wasm).unwrap_err();
            assert!(matches!(error, ValidateError::Invalid { .. }), "{error}");
        }
    }

    #[test]
    fn rules_of_the_specification_are_not_limits() {
        let flags = numbered(1001, |at| format!("\"f{at}\" "));
        for wasm in [
            text(&format!("(component (type (flags {flags})))")),
            text("(module (type (sub final (struct))) (type (sub 0 (struct))))"),
            text("(module (func (drop (i32.const 0)) drop))"),
        ] {
            let error = answer(wasm).unwrap_err();
            assert!(matches!(error, ValidateError::Invalid { .. }), "{error}");
        }
    }
}
