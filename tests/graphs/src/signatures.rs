//! The types of functions in generated components.
//!
//! A signature ([`Sig`]) is a core type together with what a caller must know to call it. The first
//! parameter of most functions of core modules bounds the depth of calls, so that every call ends.
//! A kind ([`Kind`]) is the type of a component function, with the signatures of its lowered and
//! lifted forms: Component Model, "Canonical ABI", `flatten_functype`.

/// A core function's type and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sig {
    /// A depth and a number.
    Plain,
    /// A depth and 64 bits.
    Wide,
    /// A depth and a floating-point number.
    Float,
    /// A depth.
    Void,
    /// Two results.
    Pair,
    /// More parameters than the canonical ABI passes flat.
    Many,
    /// As `Plain`, but its type is in a recursion group with another type.
    Grouped,
    /// The allocator of the canonical ABI.
    Realloc,
    /// A function that ends the use of a result, or a destructor.
    Post,
    /// A digest of an instance's memories, tables and globals.
    Digest,
    /// Takes a string or a list.
    Text,
    /// Takes and returns a string or a list, lowered: with a place for the result.
    Echo,
    /// Takes and returns a string or a list, to be lifted: returns the place of the result.
    Say,
    /// Takes 17 numbers from a place in memory.
    Spill,
    /// Returns two numbers, to be lifted: returns their place.
    Give,
    /// Returns two numbers, lowered: into a place.
    Into,
    /// Tells the host two numbers.
    Log,
    /// Asks the host about a number.
    Ask,
    /// Makes a handle of a representation.
    New,
    /// The representation of a handle.
    Rep,
    /// Drops a handle.
    Drop,
    /// Makes a resource, to be lifted: returns the handle.
    Make,
}

/// The signatures of ordinary functions: the first parameter is a depth.
pub const DEEP: [Sig; 7] = [
    Sig::Plain,
    Sig::Void,
    Sig::Wide,
    Sig::Float,
    Sig::Pair,
    Sig::Many,
    Sig::Grouped,
];

/// All signatures.
pub const ALL: [Sig; 22] = [
    Sig::Plain,
    Sig::Wide,
    Sig::Float,
    Sig::Void,
    Sig::Pair,
    Sig::Many,
    Sig::Grouped,
    Sig::Realloc,
    Sig::Post,
    Sig::Digest,
    Sig::Text,
    Sig::Echo,
    Sig::Say,
    Sig::Spill,
    Sig::Give,
    Sig::Into,
    Sig::Log,
    Sig::Ask,
    Sig::New,
    Sig::Rep,
    Sig::Drop,
    Sig::Make,
];

impl Sig {
    /// The name of its type in a module.
    pub fn type_name(self) -> String {
        format!("$T-{self:?}")
    }

    /// The definition of its type in a module.
    pub fn type_definition(self) -> String {
        let params: Vec<&str> = self.params().iter().map(|(_, ty)| *ty).collect();
        let function = format!(
            "(type {} (func (param {}) (result {})))",
            self.type_name(),
            params.join(" "),
            self.results().join(" ")
        );
        match self {
            Sig::Grouped => format!("(rec {function} (type (struct (field i32))))"),
            _ => function,
        }
    }

    /// Its parameters, with names that bodies use.
    pub fn params(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Sig::Plain | Sig::Pair | Sig::Grouped => &[("$d", "i32"), ("$x", "i32")],
            Sig::Wide => &[("$d", "i32"), ("$w", "i64")],
            Sig::Float => &[("$d", "i32"), ("$f", "f64"), ("$x", "i32")],
            Sig::Void => &[("$d", "i32")],
            Sig::Many => &MANY,
            Sig::Realloc => &[
                ("$old", "i32"),
                ("$was", "i32"),
                ("$align", "i32"),
                ("$size", "i32"),
            ],
            Sig::Post | Sig::Ask | Sig::New | Sig::Rep | Sig::Drop | Sig::Make => &[("$x", "i32")],
            Sig::Digest | Sig::Give => &[],
            Sig::Text | Sig::Say => &[("$p", "i32"), ("$n", "i32")],
            Sig::Echo => &[("$p", "i32"), ("$n", "i32"), ("$r", "i32")],
            Sig::Spill | Sig::Into => &[("$p", "i32")],
            Sig::Log => &[("$x", "i32"), ("$y", "i32")],
        }
    }

    /// The types of its results.
    pub fn results(self) -> &'static [&'static str] {
        match self {
            Sig::Plain
            | Sig::Many
            | Sig::Grouped
            | Sig::Realloc
            | Sig::Say
            | Sig::Spill
            | Sig::Give
            | Sig::Ask
            | Sig::New
            | Sig::Rep
            | Sig::Make => &["i32"],
            Sig::Wide | Sig::Digest => &["i64"],
            Sig::Float => &["f64"],
            Sig::Pair => &["i32", "i32"],
            Sig::Void | Sig::Post | Sig::Text | Sig::Echo | Sig::Into | Sig::Log | Sig::Drop => &[],
        }
    }

    /// Whether its first parameter is a depth.
    pub fn is_deep(self) -> bool {
        DEEP.contains(&self)
    }

    /// A function calls only functions of lower ranks, or at less depth, so that every call ends.
    pub fn rank(self) -> usize {
        match self {
            _ if self.is_deep() => 2,
            Sig::Text | Sig::Post | Sig::Spill => 1,
            Sig::Say | Sig::Give | Sig::Make => 3,
            _ => 0,
        }
    }

    /// Whether a core module can define it, and not only the canonical ABI.
    pub fn is_of_modules(self) -> bool {
        !matches!(
            self,
            Sig::Echo | Sig::Into | Sig::Log | Sig::Ask | Sig::New | Sig::Rep | Sig::Drop
        )
    }
}

