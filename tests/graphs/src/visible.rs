//! What the functions of a generated module can name.

use super::signatures::Sig;

/// The number type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

impl Number {
    /// Its name in text.
    pub fn text(self) -> &'static str {
        match self {
            Number::I32 => "i32",
            Number::I64 => "i64",
        }
    }
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A number.
    Number(Number),
    /// A reference to a function, which may be null.
    Nullable(Sig),
    /// A reference to a function.
    Reference(Sig),
}

impl Content {
    /// Its type, as text.
    pub fn text(self) -> String {
        match self {
            Content::Number(number) => number.text().to_owned(),
            Content::Nullable(sig) => format!("(ref null {})", sig.type_name()),
            Content::Reference(sig) => format!("(ref {})", sig.type_name()),
        }
    }
}

/// The size of a table in entries, or of a memory in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At the start.
    pub min: u32,
    /// At most.
    pub max: Option<u32>,
}

impl Limits {
    /// Both, as text.
    pub fn text(self) -> String {
        match self.max {
            Some(max) => format!("{} {max}", self.min),
            None => self.min.to_string(),
        }
    }
}

/// The type of an item that modules import and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extern {
    /// A function.
    Function(Sig),
    /// A table of functions.
    Table(Limits),
    /// A memory, with 64-bit addresses if it is `wide`.
    Memory {
        /// Its size.
        limits: Limits,
        /// Whether its addresses have 64 bits.
        wide: bool,
    },
    /// A global.
    Global {
        /// Its type.
        content: Content,
        /// Whether it can change.
        mutable: bool,
    },
    /// An exception with a number.
    Tag,
}

impl Extern {
    /// The keyword of its sort.
    pub fn sort(self) -> &'static str {
        match self {
            Extern::Function(_) => "func",
            Extern::Table(_) => "table",
            Extern::Memory { .. } => "memory",
            Extern::Global { .. } => "global",
            Extern::Tag => "tag",
        }
    }

    /// A declaration of such an item, as an import has it.
    pub fn declared(self, id: &str) -> String {
        let sort = self.sort();
        match self {
            Extern::Function(sig) => format!("({sort} {id} (type {}))", sig.type_name()),
            Extern::Table(limits) => format!("({sort} {id} {} funcref)", limits.text()),
            Extern::Memory { limits, wide } => {
                let address = if wide { "i64 " } else { "" };
                format!("({sort} {id} {address}{})", limits.text())
            }
            Extern::Global { content, mutable } => {
                let content = content.text();
                match mutable {
                    true => format!("({sort} {id} (mut {content}))"),
                    false => format!("({sort} {id} {content})"),
                }
            }
            Extern::Tag => format!("({sort} {id} (param i32))"),
        }
    }
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its identifier.
    pub id: String,
    /// Its signature.
    pub sig: Sig,
    /// The shims, as bits, that must be filled before it can be called.
    pub waits: u32,
}

/// An entry of a table that this module fills with one of its functions.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The table.
    pub table: String,
    /// The entry.
    pub index: u32,
    /// The function.
    pub function: String,
    /// The function's signature, whose first parameter is a depth.
    pub sig: Sig,
}

/// A global.
#[derive(Clone, Debug)]
pub struct Global {
    /// Its identifier.
    pub id: String,
    /// Its type.
    pub content: Content,
    /// Whether it can change.
    pub mutable: bool,
}

/// Everything that functions of a module can name.
#[derive(Clone, Debug, Default)]
pub struct Visible {
    /// Functions, imported ones and others.
    pub functions: Vec<Function>,
    /// Memories, and whether their addresses have 64 bits.
    pub memories: Vec<(String, bool)>,
    /// Tables, and their sizes at the start.
    pub tables: Vec<(String, u32)>,
    /// Entries of tables.
    pub slots: Vec<Slot>,
    /// Globals.
    pub globals: Vec<Global>,
    /// Passive data segments, and their lengths.
    pub data: Vec<(String, u32)>,
    /// Passive element segments, and their lengths.
    pub elements: Vec<(String, u32)>,
    /// Exceptions.
    pub tags: Vec<String>,
}

impl Visible {
    /// Adds an item.
    pub fn add(&mut self, id: &str, item: Extern, waits: u32) {
        let id = id.to_owned();
        match item {
            Extern::Function(sig) => self.functions.push(Function { id, sig, waits }),
            Extern::Table(limits) => self.tables.push((id, limits.min)),
            Extern::Memory { wide, .. } => self.memories.push((id, wide)),
            Extern::Global { content, mutable } => self.globals.push(Global {
                id,
                content,
                mutable,
            }),
            Extern::Tag => self.tags.push(id),
        }
    }

    /// The shims, as bits, for which a function waits.
    pub fn waits(&self, id: &str) -> u32 {
        let function = self.functions.iter().find(|function| function.id == id);
        function.map_or(0, |function| function.waits)
    }

    /// The first memory that the canonical ABI can use.
    pub fn narrow_memory(&self) -> Option<&str> {
        let narrow = self.memories.iter().find(|(_, wide)| !wide);
        narrow.map(|(id, _)| id.as_str())
    }

    /// The globals with this content, as places in the list.
    pub fn globals_of(&self, content: Content, mutable: Option<bool>) -> Vec<usize> {
        let fits = |global: &Global| {
            global.content == content && mutable.is_none_or(|mutable| global.mutable == mutable)
        };
        let all = self.globals.iter().enumerate();
        all.filter(|(_, global)| fits(global))
            .map(|(place, _)| place)
            .collect()
    }
}
