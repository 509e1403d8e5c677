//! What a program breaks: one value for each import, export or number that a user's demands do not
//! allow.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The maximum number of violations in a list.
const MAX_LISTED: usize = 1000;

/// The maximum length of the texts in a list, in bytes (1 MiB). A program can give one long name to
/// each of its imports' functions, and a list repeats the names.
const MAX_TEXT: usize = 1 << 20;

/// The maximum number of functions of one import in a list.
const MAX_FUNCTIONS: usize = 8;

/// The maximum length of a name in a list of functions, in bytes.
const MAX_NAME: usize = 200;

/// A demand that a program breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The program is a core module, and a world describes a component.
    #[error("the program is a core module, and world `{world}` describes a component")]
    WorldOfModule {
        /// The world.
        world: String,
    },
    /// The world does not offer an import.
    #[error(
        "import `{import}`{functions} is not in world `{world}`{}",
        Instead(.other.as_deref())
    )]
    WorldImport {
        /// The world.
        world: String,
        /// The import.
        import: String,
        /// The functions that the program takes from it.
        functions: Functions,
        /// The same interface in the world, in a version that is not compatible.
        other: Option<String>,
    },
    /// The world offers an interface without a function or type that the program imports.
    #[error("import `{import}`: `{offered}` of world `{world}` has no `{item}`")]
    WorldImportItem {
        /// The world.
        world: String,
        /// The import.
        import: String,
        /// The interface in the world.
        offered: String,
        /// The function or type.
        item: String,
    },
    /// The world offers an import with another type.
    #[error(
        "import `{import}`{} has another type in world `{world}`, as `{offered}`: {reason} \
         (the program expects, the world is what was found)",
        Item(.item.as_deref())
    )]
    WorldImportType {
        /// The world.
        world: String,
        /// The import.
        import: String,
        /// The import in the world.
        offered: String,
        /// The function or type in the interface. `None` if the import is itself the difference.
        item: Option<String>,
        /// The difference, in wasmparser's words.
        reason: String,
    },
    /// The program lacks an export of the world.
    #[error("export `{export}` of world `{world}` is missing{}", Instead(.other.as_deref()))]
    WorldExport {
        /// The world.
        world: String,
        /// The export.
        export: String,
        /// The same interface in the program, in a version that is not compatible.
        other: Option<String>,
    },
    /// The program exports an interface without a function or type of it.
    #[error("export `{export}` of world `{world}`: the program's `{found}` has no `{item}`")]
    WorldExportItem {
        /// The world.
        world: String,
        /// The export in the world.
        export: String,
        /// The program's export.
        found: String,
        /// The function or type.
        item: String,
    },
    /// The program exports something with another type.
    #[error(
        "export `{export}`{} of world `{world}` has another type in the program, as `{found}`: \
         {reason} (the world expects, the program is what was found)",
        Item(.item.as_deref())
    )]
    WorldExportType {
        /// The world.
        world: String,
        /// The export in the world.
        export: String,
        /// The program's export.
        found: String,
        /// The function or type in the interface. `None` if the export is itself the difference.
        item: Option<String>,
        /// The difference, in wasmparser's words.
        reason: String,
    },
    /// No pattern allows an import.
    #[error("import `{import}`{functions} is not allowed")]
    ImportNotAllowed {
        /// The import.
        import: String,
        /// The functions that the program takes from it.
        functions: Functions,
    },
    /// There are more core instances than allowed.
    #[error("it makes {found} core instances, and {limit} is the limit")]
    CoreInstances {
        /// Their number.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// There are more memories than allowed.
    #[error("its instances have {found} memories, and {limit} is the limit")]
    Memories {
        /// Their number.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A memory is longer at the start than allowed.
    #[error("memory {number} has {found} bytes at the start, and {limit} is the limit")]
    MemorySize {
        /// The number of the memory, from 0, in the order in which memories are made.
        number: usize,
        /// Its length at the start, in bytes.
        found: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// There are more tables than allowed.
    #[error("its instances have {found} tables, and {limit} is the limit")]
    Tables {
        /// Their number.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A table is longer at the start than allowed.
    #[error("table {number} has {found} elements at the start, and {limit} is the limit")]
    TableElements {
        /// The number of the table, from 0, in the order in which tables are made.
        number: usize,
        /// Its length at the start, in elements.
        found: u64,
        /// The limit, in elements.
        limit: u64,
    },
    /// There are limits, and what the program needs cannot be counted.
    #[error(
        "its memories, tables and instances cannot be counted: it makes instances of core modules \
         or components that it imports, or too many"
    )]
    Uncounted,
}

impl Violation {
    /// A short name for the violation that does not change between releases.
    ///
    /// | code | reason |
    /// |---|---|
    /// | `world-module` | a core module has no world |
    /// | `world-import` | the world has no such import |
    /// | `world-import-item` | the world's interface has no such function or type |
    /// | `world-import-type` | the world has it with another type |
    /// | `world-export` | the program has no such export |
    /// | `world-export-item` | the program's interface has no such function or type |
    /// | `world-export-type` | the program has it with another type |
    /// | `import-not-allowed` | no pattern allows the import |
    /// | `limit-core-instances`, `limit-memories`, `limit-memory`, `limit-tables`, `limit-table` | the program needs more than a limit |
    /// | `limit-unknown` | the needs cannot be counted |
    pub fn code(&self) -> &'static str {
        match self {
            Self::WorldOfModule { .. } => "world-module",
            Self::WorldImport { .. } => "world-import",
            Self::WorldImportItem { .. } => "world-import-item",
            Self::WorldImportType { .. } => "world-import-type",
            Self::WorldExport { .. } => "world-export",
            Self::WorldExportItem { .. } => "world-export-item",
            Self::WorldExportType { .. } => "world-export-type",
            Self::ImportNotAllowed { .. } => "import-not-allowed",
            Self::CoreInstances { .. } => "limit-core-instances",
            Self::Memories { .. } => "limit-memories",
            Self::MemorySize { .. } => "limit-memory",
            Self::Tables { .. } => "limit-tables",
            Self::TableElements { .. } => "limit-table",
            Self::Uncounted => "limit-unknown",
        }
    }

    /// The import or export that breaks the demand. `None` for a number.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::WorldImport { import, .. }
            | Self::WorldImportItem { import, .. }
            | Self::WorldImportType { import, .. }
            | Self::ImportNotAllowed { import, .. } => Some(import),
            Self::WorldExport { export, .. }
            | Self::WorldExportItem { export, .. }
            | Self::WorldExportType { export, .. } => Some(export),
            _ => None,
        }
    }

    /// The functions, or the types, of this import or export that break the demand.
    pub fn items(&self) -> Vec<&str> {
        match self {
            Self::WorldImport { functions, .. } | Self::ImportNotAllowed { functions, .. } => {
                functions.names.iter().map(String::as_str).collect()
            }
            Self::WorldImportItem { item, .. } | Self::WorldExportItem { item, .. } => {
                vec![item.as_str()]
            }
            Self::WorldImportType { item, .. } | Self::WorldExportType { item, .. } => {
                item.iter().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The functions that a program takes from an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Functions {
    /// The first of them.
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Functions {
    /// Lists the first functions.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut functions = Self::default();
        for name in names {
            match functions.names.len() < MAX_FUNCTIONS && name.len() <= MAX_NAME {
                true => functions.names.push(name.to_owned()),
                false => functions.more += 1,
            }
        }
        functions
    }
}

impl fmt::Display for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        write!(f, " ({}", names.join(", "))?;
        match self.more {
            0 => f.write_str(")"),
            more => write!(f, ", and {more} more)"),
        }
    }
}

/// The function or type of an interface, if there is one.
struct Item<'a>(Option<&'a str>);

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(item) => write!(f, ": `{item}`"),
            None => Ok(()),
        }
    }
}