/// A depth and 17 numbers.
const MANY: [(&str, &str); 18] = {
    let mut many = [("$d", "i32"); 18];
    many[1] = ("$x", "i32");
    let mut number = 2;
    while number < many.len() {
        // A parameter without a name.
        many[number] = ("", "i32");
        number += 1;
    }
    many
};

/// The type of a component function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Tells the host two numbers.
    Log,
    /// Asks the host about a number.
    Ask,
    /// A depth and a number.
    Plain,
    /// A depth and 64 bits.
    Wide,
    /// A depth and a floating-point number.
    Float,
    /// A depth.
    Void,
    /// Takes a string.
    Text,
    /// Takes a list.
    Bytes,
    /// Takes and returns a string.
    Echo,
    /// Takes and returns a list.
    Turn,
    /// Takes 17 numbers.
    Spill,
    /// Returns two numbers.
    Both,
    /// A digest of an instance.
    Digest,
}

/// What the host offers.
pub const HOST: [Kind; 12] = [
    Kind::Log,
    Kind::Ask,
    Kind::Text,
    Kind::Echo,
    Kind::Bytes,
    Kind::Turn,
    Kind::Spill,
    Kind::Both,
    Kind::Plain,
    Kind::Wide,
    Kind::Float,
    Kind::Void,
];

impl Kind {
    /// Its name, as an import of the host and in names of exports.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Its parameters and results, as text.
    pub fn ty(self) -> String {
        let plain = |param: &str, result: &str| match param {
            "" => format!("(param \"d\" u32) {result}"),
            param => format!("(param \"d\" u32) (param \"x\" {param}) {result}"),
        };
        match self {
            Kind::Log => "(param \"what\" u32) (param \"value\" u32)".to_owned(),
            Kind::Ask => "(param \"what\" u32) (result u32)".to_owned(),
            Kind::Plain => plain("u32", "(result u32)"),
            Kind::Wide => plain("u64", "(result u64)"),
            Kind::Float => plain("f64", "(param \"y\" u32) (result f64)"),
            Kind::Void => plain("", ""),
            Kind::Text => "(param \"s\" string)".to_owned(),
            Kind::Bytes => "(param \"s\" (list u8))".to_owned(),
            Kind::Echo => "(param \"s\" string) (result string)".to_owned(),
            Kind::Turn => "(param \"s\" (list u8)) (result (list u8))".to_owned(),
            Kind::Spill => {
                let params = (0..17).map(|number| format!("(param \"p{number}\" u32)"));
                params.collect::<Vec<_>>().join(" ") + " (result u32)"
            }
            Kind::Both => "(result (tuple u32 u32))".to_owned(),
            Kind::Digest => "(result u64)".to_owned(),
        }
    }

    /// The signature of its lowered form.
    pub fn lowered(self) -> Sig {
        match self {
            Kind::Log => Sig::Log,
            Kind::Ask => Sig::Ask,
            Kind::Plain => Sig::Plain,
            Kind::Wide => Sig::Wide,
            Kind::Float => Sig::Float,
            Kind::Void => Sig::Void,
            Kind::Text | Kind::Bytes => Sig::Text,
            Kind::Echo | Kind::Turn => Sig::Echo,
            Kind::Spill => Sig::Spill,
            Kind::Both => Sig::Into,
            Kind::Digest => Sig::Digest,
        }
    }

    /// The kinds that a core function of this signature can be lifted to.
    pub fn of_lifted(sig: Sig) -> &'static [Kind] {
        match sig {
            Sig::Plain => &[Kind::Plain],
            Sig::Wide => &[Kind::Wide],
            Sig::Float => &[Kind::Float],
            Sig::Void => &[Kind::Void],
            Sig::Text => &[Kind::Text, Kind::Bytes],
            Sig::Say => &[Kind::Echo, Kind::Turn],
            Sig::Spill => &[Kind::Spill],
            Sig::Give => &[Kind::Both],
            Sig::Digest => &[Kind::Digest],
            _ => &[],
        }
    }

    /// Whether its lowered form reads or writes a memory.
    pub fn lowers_with_memory(self) -> bool {
        self.has_string() || self.has_list() || matches!(self, Kind::Spill | Kind::Both)
    }

    /// Whether its lowered form allocates.
    pub fn lowers_with_realloc(self) -> bool {
        matches!(self, Kind::Echo | Kind::Turn)
    }

    /// Whether its lifted form reads or writes a memory.
    pub fn lifts_with_memory(self) -> bool {
        self.lowers_with_memory()
    }

    /// Whether its lifted form allocates.
    pub fn lifts_with_realloc(self) -> bool {
        self.has_string() || self.has_list() || self == Kind::Spill
    }

    /// Whether its lifted form can have a function that ends the use of its result.
    pub fn lifts_with_post(self) -> bool {
        matches!(
            self,
            Kind::Echo | Kind::Turn | Kind::Both | Kind::Plain | Kind::Spill
        )
    }

    /// Whether its strings have an encoding.
    pub fn has_string(self) -> bool {
        matches!(self, Kind::Text | Kind::Echo)
    }

    fn has_list(self) -> bool {
        matches!(self, Kind::Bytes | Kind::Turn)
    }
}
