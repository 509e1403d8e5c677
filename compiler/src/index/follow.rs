//! The follower of index spaces: it reads a component, and knows what each index means.
//!
//! With [`Meaning`], a pass says what it wants to know about an entry when the entry is made. The
//! follower counts the entries and looks up indices. For an alias or an export of another entry, it
//! passes on what is known about that entry. So passes need not know which sections add to which
//! index space.
//!
//! Source: component model, `Explainer.md`, "Index Spaces", "Alias Definitions" and "Import and
//! Export Definitions".

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExport, ComponentImport, ComponentInstance,
    Encoding, Instance, Parser, Payload, Result,
};

use crate::index::spaces::{Sort, Spaces};

/// What a pass knows about entries. By default, the methods know nothing.
pub(crate) trait Meaning<'a> {
    /// What is known about an entry. The default value means nothing.
    type Known: Clone + Default;

    /// A core module or component begins.
    fn enter(&mut self, _: Encoding) {}

    /// A section of a core module or component, before the entries that it adds.
    fn section(&mut self, _: Encoding, _: &Payload<'a>) {}

    /// The module or component that began last ends.
    fn leave(&mut self, _: Encoding) -> Self::Known {
        Self::Known::default()
    }

    /// An import.
    fn import(&mut self, _: &Spaces<Self::Known>, _: &ComponentImport<'a>) -> Self::Known {
        Self::Known::default()
    }

    /// An export, which is a new entry of its index space.
    fn export(
        &mut self,
        spaces: &Spaces<Self::Known>,
        export: &ComponentExport<'a>,
    ) -> Self::Known {
        spaces.item(export.kind, export.index)
    }

    /// An alias of an export of an instance.
    fn alias(&mut self, _instance: &Self::Known, _name: &'a str) -> Self::Known {
        Self::Known::default()
    }

    /// An alias of an export of a core instance.
    fn core_alias(&mut self, _instance: &Self::Known, _name: &'a str) -> Self::Known {
        Self::Known::default()
    }

    /// An alias of an entry of an outer component.
    fn outer(&mut self, _: Sort, known: Self::Known) -> Self::Known {
        known
    }

    /// An instance of a component, or an instance made from existing entries.
    fn instance(&mut self, _: &Spaces<Self::Known>, _: &ComponentInstance<'a>) -> Self::Known {
        Self::Known::default()
    }

    /// A core instance of a core module, or one made from existing entries.
    fn core_instance(&mut self, _: &Spaces<Self::Known>, _: &Instance<'a>) -> Self::Known {
        Self::Known::default()
    }

    /// A function that is lifted, lowered, or built into the component model.
    fn canonical(&mut self, _: &Spaces<Self::Known>, _: &CanonicalFunction) -> Self::Known {
        Self::Known::default()
    }
}

/// Reads a binary from start to end, and follows its indices.
///
/// # Errors
///
/// The binary cannot be read.
pub(crate) fn follow<'a, M: Meaning<'a>>(wasm: &'a [u8], meaning: &mut M) -> Result<()> {
    let mut spaces: Spaces<M::Known> = Spaces::default();
    let mut open = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match (&payload, open.last().copied()) {
            (Payload::Version { encoding, .. }, _) => {
                open.push(*encoding);
                if *encoding == Encoding::Component {
                    spaces.begin();
                }
                meaning.enter(*encoding);
            }
            (Payload::End(_), Some(encoding)) => {
                open.pop();
                let known = meaning.leave(encoding);
                if encoding == Encoding::Component {
                    spaces.end();
                }
                spaces.add(Sort::of_definition(encoding), known);
            }
            (payload, Some(encoding)) => {
                meaning.section(encoding, payload);
                if encoding == Encoding::Component {
                    spaces.read(payload, meaning)?;
                }
            }
            (_, None) => {}
        }
    }
    Ok(())
}

