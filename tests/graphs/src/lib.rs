//! Generates component graphs: core modules, shims, nested components and what joins them.
//!
//! They are for the comparison of a component before and after a change that must keep its
//! behaviour. Everything that a graph computes can be seen: in results, in calls of the host, or in
//! the digests that instances export.

mod body;
mod bulk;
mod call;
mod canon;
mod choices;
mod digest;
mod expressions;
mod features;
mod link;
mod module;
mod nested;
#[path = "../../src/differential/random.rs"]
pub mod random;
mod scope;
mod segments;
mod shim;
mod signatures;
mod visible;

pub use self::choices::Choices;

use self::scope::{Callable, Owner, Scope, Writer};
use self::signatures::Kind;
pub use self::signatures::{HOST, Sig};

/// A component, as text. It imports an instance `host` of functions.
pub fn graph(choices: &mut Choices) -> String {
    let mut writer = Writer::new(choices);
    let mut top = Scope {
        id: "$top".to_owned(),
        ..Scope::default()
    };
    host(&mut writer, &mut top);
    // The engine lets components call each other only if none is inside the other. So there are
    // components that have only others inside.
    if writer.features.nested && writer.choices.chance(70) {
        for _ in 0..writer.choices.pick(&[2, 3, 4]) {
            nested::nested(&mut writer, &mut top);
        }
        top.export(&mut writer);
    } else {
        let steps = writer.choices.pick(&[3, 4, 6, 9]);
        fill(&mut writer, &mut top, steps);
        finish(&mut writer, &mut top);
        top.export_resource(&mut writer);
    }
    // The engine cannot export a module that has types of its own.
    let module = top.modules.first();
    let module = module.filter(|module| nested::module_type(module).is_some());
    let module = module.map(|module| module.id.clone());
    if let Some(module) = module.filter(|_| writer.choices.chance(4)) {
        top.line(&format!("(export \"module\" (core module {module}))"));
    }
    format!("(component $top\n{})\n", top.text)
}

/// Imports the host, with some of its functions.
fn host(writer: &mut Writer<'_>, top: &mut Scope) {
    let mut text = "(import \"host\" (instance $host".to_owned();
    let mut functions = Vec::new();
    for kind in HOST {
        if kind != Kind::Log && !writer.choices.chance(50) {
            continue;
        }
        let (name, id) = (kind.name(), writer.id("h"));
        text += &format!("\n  (export \"{name}\" (func {}))", kind.ty());
        functions.push(Callable {
            id,
            kind,
            owner: Owner::Outside,
        });
    }
    top.line(&(text + "))"));
    for function in &functions {
        let (name, id) = (function.kind.name(), &function.id);
        top.line(&format!("(alias export $host \"{name}\" (func {id}))"));
    }
    top.functions = functions;
}

/// Adds modules, instances, shims and whatever else a component has.
fn fill(writer: &mut Writer<'_>, scope: &mut Scope, steps: usize) {
    let first = scope.functions.first().cloned();
    if let Some(first) = first {
        scope.lower(writer, &first);
    }
    if writer.choices.chance(70) {
        scope.new_shim(writer);
    }
    for _ in 0..steps {
        let unfilled = scope.shims.iter().position(|shim| !shim.filled);
        let resources = usize::from(writer.features.resources) * 3;
        let inside = usize::from(writer.features.nested && scope.depth < 2) * 3;
        let fixes = usize::from(unfilled.is_some()) * 3;
        match writer
            .choices
            .weighted(&[12, 4, 3, fixes, 2, resources, inside, 2])
        {
            0 => scope.new_instance(writer),
            1 => scope.lower_any(writer),
            2 => scope.instance_again(writer),
            3 => scope.fix(writer, unfilled.unwrap_or_default()),
            4 => scope.new_shim(writer),
            5 => scope.define_resource(writer),
            6 => nested::nested(writer, scope),
            _ => scope.lift_any(writer),
        }
    }
}

/// Fills what must be filled, and exports.
fn finish(writer: &mut Writer<'_>, scope: &mut Scope) {
    if scope.items.is_empty() {
        scope.new_instance(writer);
    }
    for place in 0..scope.shims.len() {
        // Sometimes a slot stays empty, or is filled a second time.
        let again = writer.choices.chance(4);
        if scope.shims[place].filled == again {
            scope.fix(writer, place);
        }
    }
    for _ in 0..writer.choices.pick(&[0, 1, 2]) {
        scope.new_instance(writer);
    }
    for _ in 0..writer.choices.pick(&[2, 4, 7]) {
        scope.lift_any(writer);
    }
    scope.lift_digests(writer);
    scope.export(writer);
}
