//! The operators of function bodies, for the interpreter.

use std::rc::Rc;

use wasmparser::Operator;

use super::machine::{Instance, Machine, Memory, Ran, Stop};
use super::module::{Body, Module, Type};

/// A block that is entered.
struct Label {
    /// Where a branch to it goes on.
    target: usize,
    /// How many values a branch to it takes along.
    arity: usize,
    /// The height of the stack below its parameters.
    height: usize,
    /// Whether a branch to it enters it again.
    again: bool,
}

/// A call of a function body.
pub(super) struct Frame<'a, 'b> {
    pub(super) machine: &'b mut Machine<'a>,
    module: Rc<Module<'a>>,
    pub(super) instance: usize,
    locals: Vec<u64>,
    pub(super) stack: Vec<u64>,
    labels: Vec<Label>,
}

/// How a step ends.
enum Next {
    Step,
    Jump(usize),
    Return,
}

/// Runs a function body of an instance.
pub(super) fn run<'a>(
    machine: &mut Machine<'a>,
    instance: usize,
    body: usize,
    arguments: &[u64],
) -> Ran<Vec<u64>> {
    let module = Rc::clone(&machine.instances.get(instance).ok_or(Stop::Unknown)?.module);
    let ty = *module.functions.get(body).ok_or(Stop::Unknown)?;
    let results = module.types.get(ty as usize).ok_or(Stop::Unknown)?.results;
    let same = Rc::clone(&module);
    let body = same.bodies.get(body).ok_or(Stop::Unknown)?;
    let mut frame = Frame {
        machine,
        module,
        instance,
        locals: arguments.to_vec(),
        stack: Vec::new(),
        labels: Vec::new(),
    };
    let all = arguments.len() + body.locals;
    frame.locals.resize(all, 0);
    let mut place = 0;
    while let Some(operator) = body.code.get(place) {
        frame.machine.fuel = frame.machine.fuel.checked_sub(1).ok_or(Stop::Exhausted)?;
        match frame.step(body, place, operator)? {
            Next::Step => place += 1,
            Next::Jump(to) => place = to,
            Next::Return => break,
        }
    }
    let begin = frame
        .stack
        .len()
        .checked_sub(results)
        .ok_or(Stop::Unknown)?;
    Ok(frame.stack.split_off(begin))
}

