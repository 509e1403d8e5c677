//! The operators of tables, and of whole parts of memories, for the interpreter.

use wasmparser::Operator;

use super::machine::{Instance, Memory, PAGE, Ran, Stop, Table};

/// What these operators need of a call.
pub(super) trait Bulk<'a> {
    fn pop(&mut self) -> Ran<u64>;
    fn push(&mut self, value: u64);
    fn table(&mut self, index: u32) -> Ran<&mut Table>;
    fn memory(&mut self, index: u32) -> Ran<&mut Memory>;
    fn segments(&mut self) -> Ran<&mut Instance<'a>>;
}

/// Runs one operator.
pub(super) fn step<'a>(frame: &mut impl Bulk<'a>, operator: &Operator<'a>) -> Ran<()> {
    match *operator {
        Operator::TableGet { table } => {
            let index = frame.pop()? as u32 as usize;
            let entry = frame.table(table)?.entries.get(index).copied();
            frame.push(entry.ok_or(TABLE)?);
        }
        Operator::TableSet { table } => {
            let value = frame.pop()?;
            let index = frame.pop()? as u32 as usize;
            *frame.table(table)?.entries.get_mut(index).ok_or(TABLE)? = value;
        }
        Operator::TableSize { table } => {
            let size = frame.table(table)?.entries.len();
            frame.push(size as u64);
        }
        Operator::TableGrow { table } => {
            let (more, value) = (frame.pop()? as u32, frame.pop()?);
            let table = frame.table(table)?;
            let before = table.entries.len();
            let after = before as u64 + u64::from(more);
            let fits = after <= table.max;
            if fits {
                table.entries.resize(after as usize, value);
            }
            frame.push(if fits { before as u64 } else { FAILED });
        }
        Operator::TableFill { table } => {
            let (length, value) = (frame.pop()?, frame.pop()?);
            let begin = frame.pop()?;
            let entries = &mut frame.table(table)?.entries;
            part(entries, begin, length, TABLE)?.fill(value);
        }
        Operator::TableCopy {
            dst_table,
            src_table,
        } => {
            let (length, from, to) = (frame.pop()?, frame.pop()?, frame.pop()?);
            let source = &mut frame.table(src_table)?.entries;
            let source = part(source, from, length, TABLE)?.to_vec();
            write(&mut frame.table(dst_table)?.entries, to, &source, TABLE)?;
        }
        Operator::TableInit { elem_index, table } => {
            let (length, from, to) = (frame.pop()?, frame.pop()?, frame.pop()?);
            let elements = &mut frame.segments()?.elements;
            let segment = elements.get_mut(elem_index as usize).ok_or(Stop::Unknown)?;
            let source = part(segment, from, length, TABLE)?.to_vec();
            write(&mut frame.table(table)?.entries, to, &source, TABLE)?;
        }
        Operator::ElemDrop { elem_index } => {
            let elements = &mut frame.segments()?.elements;
            elements
                .get_mut(elem_index as usize)
                .ok_or(Stop::Unknown)?
                .clear();
        }
        Operator::MemorySize { mem } => {
            let size = pages(frame.memory(mem)?);
            frame.push(size);
        }
        Operator::MemoryGrow { mem } => {
            let more = frame.pop()?;
            let memory = frame.memory(mem)?;
            let before = pages(memory);
            let after = before.checked_add(more).filter(|all| *all <= memory.max);
            if let Some(after) = after {
                memory.bytes.resize(after as usize * PAGE, 0);
            }
            frame.push(if after.is_some() { before } else { FAILED });
        }
        Operator::MemoryFill { mem } => {
            let (length, value) = (frame.pop()?, frame.pop()?);
            let begin = frame.pop()?;
            let bytes = &mut frame.memory(mem)?.bytes;
            part(bytes, begin, length, MEMORY)?.fill(value as u8);
        }
        Operator::MemoryCopy { dst_mem, src_mem } => {
            let (length, from, to) = (frame.pop()?, frame.pop()?, frame.pop()?);
            let source = &mut frame.memory(src_mem)?.bytes;
            let source = part(source, from, length, MEMORY)?.to_vec();
            write(&mut frame.memory(dst_mem)?.bytes, to, &source, MEMORY)?;
        }
        Operator::MemoryInit { data_index, mem } => {
            let (length, from, to) = (frame.pop()?, frame.pop()?, frame.pop()?);
            let data = &mut frame.segments()?.data;
            let segment = data.get_mut(data_index as usize).ok_or(Stop::Unknown)?;
            let source = part(segment, from, length, MEMORY)?.to_vec();
            write(&mut frame.memory(mem)?.bytes, to, &source, MEMORY)?;
        }
        Operator::DataDrop { data_index } => {
            let data = &mut frame.segments()?.data;
            data.get_mut(data_index as usize)
                .ok_or(Stop::Unknown)?
                .clear();
        }
        _ => return Err(Stop::Unknown),
    }
    Ok(())
}

const TABLE: Stop = Stop::Trap("table out of bounds");
const MEMORY: Stop = Stop::Trap("memory out of bounds");
/// What an operator returns that could not make something larger.
const FAILED: u64 = u32::MAX as u64;

/// A part of a table, a memory or a segment, or the trap.
fn part<T>(all: &mut [T], begin: u64, length: u64, trap: Stop) -> Ran<&mut [T]> {
    let place = || {
        let begin = usize::try_from(begin).ok()?;
        let end = begin.checked_add(usize::try_from(length).ok()?)?;
        Some(begin..end)
    };
    place().and_then(|place| all.get_mut(place)).ok_or(trap)
}

/// Writes into a table or a memory, all or nothing.
fn write<T: Copy>(all: &mut [T], begin: u64, source: &[T], trap: Stop) -> Ran<()> {
    part(all, begin, source.len() as u64, trap)?.copy_from_slice(source);
    Ok(())
}

/// The number of pages.
fn pages(memory: &Memory) -> u64 {
    (memory.bytes.len() / PAGE) as u64
}
