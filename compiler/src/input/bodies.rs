//! Works on the function bodies of a program, on several threads if there are many of them.
//!
//! Bodies are independent of each other, and make up most of a program. Validation reports the same
//! error as it does on one thread: the first in the order of the file.

use rayon::prelude::*;
use wasmparser::{
    BinaryReaderError, FuncToValidate, FuncValidatorAllocations, FunctionBody, ValidatorResources,
    WasmFeatures,
};

use crate::worker::threads;

/// Less code than this, in bytes (128 KiB), stays on one thread: starting others would take as
/// long.
const LONG: usize = 128 << 10;

/// A function body that is not validated yet, with its place in the program.
pub(crate) struct Unchecked<'a, P> {
    pub(crate) function: FuncToValidate<ValidatorResources>,
    pub(crate) body: FunctionBody<'a>,
    pub(crate) place: P,
}

/// Validates function bodies. Returns the error of the first invalid one in their order, and its
/// place.
pub(crate) fn first_error<P: Send>(
    bodies: Vec<Unchecked<'_, P>>,
) -> Option<(BinaryReaderError, P)> {
    let check = |allocations: &mut FuncValidatorAllocations, unchecked: Unchecked<'_, P>| {
        let mut function = (unchecked.function).into_validator(std::mem::take(allocations));
        let result = function.validate(&unchecked.body);
        *allocations = function.into_allocations();
        result.err().map(|error| (error, unchecked.place))
    };
    if is_long(bodies.iter().map(|unchecked| &unchecked.body)) && threads::are_there() {
        let checked = bodies
            .into_par_iter()
            .map_init(FuncValidatorAllocations::default, check);
        return checked.find_map_first(|error| error);
    }
    let mut allocations = FuncValidatorAllocations::default();
    bodies
        .into_iter()
        .find_map(|unchecked| check(&mut allocations, unchecked))
}

/// All features that `scan` finds in function bodies. If `scan` fails for several bodies, this
/// returns any one of the errors.
pub(crate) fn features(
    bodies: &[FunctionBody<'_>],
    scan: impl Fn(&FunctionBody<'_>) -> wasmparser::Result<WasmFeatures> + Sync + Send,
) -> wasmparser::Result<WasmFeatures> {
    let none = WasmFeatures::empty;
    if is_long(bodies.iter()) && threads::are_there() {
        let scanned = bodies.par_iter().map(scan);
        return scanned.try_reduce(none, |a, b| Ok(a | b));
    }
    bodies
        .iter()
        .try_fold(none(), |all, body| Ok(all | scan(body)?))
}

/// The results of `read` for all function bodies, in their order.
pub(crate) fn map<R: Send>(
    bodies: &[FunctionBody<'_>],
    read: impl Fn(&FunctionBody<'_>) -> R + Sync + Send,
) -> Vec<R> {
    match is_long(bodies.iter()) && threads::are_there() {
        true => bodies.par_iter().map(read).collect(),
        false => bodies.iter().map(read).collect(),
    }
}

fn is_long<'a>(bodies: impl Iterator<Item = &'a FunctionBody<'a>>) -> bool {
    bodies.map(|body| body.range().len()).sum::<usize>() >= LONG
}

#[cfg(test)]
mod tests {
    use crate::validate;

    /// A module with this many functions. Those with the numbers in `broken` are invalid.
    fn module(functions: usize, broken: &[usize]) -> Vec<u8> {
        let mut bodies = wasm_encoder::CodeSection::new();
        let mut types = wasm_encoder::TypeSection::new();
        types.ty().function([], []);
        let mut declared = wasm_encoder::FunctionSection::new();
        for number in 0..functions {
            let mut body = wasm_encoder::Function::new([]);
            for _ in 0..200 {
                body.instructions().i64_const(i64::MAX).drop();
            }
            if broken.contains(&number) {
                body.instructions().drop();
            }
            body.instructions().end();
            declared.function(0);
            bodies.function(&body);
        }
        let mut module = wasm_encoder::Module::new();
        module.section(&types).section(&declared).section(&bodies);
        module.finish()
    }

    #[test]
    fn the_first_error_in_the_file_is_reported_by_one_thread_and_by_several() {
        for functions in [10, 2000] {
            let wasm = module(functions, &[]);
            assert_eq!(wasm.len() > super::LONG, functions == 2000);
            validate(wasm).unwrap();
            let last = functions - 1;
            for broken in [&[0, 5, last][..], &[3, last], &[last]] {
                let error = validate(module(functions, broken)).unwrap_err().to_string();
                let place = format!("in function {})", broken[0]);
                assert!(error.contains(&place), "{error}");
            }
        }
    }
}
