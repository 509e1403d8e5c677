//! The walk through a program: first everything outside of code, then all function bodies together.

use wasmparser::{
    BinaryReaderError, Encoding, Parser, Payload, ValidPayload, Validator, WasmFeatures,
};

use crate::ProgramKind;
use crate::input::bodies::{self, Unchecked};

/// The maximum depth of nesting. Later stages follow the nesting by recursion. The text format has
/// the same limit.
const MAX_NESTING: i32 = 100;

/// A function's index, the number of its core module in a component, and where that module begins.
type FunctionPlace = (u32, Option<u32>, usize);

/// The first error of a program.
pub(super) struct WalkError {
    pub(super) message: String,
    pub(super) offset: usize,
    /// The function that contains the error.
    pub(super) function: Option<FunctionPlace>,
    /// Whether the error is about a limit of edgec.
    pub(super) is_limit: bool,
    /// The missing feature, if the validator names it.
    pub(super) missing: Option<WasmFeatures>,
}

impl From<BinaryReaderError> for WalkError {
    fn from(error: BinaryReaderError) -> Self {
        Self {
            message: error.message().to_owned(),
            offset: error.offset(),
            function: None,
            is_limit: false,
            missing: missing(&error),
        }
    }
}

/// The missing feature. If the validator does not name it, it is guessed from the message: it only
/// decides what is tried next.
fn missing(error: &BinaryReaderError) -> Option<WasmFeatures> {
    let told = match error.message() {
        "multiple memories" => Some(WasmFeatures::MULTI_MEMORY),
        "multiple tables" => Some(WasmFeatures::REFERENCE_TYPES),
        message if message.ends_with("because the GC proposal is disabled") => {
            Some(WasmFeatures::GC)
        }
        _ => None,
    };
    error.missing_wasm_feature().or(told)
}

/// A program, of which everything outside of code was validated, and its function bodies, which
/// were not.
pub(crate) struct Outside<'a> {
    pub(super) kind: ProgramKind,
    pub(super) bodies: Vec<Unchecked<'a, FunctionPlace>>,
}

/// Validates everything outside of code. The error is the missing feature, if the validator names
/// it.
pub(crate) fn outside(
    bytes: &[u8],
    features: WasmFeatures,
) -> Result<Outside<'_>, Option<WasmFeatures>> {
    let mut bodies = Vec::new();
    match structure(bytes, features, &mut bodies) {
        Ok(kind) => Ok(Outside { kind, bodies }),
        Err(error) => Err(error.missing),
    }
}

/// Validates everything. An error in code comes with the function's index, the number of the core
/// module, and where that module begins.
fn walk(bytes: &[u8], features: WasmFeatures) -> Result<ProgramKind, WalkError> {
    let mut bodies = Vec::new();
    let outside = structure(bytes, features, &mut bodies);
    first(bodies, outside)
}

/// Validates everything. The error is the missing feature, if the validator names it.
pub(crate) fn whole(bytes: &[u8], features: WasmFeatures) -> Result<(), Option<WasmFeatures>> {
    match walk(bytes, features) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.missing),
    }
}

/// Whether a program is valid with these features.
pub(crate) fn is_valid(bytes: &[u8], features: WasmFeatures) -> bool {
    walk(bytes, features).is_ok()
}

/// The first error. An error in code comes first, because reading stopped at the error outside of
/// code, which is at a later place.
pub(super) fn first(
    bodies: Vec<Unchecked<'_, FunctionPlace>>,
    outside: Result<ProgramKind, WalkError>,
) -> Result<ProgramKind, WalkError> {
    match bodies::first_error(bodies) {
        Some((error, place)) => Err(WalkError {
            function: Some(place),
            ..error.into()
        }),
        None => outside,
    }
}

/// Validates everything except function bodies, and collects these.
pub(super) fn structure<'a>(
    bytes: &'a [u8],
    features: WasmFeatures,
    bodies: &mut Vec<Unchecked<'a, FunctionPlace>>,
) -> Result<ProgramKind, WalkError> {
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut kind = ProgramKind::Module;
    let (mut modules, mut module_start) = (0u32, 0);
    let mut depth = 0;

    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        nested_within(bytes, &payload)?;
        if let Payload::End(_) = &payload {
            depth -= 1;
        }
        if let Payload::Version {
            encoding, range, ..
        } = &payload
        {
            depth += 1;
            if depth > MAX_NESTING {
                return Err(WalkError {
                    message: format!("components are nested more than {MAX_NESTING} deep"),
                    offset: range.start,
                    function: None,
                    is_limit: true,
                    missing: None,
                });
            }
            match encoding {
                Encoding::Component if range.start == 0 => kind = ProgramKind::Component,
                Encoding::Component => {}
                Encoding::Module => {
                    modules += 1;
                    module_start = range.start;
                }
            }
        }
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            let module = (kind == ProgramKind::Component).then(|| modules.saturating_sub(1));
            bodies.push(Unchecked {
                place: (function.index, module, module_start),
                function,
                body,
            });
        }
    }
    Ok(kind)
}

/// Refuses a nested binary that is longer than the file. wasmparser would take the end of the file
/// for its end.
fn nested_within(bytes: &[u8], payload: &Payload<'_>) -> Result<(), WalkError> {
    match payload {
        Payload::ModuleSection {
            unchecked_range, ..
        }
        | Payload::ComponentSection {
            unchecked_range, ..
        } if unchecked_range.end > bytes.len() => Err(WalkError {
            message: "unexpected end: a nested binary is longer than the file".to_owned(),
            offset: unchecked_range.start,
            function: None,
            is_limit: false,
            missing: None,
        }),
        _ => Ok(()),
    }
}