impl<'a> Frame<'a, '_> {
    pub(super) fn pop(&mut self) -> Ran<u64> {
        self.stack.pop().ok_or(Stop::Unknown)
    }

    pub(super) fn push(&mut self, value: u64) {
        self.stack.push(value);
    }

    /// The last values of the stack.
    fn take(&mut self, count: usize) -> Ran<Vec<u64>> {
        let begin = self.stack.len().checked_sub(count).ok_or(Stop::Unknown)?;
        Ok(self.stack.split_off(begin))
    }

    fn step(&mut self, body: &Body<'a>, place: usize, operator: &Operator<'a>) -> Ran<Next> {
        match *operator {
            Operator::Nop => {}
            Operator::Unreachable => return Err(Stop::Trap("unreachable")),
            Operator::Block { blockty } | Operator::Loop { blockty } => {
                let again = matches!(operator, Operator::Loop { .. });
                self.enter(body, place, blockty, again)?;
            }
            Operator::If { blockty } => {
                let condition = self.pop()? as u32;
                self.enter(body, place, blockty, false)?;
                let (end, otherwise) = *body.ends.get(&place).ok_or(Stop::Unknown)?;
                if condition == 0 {
                    return Ok(Next::Jump(otherwise.map_or(end, |place| place + 1)));
                }
            }
            // The end of the first half.
            Operator::Else => {
                let label = self.labels.last().ok_or(Stop::Unknown)?;
                return Ok(Next::Jump(label.target));
            }
            Operator::End => {
                if self.labels.pop().is_none() {
                    return Ok(Next::Return);
                }
            }
            Operator::Br { relative_depth } => return self.branch(relative_depth),
            Operator::BrIf { relative_depth } => {
                if self.pop()? as u32 != 0 {
                    return self.branch(relative_depth);
                }
            }
            Operator::Return => return Ok(Next::Return),
            Operator::Call { function_index } => self.call(function_index)?,
            Operator::ReturnCall { function_index } => {
                self.call(function_index)?;
                return Ok(Next::Return);
            }
            Operator::CallIndirect {
                type_index,
                table_index,
            } => self.call_indirect(type_index, table_index)?,
            Operator::ReturnCallIndirect {
                type_index,
                table_index,
            } => {
                self.call_indirect(type_index, table_index)?;
                return Ok(Next::Return);
            }
            Operator::CallRef { .. } => self.call_reference()?,
            Operator::ReturnCallRef { .. } => {
                self.call_reference()?;
                return Ok(Next::Return);
            }
            _ => self.plain(operator)?,
        }
        Ok(Next::Step)
    }

    fn enter(
        &mut self,
        body: &Body<'a>,
        place: usize,
        ty: wasmparser::BlockType,
        again: bool,
    ) -> Ran<()> {
        let (params, results) = self.module.block(ty);
        let (end, _) = *body.ends.get(&place).ok_or(Stop::Unknown)?;
        let height = self.stack.len().checked_sub(params).ok_or(Stop::Unknown)?;
        self.labels.push(Label {
            target: if again { place + 1 } else { end },
            arity: if again { params } else { results },
            height,
            again,
        });
        Ok(())
    }

    /// The `end` of a block that is not entered again removes its label.
    fn branch(&mut self, depth: u32) -> Ran<Next> {
        let Some(keep) = self.labels.len().checked_sub(depth as usize) else {
            return Ok(Next::Return);
        };
        if keep == 0 {
            return Ok(Next::Return);
        }
        self.labels.truncate(keep);
        let label = self.labels.last().ok_or(Stop::Unknown)?;
        let (target, arity, height) = (label.target, label.arity, label.height);
        debug_assert!(label.again || target > 0);
        let values = self.take(arity)?;
        self.stack.truncate(height);
        self.stack.extend(values);
        Ok(Next::Jump(target))
    }

    fn call(&mut self, function: u32) -> Ran<()> {
        let instance = self.instance()?;
        let function = *instance
            .functions
            .get(function as usize)
            .ok_or(Stop::Unknown)?;
        self.call_number(function)
    }

    fn call_number(&mut self, function: usize) -> Ran<()> {
        let found = self.machine.functions.get(function).ok_or(Stop::Unknown)?;
        let params = found.ty.params;
        let arguments = self.take(params)?;
        let results = self.machine.call(function, &arguments)?;
        self.stack.extend(results);
        Ok(())
    }

    fn call_indirect(&mut self, ty: u32, table: u32) -> Ran<()> {
        let index = self.pop()? as u32 as usize;
        let wanted: Type = self
            .module
            .types
            .get(ty as usize)
            .ok_or(Stop::Unknown)?
            .clone();
        let table = self.table(table)?;
        let entry = self.machine.tables.get(table).ok_or(Stop::Unknown)?;
        let entry = entry.entries.get(index).copied();
        let entry = entry.ok_or(Stop::Trap("table out of bounds"))?;
        let function = (entry as usize)
            .checked_sub(1)
            .ok_or(Stop::Trap("uninitialized element"))?;
        let found = self.machine.functions.get(function).ok_or(Stop::Unknown)?;
        if found.ty.identity != wanted.identity {
            return Err(Stop::Trap("indirect call type mismatch"));
        }
        self.call_number(function)
    }

    fn call_reference(&mut self) -> Ran<()> {
        let reference = self.pop()? as usize;
        let function = reference.checked_sub(1);
        self.call_number(function.ok_or(Stop::Trap("null reference"))?)
    }

    pub(super) fn instance(&self) -> Ran<&Instance<'a>> {
        self.machine
            .instances
            .get(self.instance)
            .ok_or(Stop::Unknown)
    }

    pub(super) fn table(&self, index: u32) -> Ran<usize> {
        let tables = &self.instance()?.tables;
        tables.get(index as usize).copied().ok_or(Stop::Unknown)
    }

    pub(super) fn memory(&mut self, index: u32) -> Ran<&mut Memory> {
        let memories = &self.instance()?.memories;
        let memory = *memories.get(index as usize).ok_or(Stop::Unknown)?;
        self.machine.memories.get_mut(memory).ok_or(Stop::Unknown)
    }

    pub(super) fn global(&mut self, index: u32) -> Ran<&mut u64> {
        let globals = &self.instance()?.globals;
        let global = *globals.get(index as usize).ok_or(Stop::Unknown)?;
        self.machine.globals.get_mut(global).ok_or(Stop::Unknown)
    }

    pub(super) fn local(&mut self, index: u32) -> Ran<&mut u64> {
        self.locals.get_mut(index as usize).ok_or(Stop::Unknown)
    }
}
