//! The names of a component's entries, for a component whose entries have other indices.
//!
//! Source: component model, `Binary.md`, "Name Section".

use wasm_encoder::{ComponentNameSection, NameMap};
use wasmparser::{ComponentName, CustomSectionReader, KnownCustom};

use crate::index::spaces::Sort;

/// Adds the names of one index space.
type Add = fn(&mut ComponentNameSection, &NameMap);

/// The names of a component's entries, with new indices. An entry for which `moved` returns `None`
/// loses its name. Values keep their indices. Core types lose their names, because they are not
/// followed. `None` if the section cannot be read, or if no name is left.
pub(crate) fn component_names(
    custom: &CustomSectionReader<'_>,
    moved: impl Fn(Sort, u32) -> Option<u32>,
) -> Option<ComponentNameSection> {
    let KnownCustom::ComponentName(section) = custom.as_known() else {
        return None;
    };
    let mut names = ComponentNameSection::new();
    for part in section {
        let (map, sort, add): (_, _, Add) = match part.ok()? {
            ComponentName::Component { name, .. } => {
                names.component(name);
                continue;
            }
            ComponentName::CoreFuncs(map) => {
                (map, Some(Sort::CoreFunc), ComponentNameSection::core_funcs)
            }
            ComponentName::CoreTables(map) => (
                map,
                Some(Sort::CoreTable),
                ComponentNameSection::core_tables,
            ),
            ComponentName::CoreMemories(map) => (
                map,
                Some(Sort::CoreMemory),
                ComponentNameSection::core_memories,
            ),
            ComponentName::CoreGlobals(map) => (
                map,
                Some(Sort::CoreGlobal),
                ComponentNameSection::core_globals,
            ),
            ComponentName::CoreTags(map) => {
                (map, Some(Sort::CoreTag), ComponentNameSection::core_tags)
            }
            ComponentName::CoreModules(map) => {
                (map, Some(Sort::Module), ComponentNameSection::core_modules)
            }
            ComponentName::CoreInstances(map) => (
                map,
                Some(Sort::CoreInstance),
                ComponentNameSection::core_instances,
            ),
            ComponentName::Types(map) => (map, Some(Sort::Type), ComponentNameSection::types),
            ComponentName::Instances(map) => {
                (map, Some(Sort::Instance), ComponentNameSection::instances)
            }
            ComponentName::Components(map) => {
                (map, Some(Sort::Component), ComponentNameSection::components)
            }
            ComponentName::Funcs(map) => (map, Some(Sort::Func), ComponentNameSection::funcs),
            ComponentName::Values(map) => (map, None, ComponentNameSection::values),
            ComponentName::CoreTypes(_) | ComponentName::Unknown { .. } => continue,
        };
        let mut left = NameMap::new();
        let mut has_any = false;
        for naming in map {
            let naming = naming.ok()?;
            let index = sort.map_or(Some(naming.index), |sort| moved(sort, naming.index));
            if let Some(index) = index {
                left.append(index, naming.name);
                has_any = true;
            }
        }
        if has_any {
            add(&mut names, &left);
        }
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::ComponentSection as _;
    use wasmparser::{Parser, Payload};

    use super::*;

    /// The names of a component, after `moved`, as the component-name section of another one.
    fn names(text: &str, moved: impl Fn(Sort, u32) -> Option<u32>) -> Option<Vec<u8>> {
        let wasm = wat::parse_str(text).unwrap();
        let custom = Parser::new(0).parse_all(&wasm).find_map(|payload| {
            let Payload::CustomSection(custom) = payload.unwrap() else {
                return None;
            };
            (custom.name() == "component-name").then_some(custom)
        });
        let names = component_names(&custom.unwrap(), moved)?;
        let mut bytes = wasm_encoder::Component::HEADER.to_vec();
        names.append_to_component(&mut bytes);
        Some(bytes)
    }

    const TEXT: &str = r#"(component $c (import "f" (func $f)) (import "g" (func $g))
        (type $t u8) (core module $m) (core instance $i (instantiate $m))
        (core func $l (canon lower (func $g))))"#;

    #[test]
    fn names_move_with_their_entries() {
        let same = names(TEXT, |_, index| Some(index)).unwrap();
        let moved = names(TEXT, |sort, index| match sort {
            Sort::Func => index.checked_sub(1),
            _ => Some(index),
        });
        let moved = moved.unwrap();
        let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
        for name in [b"\0\x01f", b"\x01\x01g", b"\0\x01m", b"\0\x01i", b"\0\x01l"] {
            assert!(has(&same, name), "{name:?}");
        }
        assert!(has(&same, b"\x01t") && has(&moved, b"\x01t"));
        assert!(has(&moved, b"\0\x01g") && !has(&moved, b"\x01f"));
    }

    #[test]
    fn a_component_without_names_left_has_no_section() {
        let text = TEXT.replace("component $c", "component");
        assert_eq!(names(&text, |_, _| None), None);
        assert!(names(TEXT, |_, _| None).is_some());
    }
}