impl<K: Clone + Default> Spaces<K> {
    /// Adds the entries of a component's section. For a core module or component in it, the caller
    /// adds the entry when it ends.
    ///
    /// # Errors
    ///
    /// The section cannot be read.
    pub(crate) fn read<'a>(
        &mut self,
        payload: &Payload<'a>,
        meaning: &mut impl Meaning<'a, Known = K>,
    ) -> Result<()> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import?;
                    let known = meaning.import(self, &import);
                    self.add_item(import.ty.kind(), known);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    let known = meaning.export(self, &export);
                    self.add_item(export.kind, known);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?, meaning);
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let known = meaning.instance(self, &instance?);
                    self.add(Sort::Instance, known);
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    let known = meaning.core_instance(self, &instance?);
                    self.add(Sort::CoreInstance, known);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    let function = function?;
                    let known = meaning.canonical(self, &function);
                    self.add(Sort::of_canonical(&function), known);
                }
            }
            Payload::ComponentTypeSection(section) => {
                // Types may be nested. A pass that needs to know about types reads them itself
                // (`component_types.rs`). Each type takes at least one byte, whatever the count
                // says.
                let types = usize::try_from(section.count()).unwrap_or(usize::MAX);
                for _ in 0..types.min(section.range().len()) {
                    self.add(Sort::Type, K::default());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds the entry for an alias.
    pub(crate) fn alias<'a>(
        &mut self,
        alias: &ComponentAlias<'a>,
        meaning: &mut impl Meaning<'a, Known = K>,
    ) {
        match *alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = self.get(Sort::Instance, instance_index);
                let known = meaning.alias(&instance, name);
                self.add_item(kind, known);
            }
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = self.get(Sort::CoreInstance, instance_index);
                let known = meaning.core_alias(&instance, name);
                self.add(Sort::of_core(kind), known);
            }
            ComponentAlias::Outer { kind, count, index } => {
                if let Some(sort) = Sort::of_outer(kind) {
                    let known = self.outer(sort, count, index);
                    let known = meaning.outer(sort, known);
                    self.add(sort, known);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows the number of each core module, and the module of each core instance.
    #[derive(Default)]
    struct Modules {
        count: u32,
        /// The modules whose exports have an alias.
        aliased: Vec<Option<u32>>,
        /// The modules and components, in the order in which they end.
        seen: Vec<Encoding>,
    }

    impl<'a> Meaning<'a> for Modules {
        type Known = Option<u32>;

        fn leave(&mut self, encoding: Encoding) -> Option<u32> {
            self.seen.push(encoding);
            match encoding {
                Encoding::Module => {
                    self.count += 1;
                    Some(self.count - 1)
                }
                Encoding::Component => None,
            }
        }

        fn core_instance(
            &mut self,
            spaces: &Spaces<Option<u32>>,
            instance: &Instance<'a>,
        ) -> Option<u32> {
            match instance {
                Instance::Instantiate { module_index, .. } => {
                    spaces.get(Sort::Module, *module_index)
                }
                Instance::FromExports(_) => None,
            }
        }

        fn core_alias(&mut self, instance: &Option<u32>, _: &'a str) -> Option<u32> {
            self.aliased.push(*instance);
            *instance
        }
    }

    #[test]
    fn indices_are_followed_through_all_ways_to_an_entry() {
        let module = r#"(core module (func (export "f")))"#;
        let wasm = wat::parse_str(format!(
            r#"(component (import "m" (core module)) {module} (type u8) {module}
            (export "n" (core module 2)) (alias outer 0 1 (core module))
            (component (alias outer 1 3 (core module)) (core instance (instantiate 0)))
            (core instance (instantiate 0)) (core instance (instantiate 1))
            (core instance (instantiate 3)) (core instance (instantiate 4))
            (core instance (export "f" (func 3 "f")))
            (alias core export 0 "f" (core func)) (alias core export 1 "f" (core func))
            (alias core export 2 "f" (core func)))"#
        ));
        let wasm = wasm.unwrap();
        let mut modules = Modules::default();
        follow(&wasm, &mut modules).unwrap();
        let (module, component) = (Encoding::Module, Encoding::Component);
        assert_eq!(modules.seen, [module, module, component, component]);
        // Nothing is known about the import. The alias that the text format makes for an export
        // comes first.
        assert_eq!(modules.aliased, [Some(0), None, Some(0), Some(1)]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let wasm = wat::parse_str("(component (core module))").unwrap();
        let short = wasm.get(..wasm.len() - 1).unwrap();
        follow(short, &mut Modules::default()).unwrap_err();
    }
}