/// What is there instead, if there is something.
struct Instead<'a>(Option<&'a str>);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(other) => write!(f, "; there is `{other}`, which is not compatible"),
            None => Ok(()),
        }
    }
}

/// All demands that a program breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violations {
    /// The first of them.
    pub listed: Vec<Violation>,
    /// How many more there are. A list is bounded, because a program can break any number.
    pub more: usize,
    /// The length of the texts in the list, in bytes.
    #[serde(skip)]
    length: usize,
}

impl Violations {
    pub(super) fn add(&mut self, violation: Violation) {
        let length = violation.to_string().len();
        let total = self.length.saturating_add(length);
        if self.listed.len() >= MAX_LISTED || total > MAX_TEXT {
            self.more += 1;
            return;
        }
        self.length = total;
        self.listed.push(violation);
    }

    /// Whether the program breaks no demand.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.more == 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.listed.len().saturating_add(self.more)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            1 => f.write_str("the program breaks a demand"),
            count => write!(f, "the program breaks {count} demands"),
        }
    }
}

impl std::error::Error for Violations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded() {
        let mut violations = Violations::default();
        for number in 0..MAX_LISTED + 5 {
            let (found, limit) = (2, 1);
            violations.add(Violation::MemorySize {
                number,
                found,
                limit,
            });
        }
        assert_eq!((violations.listed.len(), violations.more), (MAX_LISTED, 5));

        let mut violations = Violations::default();
        let import = "x".repeat(MAX_TEXT / 2);
        for _ in 0..3 {
            violations.add(Violation::ImportNotAllowed {
                import: import.clone(),
                functions: Functions::default(),
            });
        }
        assert_eq!((violations.listed.len(), violations.more), (1, 2));
        assert_eq!(violations.to_string(), "the program breaks 3 demands");
    }

    #[test]
    fn the_first_functions_are_listed() {
        let names: Vec<String> = (0..10).map(|number| format!("f{number}")).collect();
        let functions = Functions::of(names.iter().map(String::as_str));
        assert_eq!((functions.names.len(), functions.more), (8, 2));
        assert!(functions.to_string().ends_with("`f7`, and 2 more)"));
        assert_eq!(Functions::default().to_string(), "");
    }
}
