//! Stubs for imports that the host lacks (`stub-imports`).
//!
//! SDKs give programs whole worlds of imports, most of which a program never calls: Spin's Python
//! SDK imports databases, queues and language models. With stubs, such a program loads. A stub
//! traps with the name of its function when it is called.
//!
//! `Linker::define_unknown_imports_as_traps` would stub too much: for an import of
//! `wasi:http/types@0.2.0` it defines all functions anew, although the linker has them as
//! `wasi:http/types@0.2.12`, which a linker finds by the rules of semantic versions. So this
//! module knows the names that the linker has.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::types::{ComponentFunc, ComponentItem};
use edgec_loader::wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

/// Interfaces of the linker that compatible versions of imports find, each with one of its
/// functions. An exact name finds its interface without this list.
const DEFINED: &[(&str, &str)] = &[
    ("wasi:cli/environment@0.2.12", "get-environment"),
    ("wasi:cli/exit@0.2.12", "exit"),
    ("wasi:cli/stderr@0.2.12", "get-stderr"),
    ("wasi:cli/stdin@0.2.12", "get-stdin"),
    ("wasi:cli/stdout@0.2.12", "get-stdout"),
    ("wasi:cli/terminal-input@0.2.12", "terminal-input"),
    ("wasi:cli/terminal-output@0.2.12", "terminal-output"),
    ("wasi:cli/terminal-stderr@0.2.12", "get-terminal-stderr"),
    ("wasi:cli/terminal-stdin@0.2.12", "get-terminal-stdin"),
    ("wasi:cli/terminal-stdout@0.2.12", "get-terminal-stdout"),
    ("wasi:clocks/monotonic-clock@0.2.12", "now"),
    ("wasi:clocks/wall-clock@0.2.12", "now"),
    ("wasi:filesystem/preopens@0.2.12", "get-directories"),
    ("wasi:filesystem/types@0.2.12", "descriptor"),
    ("wasi:http/outgoing-handler@0.2.12", "handle"),
    ("wasi:http/types@0.2.12", "fields"),
    ("wasi:io/error@0.2.12", "error"),
    ("wasi:io/poll@0.2.12", "poll"),
    ("wasi:io/streams@0.2.12", "input-stream"),
    ("wasi:random/insecure-seed@0.2.12", "insecure-seed"),
    ("wasi:random/insecure@0.2.12", "get-insecure-random-u64"),
    ("wasi:random/random@0.2.12", "get-random-u64"),
    ("wasi:sockets/instance-network@0.2.12", "instance-network"),
    (super::lookup::INTERFACE_2, "resolve-addresses"),
    ("wasi:sockets/network@0.2.12", "network"),
    (super::sockets::CREATE_TCP, "create-tcp-socket"),
    (super::sockets::TCP, "tcp-socket"),
    (super::sockets::CREATE_UDP, "create-udp-socket"),
    (super::sockets::UDP, "udp-socket"),
    ("wasi:cli/environment@0.3.0", "get-environment"),
    ("wasi:cli/exit@0.3.0", "exit"),
    ("wasi:cli/stderr@0.3.0", "write-via-stream"),
    ("wasi:cli/stdin@0.3.0", "read-via-stream"),
    ("wasi:cli/stdout@0.3.0", "write-via-stream"),
    ("wasi:cli/terminal-input@0.3.0", "terminal-input"),
    ("wasi:cli/terminal-output@0.3.0", "terminal-output"),
    ("wasi:cli/terminal-stderr@0.3.0", "get-terminal-stderr"),
    ("wasi:cli/terminal-stdin@0.3.0", "get-terminal-stdin"),
    ("wasi:cli/terminal-stdout@0.3.0", "get-terminal-stdout"),
    ("wasi:clocks/monotonic-clock@0.3.0", "now"),
    ("wasi:clocks/system-clock@0.3.0", "now"),
    ("wasi:filesystem/preopens@0.3.0", "get-directories"),
    ("wasi:filesystem/types@0.3.0", "descriptor"),
    ("wasi:http/client@0.3.0", "send"),
    ("wasi:http/types@0.3.0", "fields"),
    ("wasi:random/insecure-seed@0.3.0", "get-insecure-seed"),
    ("wasi:random/insecure@0.3.0", "get-insecure-random-u64"),
    ("wasi:random/random@0.3.0", "get-random-u64"),
    (super::lookup::INTERFACE_3, "resolve-addresses"),
    (super::sockets::TYPES_3, "tcp-socket"),
    ("fermyon:spin/key-value@2.0.0", "store"),
    ("fermyon:spin/variables@2.0.0", "get"),
    ("spin:key-value/key-value@3.0.0", "store"),
    ("spin:variables/variables@3.0.0", "get"),
];

