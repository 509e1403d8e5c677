//! Recognizes functions that only pass their parameters on to a function that is looked up, and
//! functions that only set what is looked up.
//!
//! Such functions are how toolchains link modules that need each other: the first module gets a
//! function of this kind, and the function behind it is put into its place when it exists. They are
//! recognized by what they do, because their names and modules differ from version to version.

use wasmparser::Operator;

/// A function that passes its parameters on, and does nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forward {
    /// Where the called function is looked up.
    pub(super) place: Place,
    /// The type with which it is called.
    pub(super) ty: u32,
    /// How many parameters are passed, beginning with the first.
    pub(super) parameters: usize,
    /// Whether it is a tail call: the stack does not grow.
    pub(super) is_tail: bool,
}

/// Where a function is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In this element of a table.
    Table { table: u32, slot: u64 },
    /// In this global.
    Global(u32),
}

/// Follows a body for as long as it only passes its parameters on.
pub(super) struct Forwarding {
    parameters: usize,
    state: State,
}

enum State {
    Parameters,
    Slot(u64),
    Global(u32),
    Called(Call),
    Done(Call),
    Other,
}

/// A call of a function that is looked up.
#[derive(Clone, Copy)]
struct Call {
    place: Place,
    ty: u32,
    is_tail: bool,
}

impl Forwarding {
    pub(super) fn new(has_locals: bool) -> Self {
        Self {
            parameters: 0,
            state: match has_locals {
                true => State::Other,
                false => State::Parameters,
            },
        }
    }

    /// Takes the next instruction.
    pub(super) fn next(&mut self, operator: &Operator<'_>) {
        let state = match (&self.state, operator) {
            (State::Other, _) => return,
            (State::Parameters, Operator::LocalGet { local_index })
                if usize::try_from(*local_index) == Ok(self.parameters) =>
            {
                self.parameters += 1;
                return;
            }
            (State::Parameters, Operator::I32Const { value }) => {
                State::Slot(value.cast_unsigned().into())
            }
            (State::Parameters, Operator::I64Const { value }) => State::Slot(value.cast_unsigned()),
            (State::Parameters, Operator::GlobalGet { global_index }) => {
                State::Global(*global_index)
            }
            (
                State::Slot(slot),
                Operator::CallIndirect {
                    type_index,
                    table_index,
                }
                | Operator::ReturnCallIndirect {
                    type_index,
                    table_index,
                },
            ) => {
                let (table, slot) = (*table_index, *slot);
                State::Called(Call {
                    place: Place::Table { table, slot },
                    ty: *type_index,
                    is_tail: matches!(operator, Operator::ReturnCallIndirect { .. }),
                })
            }
            (
                State::Global(global),
                Operator::CallRef { type_index } | Operator::ReturnCallRef { type_index },
            ) => State::Called(Call {
                place: Place::Global(*global),
                ty: *type_index,
                is_tail: matches!(operator, Operator::ReturnCallRef { .. }),
            }),
            (State::Called(call), Operator::End) => State::Done(*call),
            _ => State::Other,
        };
        self.state = state;
    }

    /// What was found at the end of the body.
    pub(super) fn found(self) -> Option<Forward> {
        match self.state {
            State::Done(Call { place, ty, is_tail }) => Some(Forward {
                place,
                ty,
                parameters: self.parameters,
                is_tail,
            }),
            _ => None,
        }
    }
}

/// The pairs of `ref.func` and `global.set` with which a body begins, and the rest.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// The functions, and the globals that are set to them.
    pub(super) pairs: Vec<(u32, u32)>,
    /// The globals that are set after these pairs, if there are pairs. In the end sorted.
    pub(super) later: Vec<u32>,
    /// In the end the pairs, sorted by their globals.
    by_global: Vec<(u32, u32)>,
    function: Option<u32>,
    is_other: bool,
}

impl Sets {
    /// Takes the next instruction.
    pub(super) fn next(&mut self, operator: &Operator<'_>) {
        if self.is_other {
            if let (false, Operator::GlobalSet { global_index }) = (self.pairs.is_empty(), operator)
            {
                self.later.push(*global_index);
            }
            return;
        }
        match (self.function.take(), operator) {
            (None, Operator::RefFunc { function_index }) => self.function = Some(*function_index),
            (Some(function), Operator::GlobalSet { global_index }) => {
                self.pairs.push((function, *global_index));
            }
            _ => self.is_other = true,
        }
    }

