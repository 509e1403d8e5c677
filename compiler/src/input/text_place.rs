//! Where in a text an instruction of its binary is.
//!
//! The text is parsed once more, because the parser keeps the places of instructions only on
//! request, and a valid program needs none. Modules, functions and instructions are counted: both
//! formats have them in the same order.

use wast::Wat;
use wast::component::{ComponentField, ComponentKind, CoreModuleKind, NestedComponentKind};
use wast::core::{FuncKind, ModuleField, ModuleKind};
use wast::parser::{ParseBuffer, parse};
use wast::token::Span;

use crate::input::excerpt::Instruction;
use crate::input::invalid::TextPlace;

/// The place of an instruction in a text. In a component, `module` is the number of the core
/// module. `None` if the text holds the module as bytes, or cannot be parsed.
pub(crate) fn find(text: &[u8], module: Option<u32>, at: Instruction) -> Option<TextPlace> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut buffer = ParseBuffer::new(text).ok()?;
    buffer.track_instr_spans(true);
    let program = parse::<Wat<'_>>(&buffer).ok()?;
    let span = match &program {
        Wat::Module(found) => match &found.kind {
            ModuleKind::Text(fields) => in_module(fields, at)?,
            ModuleKind::Binary(_) => return None,
        },
        Wat::Component(found) => match &found.kind {
            ComponentKind::Text(fields) => {
                let mut left = module?;
                in_module(in_component(fields, &mut left)?, at)?
            }
            ComponentKind::Binary(_) => return None,
        },
    };
    let (line, column) = span.linecol_in(text);
    Some(TextPlace {
        line: line.checked_add(1)?,
        column: column.checked_add(1)?,
    })
}

/// The fields of the core module before which `left` others are defined. A component inside counts
/// where it is defined.
fn in_component<'a, 'b>(
    fields: &'b [ComponentField<'a>],
    left: &mut u32,
) -> Option<&'b [ModuleField<'a>]> {
    for field in fields {
        match field {
            ComponentField::CoreModule(module) => {
                let CoreModuleKind::Inline { fields } = &module.kind else {
                    continue;
                };
                match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None => return Some(fields),
                }
            }
            ComponentField::Component(component) => {
                if let NestedComponentKind::Inline(fields) = &component.kind
                    && let Some(found) = in_component(fields, left)
                {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// The instruction, or if it is the end of the function, the function.
fn in_module(fields: &[ModuleField<'_>], at: Instruction) -> Option<Span> {
    let defined = fields.iter().filter_map(|field| match field {
        ModuleField::Func(function) => match &function.kind {
            FuncKind::Inline { expression, .. } => Some((function.span, expression)),
            FuncKind::Import(..) => None,
        },
        _ => None,
    });
    let mut defined = defined.skip(usize::try_from(at.function).ok()?);
    let (function, expression) = defined.next()?;
    let spans = expression.instr_spans.as_deref().unwrap_or_default();
    Some(spans.get(at.number).copied().unwrap_or(function))
}

#[cfg(test)]
mod tests {
    use crate::input::invalid::{TextPlace, ValidateError};
    use crate::validate;

    fn place(text: &str) -> Option<(usize, usize)> {
        let error = validate(wat::parse_str(text).unwrap()).unwrap_err();
        let ValidateError::Invalid { location, .. } = error else {
            panic!("{error}");
        };
        let module = location.function.unwrap().module;
        let at = super::find(text.as_bytes(), module, location.instruction.unwrap());
        at.map(|TextPlace { line, column }| (line, column))
    }

    #[test]
    fn instructions_are_found_in_plain_and_in_folded_form() {
        let plain = "(module\n  (import \"a\" \"f\" (func))\n  (func)\n  (func (result i32)\n    \
                     nop\n    i64.const 0))";
        // The end of the function, which is at the function.
        assert_eq!(place(plain), Some((4, 4)));
        let folded =
            "(module\n  (func\n    (drop (i32.add\n      (i32.const 1)\n      (f32.const 2)))))";
        assert_eq!(place(folded), Some((3, 12)));
    }

    #[test]
    fn modules_of_a_component_are_counted() {
        let text = "(component\n  (component (core module))\n  (core module)\n  (core module\n    \
                    (func drop)))";
        assert_eq!(place(text), Some((5, 11)));
    }

    #[test]
    fn bytes_in_a_text_have_no_place() {
        let binary = wat::parse_str("(module (func drop))").unwrap();
        let bytes: String = binary.iter().map(|byte| format!("\\{byte:02x}")).collect();
        assert_eq!(place(&format!("(module binary \"{bytes}\")")), None);
    }
}