/// An import that no stub can stand for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StubError {
    /// The program imports code: a core module or a component.
    #[error("the program imports `{name}`, which is {kind}: no stub can stand for it")]
    Kind {
        /// The import's name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// The host lacks imports, and the application has no stubs.
    #[error(
        "this host lacks imports of the program: {}; write `stub-imports = true` if it calls none \
         of them, or remove them with `edgec build --prune-imports`",
        .interfaces.join(", ")
    )]
    Missing {
        /// The interfaces that it lacks, or of which it lacks functions.
        interfaces: Vec<String>,
    },
}

/// The resource that all resources of stubs are. There are no instances of it.
enum Stub {}

/// Defines what `component` imports and `linker` lacks: functions that trap with their name, and
/// resources of which there is none. Returns the names of the functions, as
/// `interface#function`, sorted.
///
/// # Errors
///
/// [`StubError`].
pub fn stub_missing_imports<T: 'static>(
    linker: &mut Linker<T>,
    component: &Component,
) -> Result<Vec<String>, StubError> {
    let engine = linker.engine().clone();
    let mut stubs = Stubs::default();
    for (name, import) in component.component_type().imports(&engine) {
        match import.ty {
            ComponentItem::ComponentInstance(interface) => {
                let Ok(mut instance) = linker.instance(defined(name)) else {
                    continue;
                };
                for (member, export) in interface.exports(&engine) {
                    let full = format!("{name}#{member}");
                    stubs.add(&mut instance, member, full, &export.ty)?;
                }
            }
            other => stubs.add(&mut linker.root(), name, name.to_owned(), &other)?,
        }
    }
    stubs.functions.sort();
    Ok(stubs.functions)
}

/// Says which imports of `component` the linker lacks: all of them, where the engine names only the
/// first.
///
/// # Errors
///
/// [`StubError::Missing`] if there are any.
pub fn check_imports<T: 'static>(
    linker: &Linker<T>,
    component: &Component,
) -> Result<(), StubError> {
    let missing = stub_missing_imports(&mut linker.clone(), component)?;
    let mut interfaces: Vec<String> = missing
        .iter()
        .map(|name| name.split('#').next().unwrap_or(name).to_owned())
        .collect();
    // They are sorted.
    interfaces.dedup();
    match interfaces.is_empty() {
        true => Ok(()),
        false => Err(StubError::Missing { interfaces }),
    }
}

/// What was defined for a program so far.
#[derive(Default)]
struct Stubs {
    /// The functions, as `interface#function`.
    functions: Vec<String>,
    /// The resources of the imports so far, also those that the linker has.
    resources: Vec<ResourceType>,
}