    /// What was found at the end of the body.
    pub(super) fn found(mut self) -> Self {
        let pairs = self.pairs.iter();
        self.by_global = pairs
            .map(|(function, global)| (*global, *function))
            .collect();
        self.by_global.sort_unstable();
        self.later.sort_unstable();
        self.later.dedup();
        self
    }

    /// The function that a global is set to, if the pairs set it once and nothing sets it later.
    pub(super) fn content(&self, global: u32) -> Option<u32> {
        if self.later.binary_search(&global).is_ok() {
            return None;
        }
        let first = self.by_global.partition_point(|(it, _)| *it < global);
        let rest = self.by_global.get(first..)?.iter();
        let mut sets = rest.take_while(|(it, _)| *it == global);
        match (sets.next(), sets.next()) {
            (Some((_, function)), None) => Some(*function),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::flatten::body::Body;
    use crate::wasm::flatten::module::Module;

    /// The first function of a module.
    fn body(text: &str) -> Body {
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::read(&wasm).unwrap();
        Body::read(&module.bodies[0]).unwrap()
    }

    const TYPES: &str = "(type $t (func (param i32 i64) (result i32))) (table 9 funcref)
        (type $u (func (param i32)))";

    #[test]
    fn a_function_that_only_passes_its_parameters_on_is_found() {
        let forward =
            |text: &str| body(&format!("(module {TYPES} (func (type $t) {text}))")).forward;
        let parameters = "local.get 0 local.get 1";
        for call in ["call_indirect", "return_call_indirect"] {
            let text = format!("{parameters} i32.const 7 {call} (type $t)");
            let found = forward(&text).unwrap();
            assert_eq!(found.place, Place::Table { table: 0, slot: 7 });
            assert_eq!((found.ty, found.parameters), (0, 2));
            assert_eq!(found.is_tail, call.starts_with("return"));
        }
        // Not all parameters: the caller of this function compares the numbers.
        let fewer = forward("local.get 0 i32.const 7 call_indirect (type $u)");
        assert_eq!(fewer.unwrap().parameters, 1);
        for other in [
            // Something else happens too.
            format!("{parameters} i32.const 7 call_indirect (type $t) i32.const 1 i32.add"),
            format!("nop {parameters} i32.const 7 call_indirect (type $t)"),
            format!("(local i32) {parameters} i32.const 7 call_indirect (type $t)"),
            // The place is not known.
            format!("{parameters} local.get 0 call_indirect (type $t)"),
            // The parameters are not in their order.
            "local.get 1 local.get 0 i32.const 7 call_indirect (type $t)".into(),
            "unreachable".into(),
        ] {
            assert_eq!(forward(&other), None, "{other}");
        }
    }

    #[test]
    fn a_function_in_a_global_is_found() {
        let text = |call: &str| {
            format!(
                "(module (type $t (func (param i32))) (global $g (mut (ref null $t)) (ref.null $t))
                (func (type $t) local.get 0 global.get $g {call} $t))"
            )
        };
        for call in ["call_ref", "return_call_ref"] {
            let found = body(&text(call)).forward.unwrap();
            assert_eq!(found.place, Place::Global(0));
            assert_eq!((found.ty, found.parameters), (0, 1));
            assert_eq!(found.is_tail, call.starts_with("return"));
        }
    }

    #[test]
    fn functions_that_globals_are_set_to_are_found() {
        let text = |more: &str| {
            format!(
                "(module (global $a (mut funcref) (ref.null func)) (global $b (mut funcref)
                (ref.null func)) (elem declare func $f $g) (func $f ref.func $g global.set $a
                ref.func $f global.set $b {more}) (func $g))"
            )
        };
        let all = body(&text("")).sets;
        assert_eq!(
            [0, 1, 2].map(|it| all.content(it)),
            [Some(1), Some(0), None]
        );
        assert_eq!((all.pairs, all.later), (vec![(1, 0), (0, 1)], vec![]));
        let again = body(&text("ref.func $f global.set $a")).sets;
        assert_eq!([0, 1].map(|it| again.content(it)), [None, Some(0)]);
        let more = body(&text("call $g ref.func $f global.set $a")).sets;
        assert_eq!([0, 1].map(|it| more.content(it)), [None, Some(0)]);
        assert_eq!((more.pairs, more.later), (vec![(1, 0), (0, 1)], vec![0]));
        let none =
            body("(module (global $a (mut i32) (i32.const 0)) (func i32.const 1 global.set 0))");
        assert_eq!((none.sets.pairs, none.sets.later), (vec![], vec![]));
    }
}
