//! Makes components with three generations of `wit-component`.
//!
//! `edgec-encoders OUT WIT [PROGRAM.wasm]...`: the folder for the components, the folder with the
//! world `program`, and command programs of WASI preview 1. Each component is `NAME-GENERATION`.
//!
//! The generations write what joins core modules in different ways: 0.254 has a shim and fixups,
//! 0.256 can add accessors of a thread's base address, and 0.263 has one module for all that is
//! fixed up, a memory that the program imports, and on request slots in globals.

mod program;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};

use crate::program::{Base, Memory, program};

/// A generation whose encoder takes and returns itself.
macro_rules! generation {
    ($name:ident, $component:ident, $parser:ident) => {
        mod $name {
            use super::*;

            /// The program with its world.
            pub fn embedded(mut program: Vec<u8>, wit: &Path) -> Result<Vec<u8>> {
                let mut resolve = $parser::Resolve::default();
                let (package, _) = resolve.push_dir(wit)?;
                let world = resolve.select_world(&[package], Some("program"))?;
                let encoding = $component::StringEncoding::UTF8;
                $component::embed_component_metadata(&mut program, &resolve, world, encoding)?;
                Ok(program)
            }

            /// The component of a program.
            pub fn encoded(program: &[u8], adapter: Option<&[u8]>) -> Result<Vec<u8>> {
                let encoder = $component::ComponentEncoder::default();
                let mut encoder = encoder.validate(true).module(program)?;
                if let Some(adapter) = adapter {
                    encoder = encoder.adapter(PREVIEW1, adapter)?;
                }
                encoder.encode()
            }
        }
    };
}

generation!(generation_254, wit_component_254, wit_parser_254);
generation!(generation_256, wit_component_256, wit_parser_256);

mod generation_263 {
    use super::*;

    /// Where a shim has its slots.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Slots {
        /// In a table.
        Table,
        /// In globals with references.
        Globals,
    }

    /// The program with its world.
    pub fn embedded(mut program: Vec<u8>, wit: &Path) -> Result<Vec<u8>> {
        let mut resolve = wit_parser_263::Resolve::default();
        let (package, _) = resolve.push_dir(wit)?;
        let world = resolve.select_world(&[package], Some("program"))?;
        let encoding = wit_component_263::StringEncoding::UTF8;
        wit_component_263::embed_component_metadata(
            &mut program,
            &resolve,
            world,
            encoding,
            false,
        )?;
        Ok(program)
    }

    /// The component of a program.
    pub fn encoded(program: &[u8], adapter: Option<&[u8]>, slots: Slots) -> Result<Vec<u8>> {
        let mut encoder = wit_component_263::ComponentEncoder::default();
        encoder.validate(true);
        encoder.shim_return_call_ref(slots == Slots::Globals);
        encoder.module(program)?;
        if let Some(adapter) = adapter {
            encoder.adapter(PREVIEW1, adapter)?;
        }
        encoder.encode()
    }
}

use self::generation_263::Slots;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [out, wit, programs @ ..] = arguments.as_slice() else {
        bail!("usage: edgec-encoders OUT WIT [PROGRAM.wasm]...");
    };
    std::fs::create_dir_all(out)?;
    let write = |name: &str, component: Result<Vec<u8>>| {
        let component = component.with_context(|| name.to_owned())?;
        let path = out.join(format!("{name}.wasm"));
        std::fs::write(&path, component).with_context(|| path.display().to_string())
    };
    for path in programs {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let program = std::fs::read(path).with_context(|| path.display().to_string())?;
        let adapter = Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
        let on_263 = |slots| generation_263::encoded(&program, adapter, slots);
        write(
            &format!("{name}-254"),
            generation_254::encoded(&program, adapter),
        )?;
        write(
            &format!("{name}-256"),
            generation_256::encoded(&program, adapter),
        )?;
        write(&format!("{name}-263"), on_263(Slots::Table))?;
        write(&format!("{name}-263-globals"), on_263(Slots::Globals))?;
    }
    let text = |memory, base| wat::parse_str(program(memory, base)).context("the program");
    let plain = text(Memory::Own, Base::None)?;
    let with_base = text(Memory::Own, Base::Imported)?;
    let given = text(Memory::Imported, Base::Imported)?;
    write("program-254", {
        let program = generation_254::embedded(plain.clone(), wit)?;
        generation_254::encoded(&program, None)
    })?;
    for (name, program) in [("program", &plain), ("base", &with_base)] {
        let on_256 = generation_256::embedded(program.clone(), wit)?;
        write(
            &format!("{name}-256"),
            generation_256::encoded(&on_256, None),
        )?;
    }
    for (name, program) in [("program", plain), ("base", with_base), ("memory", given)] {
        let program = generation_263::embedded(program, wit)?;
        for (slots, end) in [(Slots::Table, ""), (Slots::Globals, "-globals")] {
            let component = generation_263::encoded(&program, None, slots);
            write(&format!("{name}-263{end}"), component)?;
        }
    }
    Ok(())
}
