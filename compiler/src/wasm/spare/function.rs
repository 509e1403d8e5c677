//! Decides whether Binaryen can have a single function.

use wasmparser::{BlockType, FunctionBody, Operator, WasmFeatures};

use crate::input::features;
use crate::wasm::kept::Unfit;
use crate::wasm::reads::Reads;

/// How deeply a function for Binaryen may nest blocks, loops and ifs. Binaryen walks the levels
/// again and again, by recursion. Real programs have a few hundred levels, one for each instruction
/// of an interpreter or each rule of a scanner. The deepest known one has 1,537.
pub(super) const MOST_NESTED: usize = 3000;
/// The same for blocks whose type is an index, which mostly have several results. In Binaryen, such
/// results become locals, again for each level.
pub(super) const MOST_NESTED_RESULTS: usize = 300;
/// How many instructions in a row may leave a value. An expression without calls cannot be deeper
/// than that. For each level of an expression, the passes of `-O2` and above walk all levels inside
/// it again. The longest known row in a real program has 6,252, in a Python interpreter.
pub(super) const MOST_IN_EXPRESSION: usize = 8000;
/// The limit on the number of blocks that end together, times the square of the number of targets
/// of the largest jump table. `remove-unused-brs` moves each target out of one block after the
/// other, and examines all targets each time. Real programs stay below a tenth of this limit.
const MOST_THREADED: u64 = 1_000_000_000;
/// How many local variables, without parameters, a function for Binaryen may have:
/// `coalesce-locals` compares every pair.
pub(super) const MOST_LOCALS: u32 = 4000;

/// Facts about a function's body.
pub(super) struct Contents {
    pub(super) unfit: Option<Unfit>,
    /// Whether the body refers to items that exports cannot track: segments, and functions as
    /// values.
    pub(super) tied: bool,
}

impl Contents {
    /// Reads a body. `parameters` says for each type whether it is a function type with parameters.
    pub(super) fn of(
        body: &FunctionBody<'_>,
        parameters: &[bool],
        reads: Reads,
    ) -> wasmparser::Result<Self> {
        let mut locals = 0u32;
        for local in body.get_locals_reader()? {
            locals = locals.saturating_add(local?.0);
        }
        let mut unfit = (locals > MOST_LOCALS).then_some(Unfit::ManyLocals);
        let mut tied = false;
        let mut blocks = Blocks::default();
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            blocks.count(&operator);
            tied |= is_tied(&operator);
            let found = unfit_operator(&operator, &blocks, parameters)
                .filter(|found| reads != Reads::Everything || *found != Unfit::Unread);
            unfit = unfit.or(found);
        }
        if blocks.threaded() > MOST_THREADED || blocks.most_in_a_row > MOST_IN_EXPRESSION {
            unfit = unfit.or(Some(Unfit::Deep));
        }
        Ok(Self { unfit, tied })
    }
}

/// The blocks of a body, as far as it has been read.
#[derive(Default)]
struct Blocks {
    depth: usize,
    /// How many blocks end together here, and the maximum anywhere.
    ends: u64,
    most_ends: u64,
    /// The number of targets of the largest jump table.
    most_targets: u64,
    /// How many instructions in a row may leave a value up to here, and the maximum anywhere.
    in_a_row: usize,
    most_in_a_row: usize,
}

impl Blocks {
    fn count(&mut self, operator: &Operator<'_>) {
        self.ends = match operator {
            Operator::End => self.ends + 1,
            _ => 0,
        };
        self.most_ends = self.most_ends.max(self.ends);
        self.in_a_row = match ends_expression(operator) {
            true => 0,
            false => self.in_a_row + 1,
        };
        self.most_in_a_row = self.most_in_a_row.max(self.in_a_row);
        match operator {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => self.depth += 1,
            Operator::End => self.depth = self.depth.saturating_sub(1),
            Operator::BrTable { targets } => {
                self.most_targets = self.most_targets.max(targets.len().into());
            }
            _ => {}
        }
    }

    /// The number that [`MOST_THREADED`] limits.
    fn threaded(&self) -> u64 {
        let looked_at = self.most_targets.saturating_mul(self.most_targets);
        looked_at.saturating_mul(self.most_ends)
    }
}

fn unfit_operator(operator: &Operator<'_>, blocks: &Blocks, parameters: &[bool]) -> Option<Unfit> {
    match operator {
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            let most = match blockty {
                BlockType::FuncType(_) => MOST_NESTED_RESULTS,
                _ => MOST_NESTED,
            };
            if blocks.depth > most {
                Some(Unfit::Deep)
            } else {
                has_parameters(*blockty, parameters).then_some(Unfit::BlockParameters)
            }
        }
        Operator::TableInit { .. }
        | Operator::ElemDrop { .. }
        | Operator::TableCopy { .. }
        | Operator::TableFill { .. } => Some(Unfit::Unread),
        _ => {
            let proposal = features::proposal(operator);
            let relaxed = proposal.contains(WasmFeatures::RELAXED_SIMD);
            relaxed.then_some(Unfit::RelaxedSimd)
        }
    }
}

/// Whether an instruction leaves no value, or begins or ends a block. Calls count as well: most
/// long rows in real programs are calls without results, one after the other.
fn ends_expression(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::TryTable { .. }
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
            | Operator::Nop
            | Operator::Drop
            | Operator::LocalSet { .. }
            | Operator::GlobalSet { .. }
            | Operator::I32Store { .. }
            | Operator::I64Store { .. }
            | Operator::F32Store { .. }
            | Operator::F64Store { .. }
            | Operator::I32Store8 { .. }
            | Operator::I32Store16 { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. }
            | Operator::V128Store { .. }
            | Operator::I32AtomicStore { .. }
            | Operator::I64AtomicStore { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
    )
}

fn is_tied(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::RefFunc { .. }
            | Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
    )
}

fn has_parameters(block: BlockType, parameters: &[bool]) -> bool {
    let BlockType::FuncType(ty) = block else {
        return false;
    };
    let ty = usize::try_from(ty).ok();
    let has = ty.and_then(|ty| parameters.get(ty));
    has.copied().unwrap_or(true)
}
