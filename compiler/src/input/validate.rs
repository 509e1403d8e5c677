//! Validation, which every program must pass before another tool reads it.
//!
//! Source: WebAssembly 3.0, "Validation"; component model, `Binary.md` and `Explainer.md`; both as
//! wasmparser 0.254 implements them.

use std::borrow::Cow;

use wasmparser::{KnownCustom, Name, Parser, Payload, WasmFeatures};

use crate::ValidComponent;
use crate::input::features::{LEGACY_EXCEPTIONS, SUPPORTED};
use crate::input::found::{Found, KnownCode, checked, found};
use crate::input::invalid::{Function, Location, ValidateError};
use crate::input::walk::{WalkError, first, is_valid, structure};
use crate::input::{engine_limits, excerpt, source_line, totals, validator_limits};

/// Validates a binary with the features that edgec supports.
///
/// # Errors
///
/// [`ValidateError`] with the offset, and for an error in code also the function.
pub fn validate(bytes: Vec<u8>) -> Result<ValidComponent, ValidateError> {
    totals::check(&bytes)?;
    let found = checked(&bytes).map_err(|error| refused(&bytes, error))?;
    accepted_by_engine(bytes, found)
}

/// Like [`validate`], for a program whose function bodies are known. They are not validated again
/// if the program uses all features with which they are valid.
///
/// # Errors
///
/// The same as for [`validate`].
pub(crate) fn validate_known(
    bytes: Vec<u8>,
    code: KnownCode,
) -> Result<ValidComponent, ValidateError> {
    match found(&bytes, Some(code)) {
        Some(found) => accepted_by_engine(bytes, found),
        None => validate(bytes),
    }
}

/// Checks that a program is valid if legacy exceptions count as supported. Such a program cannot be
/// compiled before they are translated, so the engine is not asked about it.
pub(crate) fn check_with_legacy_exceptions(bytes: &[u8]) -> Result<(), ValidateError> {
    totals::check(bytes)?;
    let mut bodies = Vec::new();
    let outside = structure(bytes, SUPPORTED | LEGACY_EXCEPTIONS, &mut bodies);
    match first(bodies, outside) {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(bytes, error)),
    }
}

/// Asks the engine about a valid program.
fn accepted_by_engine(bytes: Vec<u8>, found: Found) -> Result<ValidComponent, ValidateError> {
    let Found {
        kind,
        features,
        code,
    } = found;
    let advisories = engine_limits::check(&bytes, kind, features)?;
    let advisories = advisories.into_iter().map(Cow::Borrowed).collect();
    Ok(ValidComponent::new(bytes, kind, features, code, advisories))
}

/// The validator's error, with names from the program.
fn refused(bytes: &[u8], error: WalkError) -> ValidateError {
    let place = error.function;
    let found = place.and_then(|(index, _, start)| excerpt::at(bytes, start, index, error.offset));
    let (instruction, excerpt) = found.unzip();
    let source = place.and_then(|(_, _, start)| {
        source_line::find(bytes.get(start..)?, error.offset.checked_sub(start)?)
    });
    let location = Location {
        offset: error.offset,
        function: place.map(|(index, module, start)| Function {
            index,
            name: function_name(bytes, start, index),
            module,
        }),
        instruction,
        excerpt: excerpt.flatten(),
        source,
        text: None,
    };
    let limit = match error.is_limit {
        true => Some(error.message.clone()),
        false => validator_limits::exceeded(bytes, &error.message, error.offset),
    };
    match limit {
        Some(limit) => ValidateError::Engine {
            message: format!("{limit} {location}"),
        },
        None => ValidateError::Invalid {
            message: error.message,
            location: Box::new(location),
            unsupported_feature: would_need(bytes, error.missing),
        },
    }
}

/// The function's name in the module at `start`.
fn function_name(bytes: &[u8], start: usize, index: u32) -> Option<String> {
    let module = bytes.get(start..)?;
    for payload in Parser::new(0).parse_all(module) {
        let Ok(Payload::CustomSection(custom)) = payload else {
            if payload.is_err() || matches!(payload, Ok(Payload::End(_))) {
                return None;
            }
            continue;
        };
        let KnownCustom::Name(names) = custom.as_known() else {
            continue;
        };
        for subsection in names {
            if let Ok(Name::Function(map)) = subsection {
                return map
                    .into_iter()
                    .flatten()
                    .find(|naming| naming.index == index)
                    .map(|naming| naming.name.to_owned());
            }
        }
    }
    None
}

