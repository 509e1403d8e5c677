//! The operators for the interpreter that go on to the next one.

use wasmparser::{MemArg, Operator};

use super::bulk::{self, Bulk};
use super::machine::{Instance, Memory, Ran, Stop, Table, reference};
use super::steps::Frame;

/// Replaces two 32-bit numbers by one.
macro_rules! binary {
    ($frame:ident, $one:ident, $two:ident, $result:expr) => {{
        let $two = $frame.pop()? as u32;
        let $one = $frame.pop()? as u32;
        $frame.push(u64::from($result));
    }};
}

/// Replaces two 64-bit numbers by one.
macro_rules! wide {
    ($frame:ident, $one:ident, $two:ident, $result:expr) => {{
        let $two = $frame.pop()?;
        let $one = $frame.pop()?;
        $frame.push($result);
    }};
}

impl<'a> Frame<'a, '_> {
    /// Bytes of a memory. The address is popped.
    fn bytes(&mut self, memarg: &MemArg, length: usize) -> Ran<&mut [u8]> {
        let address = self.pop()?.checked_add(memarg.offset);
        let memory = self.memory(memarg.memory)?;
        let begin = address.and_then(|it| usize::try_from(it).ok());
        let place = begin.and_then(|begin| Some(begin..begin.checked_add(length)?));
        let bytes = place.and_then(|place| memory.bytes.get_mut(place));
        bytes.ok_or(Stop::Trap("memory out of bounds"))
    }

    fn load(&mut self, memarg: &MemArg, length: usize) -> Ran<u64> {
        let mut word = [0; 8];
        word[..length].copy_from_slice(self.bytes(memarg, length)?);
        Ok(u64::from_le_bytes(word))
    }

    fn store(&mut self, memarg: &MemArg, length: usize) -> Ran<()> {
        let word = self.pop()?.to_le_bytes();
        self.bytes(memarg, length)?.copy_from_slice(&word[..length]);
        Ok(())
    }

    /// Operators that go on to the next one.
    pub(super) fn plain(&mut self, operator: &Operator<'a>) -> Ran<()> {
        match *operator {
            Operator::Drop => drop(self.pop()?),
            Operator::Select => {
                let (condition, two, one) = (self.pop()? as u32, self.pop()?, self.pop()?);
                self.push(if condition == 0 { two } else { one });
            }
            Operator::LocalGet { local_index } => {
                let value = *self.local(local_index)?;
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop()?;
                *self.local(local_index)? = value;
            }
            Operator::LocalTee { local_index } => {
                let value = *self.stack.last().ok_or(Stop::Unknown)?;
                *self.local(local_index)? = value;
            }
            Operator::GlobalGet { global_index } => {
                let value = *self.global(global_index)?;
                self.push(value);
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop()?;
                *self.global(global_index)? = value;
            }
            Operator::I32Const { value } => self.push(u64::from(value.cast_unsigned())),
            Operator::I64Const { value } => self.push(value.cast_unsigned()),
            Operator::F64Const { value } => self.push(value.bits()),
            Operator::RefNull { .. } => self.push(0),
            Operator::RefFunc { function_index } => {
                let value = reference(self.instance()?, function_index)?;
                self.push(value);
            }
            Operator::RefIsNull => {
                let value = self.pop()?;
                self.push(u64::from(value == 0));
            }
            Operator::I32Load { ref memarg } => {
                let value = self.load(memarg, 4)?;
                self.push(value);
            }
            Operator::I32Load8U { ref memarg } => {
                let value = self.load(memarg, 1)?;
                self.push(value);
            }
            Operator::I32Load16S { ref memarg } => {
                let value = self.load(memarg, 2)? as u16;
                let value = i32::from(value.cast_signed()).cast_unsigned();
                self.push(u64::from(value));
            }
            Operator::I64Load { ref memarg } => {
                let value = self.load(memarg, 8)?;
                self.push(value);
            }
            Operator::I32Store { ref memarg } => self.store(memarg, 4)?,
            Operator::I32Store8 { ref memarg } => self.store(memarg, 1)?,
            Operator::I64Store { ref memarg } => self.store(memarg, 8)?,
            Operator::I32Add => binary!(self, a, b, a.wrapping_add(b)),
            Operator::I32Sub => binary!(self, a, b, a.wrapping_sub(b)),
            Operator::I32Mul => binary!(self, a, b, a.wrapping_mul(b)),
            Operator::I32Xor => binary!(self, a, b, a ^ b),
            Operator::I32And => binary!(self, a, b, a & b),
            Operator::I32Shl => binary!(self, a, b, a.wrapping_shl(b)),
            Operator::I32Rotl => binary!(self, a, b, a.rotate_left(b & 31)),
            Operator::I32Eq => binary!(self, a, b, a == b),
            Operator::I32Ne => binary!(self, a, b, a != b),
            Operator::I32LtU => binary!(self, a, b, a < b),
            Operator::I32LeU => binary!(self, a, b, a <= b),
            Operator::I32GeU => binary!(self, a, b, a >= b),
            Operator::I32DivU => {
                let (two, one) = (self.pop()? as u32, self.pop()? as u32);
                let quotient = one.checked_div(two);
                self.push(u64::from(quotient.ok_or(Stop::Trap("division by zero"))?));
            }
            Operator::I32Eqz => {
                let value = self.pop()? as u32;
                self.push(u64::from(value == 0));
            }
            Operator::I64Add => wide!(self, a, b, a.wrapping_add(b)),
            Operator::I64Mul => wide!(self, a, b, a.wrapping_mul(b)),
            Operator::I64Xor => wide!(self, a, b, a ^ b),
            Operator::I64Rotl => wide!(self, a, b, a.rotate_left(b as u32 & 63)),
            Operator::I32WrapI64 | Operator::I64ExtendI32U => {
                let value = self.pop()? as u32;
                self.push(value.into());
            }
            Operator::F64ConvertI32S => {
                let value = (self.pop()? as u32).cast_signed();
                self.push(f64::from(value).to_bits());
            }
            Operator::I64TruncSatF64S => {
                let value = f64::from_bits(self.pop()?) as i64;
                self.push(value.cast_unsigned());
            }
            // The generator has it only with a number that is too large.
            Operator::I32TruncF64S => return Err(Stop::Trap("integer overflow")),
            _ => return bulk::step(self, operator),
        }
        Ok(())
    }
}

impl<'a> Bulk<'a> for Frame<'a, '_> {
    fn pop(&mut self) -> Ran<u64> {
        self.pop()
    }

    fn push(&mut self, value: u64) {
        self.push(value);
    }

    fn table(&mut self, index: u32) -> Ran<&mut Table> {
        let table = Frame::table(self, index)?;
        self.machine.tables.get_mut(table).ok_or(Stop::Unknown)
    }

    fn memory(&mut self, index: u32) -> Ran<&mut Memory> {
        Frame::memory(self, index)
    }

    fn segments(&mut self) -> Ran<&mut Instance<'a>> {
        let instance = self.instance;
        self.machine
            .instances
            .get_mut(instance)
            .ok_or(Stop::Unknown)
    }
}
