//! Components inside generated components. They get functions, sometimes modules, and export
//! functions and modules.

use super::module::{Module, types};
use super::scope::{Callable, Owner, Scope, Writer};
use super::signatures::{Kind, Sig};
use super::visible::{Content, Extern};
use super::{fill, finish};

/// Adds a component with one or two instances.
pub fn nested(writer: &mut Writer<'_>, parent: &mut Scope) {
    if parent.depth > 1 || !writer.features.nested {
        return;
    }
    let mut child = Scope {
        id: writer.id("c"),
        depth: parent.depth + 1,
        ..Scope::default()
    };
    let mut arguments = Vec::new();
    for _ in 0..writer.choices.pick(&[1, 2, 3, 0]) {
        if parent.functions.is_empty() {
            break;
        }
        let functions = &parent.functions;
        let kind = functions[writer.choices.below(functions.len())].kind;
        let name = writer.id("g").replace('$', "");
        let id = writer.id("h");
        child.line(&format!("(import \"{name}\" (func {id} {}))", kind.ty()));
        child.functions.push(Callable {
            id,
            kind,
            owner: Owner::Outside,
        });
        arguments.push((name, kind));
    }
    let mut given = String::new();
    if !parent.modules.is_empty() && writer.choices.chance(35) {
        let module = parent.modules[writer.choices.below(parent.modules.len())].clone();
        given = take_module(writer, parent, &mut child, &module);
    }
    let steps = writer.choices.pick(&[2, 4, 6]);
    fill(writer, &mut child, steps);
    finish(writer, &mut child);
    let module = child.modules.first().cloned();
    // The engine cannot export a module that has types of its own.
    let module = module.filter(|module| module_type(module).is_some());
    let module = module.filter(|_| writer.choices.chance(8));
    if let Some(module) = &module {
        child.line(&format!("(export \"module\" (core module {}))", module.id));
    }
    let (id, text) = (&child.id, &child.text);
    parent.line(&format!("(component {id}\n{text})"));
    let mut last = instance(writer, parent, &child, &arguments, &given);
    if writer.choices.chance(25) {
        last = instance(writer, parent, &child, &arguments, &given);
    }
    if let Some(module) = module {
        let id = writer.id("m");
        parent.line(&format!(
            "(alias export {last} \"module\" (core module {id}))"
        ));
        parent.modules.push(Module { id, ..module });
    }
}

/// Adds an instance of the component, and aliases of its functions. Returns its identifier.
fn instance(
    writer: &mut Writer<'_>,
    parent: &mut Scope,
    child: &Scope,
    arguments: &[(String, Kind)],
    given: &str,
) -> String {
    let id = writer.id("n");
    let mut with = given.to_owned();
    for (name, kind) in arguments {
        let functions = parent.functions.iter();
        let functions: Vec<&Callable> = functions.filter(|one| one.kind == *kind).collect();
        let function = functions[writer.choices.below(functions.len())];
        with += &format!(" (with \"{name}\" (func {}))", function.id);
    }
    parent.line(&format!("(instance {id} (instantiate {}{with}))", child.id));
    for (name, kind) in &child.exports {
        let function = writer.id("e");
        parent.line(&format!("(alias export {id} \"{name}\" (func {function}))"));
        parent.functions.push(Callable {
            id: function,
            kind: *kind,
            owner: Owner::Inside,
        });
    }
    id
}

/// Gives a module of the parent to the child: by an alias, or as an import. Returns the argument of
/// the instantiation.
fn take_module(
    writer: &mut Writer<'_>,
    parent: &Scope,
    child: &mut Scope,
    module: &Module,
) -> String {
    let id = writer.id("m");
    let (outer, from) = (&parent.id, &module.id);
    let ty = module_type(module).filter(|_| writer.choices.chance(35));
    let given = match ty {
        Some(ty) => {
            child.line(&format!("(import \"module\" (core module {id} {ty}))"));
            format!(" (with \"module\" (core module {from}))")
        }
        None => {
            child.line(&format!("(alias outer {outer} {from} (core module {id}))"));
            String::new()
        }
    };
    child.modules.push(Module {
        id,
        ..module.clone()
    });
    given
}

/// The type of a module, as text. `None` if it has types of its own that this does not write.
pub fn module_type(module: &Module) -> Option<String> {
    let declared = |item: Extern| match item {
        Extern::Function(Sig::Grouped) | Extern::Tag => None,
        Extern::Global {
            content: Content::Nullable(_) | Content::Reference(_),
            ..
        } => None,
        _ => Some(item.declared("")),
    };
    let mut text = String::new();
    for import in &module.imports {
        let (namespace, name) = (&import.namespace, &import.name);
        let item = declared(import.item)?;
        text += &format!(" (import \"{namespace}\" \"{name}\" {item})");
    }
    for export in &module.exports {
        let item = declared(export.item)?;
        text += &format!(" (export \"{}\" {item})", export.name);
    }
    Some(types(&text).replace('\n', " ") + &text)
}