/// A feature beyond the supported ones that would make the program valid. Tries first the one that
/// the validator missed.
fn would_need(bytes: &[u8], missing: Option<WasmFeatures>) -> Option<String> {
    let all = WasmFeatures::all();
    if !is_valid(bytes, all) {
        return None;
    }
    let beyond = all.difference(SUPPORTED);
    let missed = beyond
        .iter_names()
        .filter(|(_, flag)| Some(*flag) == missing);
    let needed = missed
        .chain(beyond.iter_names())
        .find(|(_, flag)| !is_valid(bytes, all.difference(*flag)));
    needed.map(|(name, _)| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ValidateError {
        validate(wat::parse_str(text).unwrap()).unwrap_err()
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(
            error("(module (func) (func $broken (result i32)))").to_string(),
            "type mismatch: expected i32 but nothing on stack \
             (at offset 0x1f, in function 1 `broken`)"
        );
        let nested = "(component (core module) (core module (func i32.add drop)))";
        let ValidateError::Invalid { location, .. } = error(nested) else {
            panic!("not invalid");
        };
        assert_eq!(
            location.function.map(|f| (f.index, f.module)),
            Some((0, Some(1)))
        );
    }

    #[test]
    fn known_code_gives_the_same_answer() {
        for text in [
            "(module)",
            "(module (func (local v128)))",
            "(module (memory i64 1) (func (drop (i32.extend8_s (i32.const 0)))))",
            "(component (core module (func (result f32) f32.const 0)) (type (stream u8)))",
        ] {
            let wasm = wat::parse_str(text).unwrap();
            let valid = validate(wasm.clone()).unwrap();
            let uses = valid.code().uses;
            assert!(uses.is_some());
            for known in [
                valid.code(),
                KnownCode {
                    valid_with: valid.features(),
                    uses: None,
                },
                // The program does not use all of these features, so its code is validated.
                KnownCode {
                    valid_with: SUPPORTED,
                    uses: None,
                },
            ] {
                let again = validate_known(wasm.clone(), known).unwrap();
                assert_eq!(again.features(), valid.features());
                assert_eq!(again.code().uses, uses);
                assert_eq!(again.kind(), valid.kind());
            }
        }
        // If something outside of code is invalid, nothing is known about the program.
        let wasm = wat::parse_str("(module (export \"a\" (func 0)))").unwrap();
        let known = KnownCode {
            valid_with: WasmFeatures::empty(),
            uses: None,
        };
        let error = validate_known(wasm.clone(), known).unwrap_err();
        assert_eq!(error, validate(wasm).unwrap_err());
    }

    #[test]
    fn bombs_are_refused_at_once() {
        // Each level doubles the instances, and there are more levels than any reader can follow.
        let mut doubling = "(component $c0)".to_owned();
        for level in 1..60 {
            let inner = level - 1;
            doubling = format!(
                "(component $c{level} {doubling} \
                 (instance (instantiate $c{inner})) (instance (instantiate $c{inner})))"
            );
        }
        assert_eq!(
            error(&doubling).to_string(),
            "instantiating it makes more than 10000 instances"
        );

        let mut nested = Vec::new();
        for _ in 0..500 {
            let mut outer = wasm_encoder::Component::new();
            if !nested.is_empty() {
                outer.section(&wasm_encoder::RawSection {
                    id: wasm_encoder::ComponentSectionId::Component.into(),
                    data: &nested,
                });
            }
            nested = outer.finish();
        }
        let error = validate(nested).unwrap_err().to_string();
        assert!(error.starts_with("components are nested more than 100 deep"));
    }

    #[test]
    fn a_nested_binary_ends_within_the_file() {
        let header = b"\0asm\x0d\0\x01\0";
        let nested = |length: u8| [&header[..], &[4, length], header].concat();
        validate(nested(8)).unwrap();
        for length in [7, 9, 100] {
            validate(nested(length)).unwrap_err();
        }
    }

    #[test]
    fn an_unsupported_feature_is_named() {
        let ValidateError::Invalid {
            unsupported_feature,
            ..
        } = error("(module (memory 1 (pagesize 1)))")
        else {
            panic!("not invalid");
        };
        assert_eq!(unsupported_feature.as_deref(), Some("custom_page_sizes"));
    }

    #[test]
    fn what_the_engine_lacks_is_refused_before_it_is_compiled() {
        let error = error(r#"(component (import "c" (component)))"#);
        assert_eq!(
            error.to_string(),
            "root-level component imports are not supported"
        );
    }
}
