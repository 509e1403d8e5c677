//! Gives an image the data of its program.
//!
//! The image is that of the same program without its data ([`crate::wasm::data_apart`]), so it has
//! the code of every program that differs only in its data. Apart from the code, an image has the
//! data itself, where it lies, and offsets in the WebAssembly, where later modules lie elsewhere.
//! The engine makes the data: it compiles each module again, with nothing but its memory. So this
//! file knows nothing about how the engine lays out a memory. It only puts the modules' data
//! together as the engine does.
//!
//! The result is the image of the program, byte for byte: tests compare them.
//!
//! Sources: `wasmtime-environ` 48, `compile/module_artifacts.rs` (`ObjectBuilder::append`) and
//! `compile/module_environ.rs` (`finalize_memory_init`), and `compile/address_map.rs`.

use std::ops::Range;

use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime_environ::{
    AddressMapSection, CompiledModuleInfo, FilePos, InstructionAddressMap, MemoryInitialization,
    Module, iterate_address_map,
};

use crate::image::metadata::{self, Metadata, ModuleArtifacts};
use crate::image::trim::{Table, convert, moved};
use crate::wasm::data_apart::only_data;
use crate::wasm::finish::bare_program;
use crate::wasm::modules::core_modules;
use crate::{DebugSections, Image, NativeImage, ValidComponent};

const DATA: &str = ".rodata.wasm";
const ADDRESS_MAP: &str = ".wasmtime.addrmap";

impl NativeImage {
    /// Puts the data of `program` into an image of the same program without its data. The image
    /// was stripped, and not trimmed. `engine` has the settings that compiled it. `None` if the
    /// data does not fit the code. Then the image is not useful.
    pub(crate) fn put_data(
        &mut self,
        debug: &mut DebugSections,
        program: &ValidComponent,
        engine: &Engine,
    ) -> Option<()> {
        let moves = Moves::between(&bare_program(program)?, program)?;
        let mut image = Image::parse(&self.bytes).ok()?;
        let mut metadata =
            Metadata::read(image.section(metadata::SECTION)?, program.kind()).ok()?;
        let (table, modules) = metadata.parts();
        let mut functions: Table = convert(table).ok()?;
        let map = debug.address_map()?;
        *map = moves.applied_to_map(map, &functions)?;
        for (number, by) in moves.0.iter().enumerate() {
            functions.move_sources(u32::try_from(number).ok()?, *by);
        }
        *table = convert(&functions).ok()?;
        let mut data = Joined {
            old: image.section(DATA)?,
            align: usize::try_from(image.section_align(DATA)?).ok()?,
            new: Vec::new(),
        };
        let programs = core_modules(program);
        if modules.len() < programs.len() {
            return None;
        }
        for (number, info) in modules.into_iter().enumerate() {
            let by = moves.0.get(number).copied().unwrap_or(0);
            let place = info.meta.code_section_offset;
            info.meta.code_section_offset = place.checked_add_signed(by)?;
            // The engine's adapters follow the program's modules. They have no data.
            let module = programs.get(number);
            match module.and_then(|module| only_data(module)) {
                Some(module) => data.put(&mut info.module, &Compiled::of(engine, &module)?)?,
                None => data.copy(&mut info.module)?,
            }
        }
        let new = data.new;
        image.replace(DATA, new).ok()?;
        image
            .replace(metadata::SECTION, metadata.write().ok()?)
            .ok()?;
        self.bytes = image.write().ok()?;
        Some(())
    }
}

/// A module that was compiled alone.
struct Compiled {
    info: CompiledModuleInfo,
    data: Vec<u8>,
}

impl Compiled {
    fn of(engine: &Engine, module: &[u8]) -> Option<Self> {
        let image = engine.precompile_module(module).ok()?;
        let image = Image::parse(&image).ok()?;
        let info = image.section(metadata::SECTION)?;
        let (info, ..) = metadata::decode::<ModuleArtifacts>(info).ok()?;
        let data = image.section(DATA)?.to_vec();
        Some(Self { info, data })
    }
}

/// The section of data, as the engine puts it together: one module after the other.
struct Joined<'a> {
    old: &'a [u8],
    /// The alignment of a memory's image, in bytes.
    align: usize,
    new: Vec<u8>,
}

