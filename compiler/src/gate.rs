//! What a user demands of a program: the world that it fits, the imports that it may have, and the
//! most that an instance may need.
//!
//! One run finds everything that breaks a demand. The process that reads inputs does the work,
//! because no other process should read the types of a program that is not trusted.

mod compare;
#[cfg(test)]
mod tests;
mod types;
mod version;
pub(crate) mod violation;

use std::fmt;

use edgec_targets::pattern_matches;
use serde::{Deserialize, Serialize};

use crate::gate::version::without_version;
use crate::gate::violation::{Functions, Violation, Violations};
use crate::input::wit::{WitError, World, WorldSource};
use crate::{Interface, Limits, ProgramKind, Resources, ValidComponent};

/// What a user demands of a program. By default, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The world that a component must fit.
    pub world: Option<WorldSource>,
    /// The imports that are allowed. `None` for all.
    pub imports: Option<Vec<ImportPattern>>,
    /// The most that one instance may need.
    pub limits: NeedLimits,
}

/// The most that one instance of a program may need, as a pool of instances limits it. The sizes
/// are those at the start: a host decides how far a memory grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedLimits {
    /// The number of core instances.
    pub core_instances: Option<u64>,
    /// The number of linear memories.
    pub memories: Option<u64>,
    /// The size of each linear memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The number of tables.
    pub tables: Option<u64>,
    /// The size of each table, in elements.
    pub table_elements: Option<u64>,
}

/// A pattern for imports, in which `*` stands for any number of characters. If it has no version,
/// it allows every version of an interface. The imports of core modules are `module::name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPattern(String);

impl ImportPattern {
    /// Every text is a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether it allows the import.
    pub fn allows(&self, import: &str) -> bool {
        let has_version = self.0.contains('@');
        let short = without_version(import).filter(|_| !has_version);
        pattern_matches(&self.0, import) || short.is_some_and(|it| pattern_matches(&self.0, it))
    }
}

impl fmt::Display for ImportPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Gate {
    /// Whether nothing is demanded.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Finds everything in a valid program that breaks a demand.
    ///
    /// # Errors
    ///
    /// [`WitError`] if the world cannot be used.
    pub fn violations(&self, program: &ValidComponent) -> Result<Violations, WitError> {
        self.check(program, &program.interface(), &program.resources())
    }

    /// The same, if interface and needs of the program are known.
    pub(crate) fn check(
        &self,
        program: &ValidComponent,
        interface: &Interface,
        needs: &Resources,
    ) -> Result<Violations, WitError> {
        let mut found = Violations::default();
        let world = self.world.as_ref().map(WorldSource::open).transpose()?;
        match program.kind() {
            ProgramKind::Component => self.check_component(program, world.as_ref(), &mut found)?,
            ProgramKind::Module => {
                if let Some(world) = world {
                    let world = world.name().to_owned();
                    found.add(Violation::WorldOfModule { world });
                }
                for import in &interface.imports {
                    self.check_import(import, Functions::default, &mut found);
                }
            }
        }
        self.limits.check(needs, &mut found);
        Ok(found)
    }

    fn check_component(
        &self,
        program: &ValidComponent,
        world: Option<&World>,
        found: &mut Violations,
    ) -> Result<(), WitError> {
        if world.is_none() && self.imports.is_none() {
            return Ok(());
        }
        let encoded = world.map(World::encoded).transpose()?;
        let components: Vec<&[u8]> = [Some(program.bytes()), encoded.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        // The program is valid, so only the world can be at fault.
        let unsupported = |message: String| WitError::Encode {
            world: world.map_or_else(String::new, |world| world.name().to_owned()),
            message,
        };
        let types = types::read(&components).map_err(|error| unsupported(error.to_string()))?;
        let types = types.as_ref();
        let missing = || unsupported("its type was not found".to_owned());
        let program = types::component(types, 0).ok_or_else(missing)?;
        if let Some(world) = world {
            let described = types::world(types, 1).ok_or_else(missing)?;
            compare::compare(world.name(), types, program, described, found);
        }
        for (import, item) in program.imports.iter() {
            let functions = || Functions::of(types::functions(types, item));
            self.check_import(import, functions, found);
        }
        Ok(())
    }

    fn check_import(
        &self,
        import: &str,
        functions: impl FnOnce() -> Functions,
        found: &mut Violations,
    ) {
        let Some(patterns) = &self.imports else {
            return;
        };
        if !patterns.iter().any(|pattern| pattern.allows(import)) {
            found.add(Violation::ImportNotAllowed {
                import: import.to_owned(),
                functions: functions(),
            });
        }
    }
}

impl NeedLimits {
    fn check(&self, needs: &Resources, found: &mut Violations) {
        if *self == Self::default() {
            return;
        }
        if !needs.complete {
            found.add(Violation::Uncounted);
        }
        let (memories, tables) = (needs.memories.len() as u64, needs.tables.len() as u64);
        if let Some((count, limit)) = beyond(needs.core_instances, self.core_instances) {
            found.add(Violation::CoreInstances {
                found: count,
                limit,
            });
        }
        if let Some((count, limit)) = beyond(memories, self.memories) {
            found.add(Violation::Memories {
                found: count,
                limit,
            });
        }
        for (number, size, limit) in larger(&needs.memories, self.memory_bytes) {
            found.add(Violation::MemorySize {
                number,
                found: size,
                limit,
            });
        }
        if let Some((count, limit)) = beyond(tables, self.tables) {
            found.add(Violation::Tables {
                found: count,
                limit,
            });
        }
        for (number, size, limit) in larger(&needs.tables, self.table_elements) {
            found.add(Violation::TableElements {
                number,
                found: size,
                limit,
            });
        }
    }
}

/// A number and its limit, if it is beyond the limit.
fn beyond(found: u64, limit: Option<u64>) -> Option<(u64, u64)> {
    let limit = limit.filter(|limit| found > *limit)?;
    Some((found, limit))
}

/// The memories or tables that are larger at the start than the limit, by number.
fn larger(all: &[Limits], limit: Option<u64>) -> impl Iterator<Item = (usize, u64, u64)> {
    let sizes = all.iter().map(|it| it.minimum).enumerate();
    sizes.filter_map(move |(number, size)| {
        let (size, limit) = beyond(size, limit)?;
        Some((number, size, limit))
    })
}
