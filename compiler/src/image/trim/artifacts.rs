//! The two kinds of metadata: those of components, and those of core modules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{CompiledFunctionsTable, CompiledModuleInfo, Module};

use super::{convert, core_types, names, types};
use crate::image::metadata::ModuleArtifacts;

/// Either kind of metadata.
pub(super) trait Artifacts: Serialize + for<'a> Deserialize<'a> {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>);

    /// Removes what only components have.
    fn trim_component(&mut self) -> Result<(), postcard::Error>;

    /// Cuts the core types after the last one that is looked up. `looked_up` has those that code
    /// looks up, by number.
    fn cut_types(&mut self, looked_up: BTreeSet<u32>) -> Result<(), postcard::Error>;

    /// Restores from `old` what [`Artifacts::cut_types`] removed. Returns `false` if something else
    /// is missing.
    fn restore_types(&mut self, old: &mut Self) -> Result<bool, postcard::Error>;

    /// Restores from `old` what [`Artifacts::trim_component`] removed. Returns `false` if something
    /// else is missing.
    fn restore_component(&mut self, old: &mut Self) -> Result<bool, postcard::Error>;
}

impl Artifacts for ComponentArtifacts {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>) {
        let modules = self.static_modules.iter_mut().map(|(_, module)| module);
        (&mut self.table, modules.collect())
    }

    fn trim_component(&mut self) -> Result<(), postcard::Error> {
        let exported = types::exported_modules(self);
        for (index, info) in &mut self.static_modules {
            if !exported.contains(&index) {
                names::drop_names(&mut info.module)?;
            }
        }
        types::trim(self)
    }

    fn cut_types(&mut self, mut looked_up: BTreeSet<u32>) -> Result<(), postcard::Error> {
        looked_up.append(&mut types::core_types(self)?);
        let modules = self.static_modules.values_mut();
        let mut modules: Vec<&mut Module> = modules.map(|info| &mut info.module).collect();
        let kept = core_types::cut(self.types.module_types(), looked_up, &mut modules)?;
        *self.types.module_types_mut() = kept;
        Ok(())
    }

    fn restore_types(&mut self, old: &mut Self) -> Result<bool, postcard::Error> {
        let old_modules = old.static_modules.values_mut();
        let old_modules: Vec<&mut Module> = old_modules.map(|info| &mut info.module).collect();
        let modules = self.static_modules.values_mut();
        let mut modules: Vec<&mut Module> = modules.map(|info| &mut info.module).collect();
        let same = core_types::restore(
            (old.types.module_types(), &old_modules),
            (self.types.module_types(), &mut modules),
        )?;
        *self.types.module_types_mut() = convert(old.types.module_types())?;
        Ok(same)
    }

    fn restore_component(&mut self, old: &mut Self) -> Result<bool, postcard::Error> {
        let exported = types::exported_modules(old);
        for ((index, new), (_, old)) in self.static_modules.iter_mut().zip(&mut old.static_modules)
        {
            if !exported.contains(&index) && !names::restore(&mut new.module, &mut old.module)? {
                return Ok(false);
            }
        }
        types::restore(self, old)
    }
}

impl Artifacts for ModuleArtifacts {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>) {
        (&mut self.1, vec![&mut self.0])
    }

    fn trim_component(&mut self) -> Result<(), postcard::Error> {
        Ok(())
    }

    fn cut_types(&mut self, looked_up: BTreeSet<u32>) -> Result<(), postcard::Error> {
        self.2 = core_types::cut(&self.2, looked_up, &mut [&mut self.0.module])?;
        Ok(())
    }

    fn restore_types(&mut self, old: &mut Self) -> Result<bool, postcard::Error> {
        let same = core_types::restore(
            (&old.2, &[&mut old.0.module]),
            (&self.2, &mut [&mut self.0.module]),
        )?;
        self.2 = convert(&old.2)?;
        Ok(same)
    }

    fn restore_component(&mut self, _: &mut Self) -> Result<bool, postcard::Error> {
        Ok(true)
    }
}