impl Joined<'_> {
    /// Where the data of a module begins.
    fn begin(&mut self, module: &Module) -> Option<u32> {
        if let MemoryInitialization::Static { .. } = module.memory_initialization {
            let aligned = self.new.len().checked_next_multiple_of(self.align)?;
            self.new.resize(aligned, 0);
        }
        u32::try_from(self.new.len()).ok()
    }

    /// Puts the data of `compiled` in the place of that of `module`.
    fn put(&mut self, module: &mut Module, compiled: &Compiled) -> Option<()> {
        let new = &compiled.info.module;
        // The code knows where the image begins in the memory, and how many parts the data has.
        let same = image_start(module)? == image_start(new)?
            && module.runtime_data.len() == new.runtime_data.len();
        if !same {
            return None;
        }
        let begin = self.begin(new)?;
        self.new.extend_from_slice(&compiled.data);
        let ranges = module.runtime_data.iter_mut();
        for ((_, range), (_, new)) in ranges.zip(new.runtime_data.iter()) {
            *range = begin.checked_add(new.start)?..begin.checked_add(new.end)?;
        }
        module.memory_initialization = convert(&new.memory_initialization).ok()?;
        Some(())
    }

    /// Copies the data that `module` has already.
    fn copy(&mut self, module: &mut Module) -> Option<()> {
        let begin = self.begin(module)?;
        let starts = module.runtime_data.values().map(|range| range.start);
        let ends = module.runtime_data.values().map(|range| range.end);
        let (Some(start), Some(end)) = (starts.min(), ends.max()) else {
            return Some(());
        };
        let place: Range<usize> = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        self.new.extend_from_slice(self.old.get(place)?);
        for (_, range) in module.runtime_data.iter_mut() {
            let moved = |place: u32| place.checked_sub(start)?.checked_add(begin);
            *range = moved(range.start)?..moved(range.end)?;
        }
        Some(())
    }
}

/// Where the image of the only memory begins in that memory, in bytes.
fn image_start(module: &Module) -> Option<u64> {
    let MemoryInitialization::Static { map } = &module.memory_initialization else {
        return None;
    };
    let mut images = map.values().flatten();
    let (start, _) = images.next()?;
    images.next().is_none().then_some(*start)
}

/// How far the code of each core module moves in the WebAssembly, in bytes.
struct Moves(Vec<i64>);

impl Moves {
    fn between(bare: &ValidComponent, program: &ValidComponent) -> Option<Self> {
        let (from, to) = (code_starts(bare)?, code_starts(program)?);
        if from.len() != to.len() {
            return None;
        }
        let moves = from
            .into_iter()
            .zip(to)
            .map(|(from, to)| to.checked_sub(from));
        moves.collect::<Option<Vec<i64>>>().map(Self)
    }

    /// The address map with places in the program.
    fn applied_to_map(&self, map: &[u8], functions: &Table) -> Option<Vec<u8>> {
        if map.is_empty() || self.0.iter().all(|by| *by == 0) {
            return Some(map.to_vec());
        }
        let mut functions = functions.defined();
        functions.sort_unstable_by_key(|(_, _, start, _)| *start);
        let mut functions = functions.into_iter().peekable();
        let mut section = AddressMapSection::default();
        for (offset, place) in iterate_address_map(map)? {
            // Both lists are sorted by the offset in the code.
            let ends_before = |(_, _, start, size): &(u32, u32, u32, u32)| {
                start.checked_add(*size).is_some_and(|end| end <= offset)
            };
            while functions.next_if(ends_before).is_some() {}
            let here = functions.peek().filter(|(_, _, start, _)| *start <= offset);
            let by = here.and_then(|(module, ..)| self.0.get(usize::try_from(*module).ok()?));
            let place = match (place.file_offset(), by) {
                (Some(place), Some(by)) => FilePos::new(moved(place, *by)),
                _ => place,
            };
            let entry = InstructionAddressMap {
                srcloc: place,
                code_offset: 0,
            };
            // Each entry alone: among those of one function, the engine leaves some out.
            section.push(u64::from(offset)..u64::from(offset), &[entry]);
        }
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        section.append_to(&mut object);
        let object = object.write().ok()?;
        let map = Image::parse(&object).ok()?.section(ADDRESS_MAP)?.to_vec();
        Some(map)
    }
}

/// Where the code of each core module begins in a program, in bytes, in file order. 0 for a module
/// without code.
fn code_starts(program: &ValidComponent) -> Option<Vec<i64>> {
    let mut starts = Vec::new();
    for payload in Parser::new(0).parse_all(program.bytes()) {
        match payload.ok()? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => starts.push(0),
            Payload::CodeSectionStart { range, .. } => {
                *starts.last_mut()? = i64::try_from(range.start).ok()?;
            }
            _ => {}
        }
    }
    Some(starts)
}

#[cfg(test)]
mod tests;