impl Stubs {
    /// Defines one item, if the instance lacks it: a linker refuses a second definition.
    fn add<T: 'static>(
        &mut self,
        instance: &mut LinkerInstance<'_, T>,
        name: &str,
        full: String,
        item: &ComponentItem,
    ) -> Result<(), StubError> {
        let kind = match item {
            ComponentItem::ComponentFunc(function) => {
                if function_stub(instance, name, &full, function).is_ok() {
                    self.functions.push(full);
                }
                return Ok(());
            }
            ComponentItem::Resource(resource) => {
                // The interface that owns a resource comes first. Those that use it, as
                // `wasi:io/streams` uses `error`, have it under its name without a definition.
                if !self.resources.contains(resource) {
                    self.resources.push(*resource);
                    let _ = instance.resource(name, ResourceType::host::<Stub>(), |_, _| Ok(()));
                }
                return Ok(());
            }
            ComponentItem::Type(_) => return Ok(()),
            ComponentItem::ComponentInstance(_) => "an instance within an instance",
            ComponentItem::CoreFunc(_) => "a core function",
            ComponentItem::Module(_) => "a core module",
            ComponentItem::Component(_) => "a component",
        };
        let name = full;
        Err(StubError::Kind { name, kind })
    }
}

fn function_stub<T: 'static>(
    instance: &mut LinkerInstance<'_, T>,
    name: &str,
    full: &str,
    function: &ComponentFunc,
) -> wasmtime::Result<()> {
    let full = full.to_owned();
    let trap = move || {
        wasmtime::format_err!("the program called `{full}`, which this host has only as a stub")
    };
    if function.async_() {
        instance.func_new_concurrent(name, move |_, _, _, _| {
            let error = trap();
            Box::pin(async move { Err(error) })
        })
    } else {
        instance.func_new(name, move |_, _, _, _| Err(trap()))
    }
}

/// The name under which the linker has an interface that an import of this name finds, or the
/// name itself.
fn defined(import: &str) -> &str {
    let Some(track) = track(import) else {
        return import;
    };
    let mut names = DEFINED.iter().map(|(name, _)| *name);
    names
        .find(|name| self::track(name) == Some(track))
        .unwrap_or(import)
}

/// The beginning of a name that compatible versions share: `wasi:http/types@0.2` for
/// `wasi:http/types@0.2.0`. A version before 0.1 or before a release has none.
fn track(name: &str) -> Option<&str> {
    let (interface, version) = name.split_once('@')?;
    let numbers = version.split('+').next()?;
    let mut parts = numbers.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some() || ![major, minor, patch].into_iter().all(number) {
        return None;
    }
    let length = match (major, minor) {
        ("0", "0") => return None,
        ("0", minor) => major.len() + 1 + minor.len(),
        (major, _) => major.len(),
    };
    name.get(..interface.len() + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::super::tests::linker;
    use super::*;

    /// The list names what the linker has: each of these names is taken.
    #[test]
    fn the_list_is_true() {
        let mut linker = linker();
        for (interface, member) in DEFINED {
            let mut instance = linker.instance(interface).unwrap();
            let error = instance.func_new(member, |_, _, _, _| Ok(()));
            assert!(error.is_err(), "the linker lacks {interface}#{member}");
        }
        let mut other = linker.instance("wasi:cli/environment@0.2.11").unwrap();
        other
            .func_new("get-environment", |_, _, _, _| Ok(()))
            .unwrap();
    }

    #[test]
    fn compatible_versions_find_the_linkers_interface() {
        for (import, found) in [
            ("wasi:http/types@0.2.0", "wasi:http/types@0.2.12"),
            ("wasi:http/types@0.2.99", "wasi:http/types@0.2.12"),
            ("wasi:http/types@0.3.1", "wasi:http/types@0.3.0"),
            ("wasi:io/poll@0.2.6+meta", "wasi:io/poll@0.2.12"),
        ] {
            assert_eq!(defined(import), found);
        }
        for import in [
            "wasi:http/types@0.3.0-rc-2026-03-15",
            "wasi:http/types@0.4.0",
            "wasi:http/types",
            "wasi:keyvalue/store@0.2.0-draft2",
            "fermyon:spin/llm@2.0.0",
            "a:b/c@1.2",
            "a:b/c@0.0.1",
            "name",
        ] {
            assert_eq!(defined(import), import);
        }
    }
}
