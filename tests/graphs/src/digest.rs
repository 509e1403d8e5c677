//! A function that reads all memories, tables and globals of a module.

use super::expressions::{narrowed, widened};
use super::signatures::Sig;
use super::visible::{Content, Number, Visible};

/// The function, exported as `digest`.
pub fn digest(id: &str, seen: &Visible) -> String {
    let mut text = format!(
        "(func {id} (export \"digest\") (type {}) (result i64) (local $b i64) (local $i i32)\n",
        Sig::Digest.type_name()
    );
    let mix = |value: &str| {
        format!(
            "  (local.set $b (i64.mul (i64.const 0x100000001b3) \
             (i64.xor (i64.rotl (local.get $b) (i64.const 5)) {value})))\n"
        )
    };
    for (memory, wide) in &seen.memories {
        let size = narrowed(&format!("(memory.size {memory})"), *wide);
        let address = widened("(local.get $i)", *wide);
        text += &mix(&format!("(i64.extend_i32_u {size})"));
        text += "  (local.set $i (i32.const 0)) (block $end (loop $next\n";
        text +=
            &format!("  (br_if $end (i32.ge_u (local.get $i) (i32.shl {size} (i32.const 16))))\n");
        text += &mix(&format!("(i64.load {memory} {address})"));
        text += "  (local.set $i (i32.add (local.get $i) (i32.const 8))) (br $next)))\n";
    }
    for (table, _) in &seen.tables {
        text += "  (local.set $i (i32.const 0)) (block $end (loop $next\n";
        text += &format!("  (br_if $end (i32.ge_u (local.get $i) (table.size {table})))\n");
        let null = format!("(ref.is_null (table.get {table} (local.get $i)))");
        text += &mix(&format!("(i64.extend_i32_u {null})"));
        text += "  (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))\n";
    }
    for global in &seen.globals {
        let value = format!("(global.get {})", global.id);
        text += &mix(&match global.content {
            Content::Number(Number::I32) => format!("(i64.extend_i32_u {value})"),
            Content::Number(Number::I64) => value,
            Content::Nullable(_) => format!("(i64.extend_i32_u (ref.is_null {value}))"),
            Content::Reference(_) => continue,
        });
    }
    text + "  (local.get $b))"
}
