//! Which function of which core module each piece of an image's code is.
//!
//! A debug file knows all of them and their names. The engine's own table, in the image, has numbers only,
//! and in an image of the `edge` profile only the functions that a host can get at.
//!
//! Images are read here that nobody has vouched for: nothing of the engine is asked that expects its own.

use postcard::{from_bytes, to_allocvec};
use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{CompiledFunctionsTable, Module};

use crate::trim::{ModuleArtifacts, Table, TrimError};
use crate::{DebugInfo, Image, Kind};

const METADATA: &str = ".wasmtime.info";

/// The code of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCode {
    /// Number of the core module.
    pub module: u32,
    /// The function's index in it, imported functions counted.
    pub index: u32,
    /// The program's name for it, where that is known.
    pub name: Option<String>,
    /// Where it begins, in bytes from the start of the code.
    pub start: u64,
    /// Its length in bytes.
    pub size: u64,
}

impl Image<'_> {
    /// The functions that the engine's table in this image has, by their place.
    ///
    /// # Errors
    ///
    /// [`TrimError::Metadata`] when the table is not as the engine of this version writes it.
    pub fn functions(&self, kind: Kind) -> Result<Vec<FunctionCode>, TrimError> {
        let metadata = self.section(METADATA).unwrap_or_default();
        let mut functions = match kind {
            Kind::Component => {
                let artifacts: ComponentArtifacts = from_bytes(metadata)?;
                let modules = &artifacts.static_modules;
                rows(&artifacts.table, |number| {
                    let known = modules.iter().nth(number)?;
                    Some(&known.1.module)
                })?
            }
            Kind::Module => {
                let (info, table, _): ModuleArtifacts = from_bytes(metadata)?;
                rows(&table, |number| (number == 0).then_some(&info.module))?
            }
        };
        functions.sort_by_key(|function| function.start);
        Ok(functions)
    }

    /// Where the engine enters the code, in bytes from its start: functions of modules and all that the
    /// compiler puts between them and the host, as the engine's table in this image has them.
    ///
    /// # Errors
    ///
    /// [`TrimError::Metadata`] when the table is not as the engine of this version writes it.
    pub fn entries(&self, kind: Kind) -> Result<Vec<u32>, TrimError> {
        let metadata = self.section(METADATA).unwrap_or_default();
        let table = match kind {
            Kind::Component => {
                let artifacts: ComponentArtifacts = from_bytes(metadata)?;
                own(&artifacts.table)?
            }
            Kind::Module => {
                let (_, table, _): ModuleArtifacts = from_bytes(metadata)?;
                own(&table)?
            }
        };
        Ok(table.entries())
    }
}

/// The table, with fields that can be read.
fn own(table: &CompiledFunctionsTable) -> Result<Table, TrimError> {
    Ok(from_bytes(&to_allocvec(table)?)?)
}

fn rows<'m>(
    table: &CompiledFunctionsTable,
    module: impl Fn(usize) -> Option<&'m Module>,
) -> Result<Vec<FunctionCode>, TrimError> {
    let table = own(table)?;
    let mut functions = Vec::new();
    for (number, defined, start, size) in table.defined() {
        let at = usize::try_from(number).ok();
        let imported = at.and_then(&module).map_or(0, |m| m.num_imported_funcs);
        let imported = u32::try_from(imported).unwrap_or(u32::MAX);
        functions.push(FunctionCode {
            module: number,
            index: defined.saturating_add(imported),
            name: None,
            start: start.into(),
            size: size.into(),
        });
    }
    Ok(functions)
}

impl DebugInfo<'_> {
    /// Every function of the program, by its place.
    pub fn functions(&self) -> impl Iterator<Item = FunctionCode> {
        self.symbols.iter().filter_map(|symbol| {
            let (module, index, name) = crate::debug_info::parse_name(&symbol.name)?;
            Some(FunctionCode {
                module,
                index,
                name: name.map(str::to_owned),
                start: symbol.start,
                size: symbol.size,
            })
        })
    }
}
