//! Decides whether a core module becomes a component, and makes the component.
//!
//! A module that carries component types (`wit-bindgen` writes them) becomes the component that
//! they describe. A module that imports `wasi_snapshot_preview1` becomes a component with
//! Wasmtime's standard adapter if the rule of [`crate::preview1`] proves that it behaves the same.
//! All other modules stay core modules.

use std::error::Error;
use std::fmt;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::preview1::{self, Judgement, Obstacle, Proof};
use crate::validate::ValidateError;
use crate::{Input, Interface, Kind, ValidComponent, validate};

/// The version of Wasmtime that the adapters come from.
pub const ADAPTER_VERSION: &str = "48.0.8";
/// The version of `wit-component`, which makes a component of a core module.
pub const ENCODER_VERSION: &str = "0.254.2";

/// What a core module should become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindChoice {
    /// A component if the module carries component types or provably behaves the same as a
    /// component; else a core module.
    Auto,
    /// A component.
    Component,
    /// A core module.
    Module,
}

impl KindChoice {
    /// Every choice.
    pub const ALL: [KindChoice; 3] = [KindChoice::Auto, KindChoice::Component, KindChoice::Module];

    /// The name on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            KindChoice::Auto => "auto",
            KindChoice::Component => "component",
            KindChoice::Module => "module",
        }
    }
}

/// A valid program and how it came to be one.
#[derive(Debug)]
pub struct Adapted {
    /// The program.
    pub component: ValidComponent,
    /// The adapter that went in, if the input was a core module that needed one.
    pub adapter: Option<Adapter>,
    /// What a core module became, and why; `None` for a component.
    pub choice: Option<Choice>,
}

/// What a core module became, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The kind that the user asked for.
    pub asked: KindChoice,
    /// What decided.
    pub why: Why,
    /// How the component that the user asked for differs from the core module.
    pub lacks: Option<Obstacle>,
}

/// What decided whether a core module became a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The user asked for it.
    Asked,
    /// The module carries component types: it is meant to become that component.
    ComponentTypes,
    /// The module behaves the same as a component.
    Proof(Proof),
    /// The module might not behave the same as a component.
    Obstacle(Obstacle),
    /// The module imports nothing of WASI preview 1.
    NoPreview1,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Asked => f.write_str("as asked for"),
            Why::ComponentTypes => f.write_str("it carries component types"),
            Why::Proof(proof) => proof.fmt(f),
            Why::Obstacle(obstacle) => obstacle.fmt(f),
            Why::NoPreview1 => f.write_str("it imports nothing of WASI preview 1"),
        }
    }
}

/// What turned a core module into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// `wasi_snapshot_preview1` for programs with `_start`.
    Command,
    /// `wasi_snapshot_preview1` for libraries.
    Reactor,
    /// No imports of preview 1: the module was only wrapped.
    None,
}

impl Adapter {
    /// The adapter's name in manifests and summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Adapter::Command => "wasi_snapshot_preview1.command",
            Adapter::Reactor => "wasi_snapshot_preview1.reactor",
            Adapter::None => "none",
        }
    }
}

/// Why an input cannot become what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// The input is not valid WebAssembly.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// A component was to become a core module.
    #[error("the input is a component and cannot become a core module")]
    ComponentToModule,
    /// The module would not behave the same as a component.
    #[error("the core module cannot become a component: {0}")]
    Obstacle(Obstacle),
    /// The component would export nothing, so no host could use it.
    #[error("the core module cannot become a component: it would export nothing")]
    NoExports,
    /// The encoder cannot make the component that the module's component types describe.
    #[error("the core module cannot become a component: {reason}")]
    Encode {
        /// The encoder's errors, the outermost first.
        reason: String,
    },
    /// The encoder made a component that is invalid or that the engine does not accept.
    #[error("the component that was made of the core module cannot be used: {reason}")]
    Made {
        /// What is wrong with it, without offsets: the user does not have this component as a file.
        reason: String,
    },
}

/// Validates an input and converts it to the kind that `asked` names.
///
/// # Errors
///
/// [`AdaptError`].
pub fn adapt(input: Input, asked: KindChoice) -> Result<Adapted, AdaptError> {
    let kind = input.kind();
    let program = validate(input.into_bytes())?;
    let stays = |program, choice| {
        Ok(Adapted {
            component: program,
            adapter: None,
            choice,
        })
    };
    let choice = |why| Choice {
        asked,
        why,
        lacks: None,
    };
    match (kind, asked) {
        (Kind::Component, KindChoice::Module) => return Err(AdaptError::ComponentToModule),
        (Kind::Component, _) => return stays(program, None),
        (Kind::Module, KindChoice::Module) => return stays(program, Some(choice(Why::Asked))),
        (Kind::Module, _) => {}
    }
    let interface = program.interface();
    if preview1::has_component_types(program.bytes()) {
        let adapter = adapter_for(&interface);
        let component = made(&program, adapter, Realloc::OfModule)?;
        return Ok(Adapted {
            component,
            adapter: Some(adapter),
            choice: Some(choice(Why::ComponentTypes)),
        });
    }
    if !preview1::imports_preview1(&interface) {
        return match (asked, preview1::other_import(program.bytes())) {
            (KindChoice::Auto, _) => stays(program, Some(choice(Why::NoPreview1))),
            (_, Some(import)) => Err(AdaptError::Obstacle(import)),
            (_, None) => Err(AdaptError::NoExports),
        };
    }
    let Judgement {
        component: proof,
        lacks,
    } = preview1::judge(program.bytes());
    let adapter = Adapter::Command;
    let component = |component, why, lacks| {
        Ok(Adapted {
            component,
            adapter: Some(adapter),
            choice: Some(Choice { asked, why, lacks }),
        })
    };
    match (asked, proof, lacks) {
        (KindChoice::Auto, Ok(proof), None) => match made(&program, adapter, Realloc::Grow) {
            Ok(made) => component(made, Why::Proof(proof), None),
            // The core module behaves right even if the encoder fails.
            Err(error) => {
                let reason = error.to_string();
                let why = Why::Obstacle(Obstacle::Encoder { reason });
                stays(program, Some(choice(why)))
            }
        },
        (KindChoice::Auto, Err(obstacle), _) | (KindChoice::Auto, Ok(_), Some(obstacle)) => {
            stays(program, Some(choice(Why::Obstacle(obstacle))))
        }
        (_, Err(obstacle), _) => Err(AdaptError::Obstacle(obstacle)),
        (_, Ok(_), lacks) => component(made(&program, adapter, Realloc::Grow)?, Why::Asked, lacks),
    }
}

fn adapter_for(interface: &Interface) -> Adapter {
    let imports_preview1 = preview1::imports_preview1(interface);
    match (imports_preview1, interface.exports.contains("_start")) {
        (false, _) => Adapter::None,
        (true, true) => Adapter::Command,
        (true, false) => Adapter::Reactor,
    }
}

/// Where an adapter gets its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Realloc {
    /// From the module's `cabi_realloc`, if it has one.
    OfModule,
    /// It grows the module's memory, whatever the module exports.
    Grow,
}

/// Makes the component, validates it, and checks that a host can call something in it.
fn made(
    module: &ValidComponent,
    adapter: Adapter,
    realloc: Realloc,
) -> Result<ValidComponent, AdaptError> {
    let bytes = encode(module, adapter, realloc).map_err(|error| AdaptError::Encode {
        reason: chain(&*error),
    })?;
    let component = validate(bytes).map_err(|error| AdaptError::Made {
        reason: match error {
            ValidateError::Invalid { message, .. }
            | ValidateError::Engine { message }
            | ValidateError::Fault { message, .. } => message,
        },
    })?;
    match component.interface().exports.is_empty() {
        true => Err(AdaptError::NoExports),
        false => Ok(component),
    }
}

/// An error and its causes, the outermost first, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}

fn encode(
    module: &ValidComponent,
    adapter: Adapter,
    realloc: Realloc,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut encoder = ComponentEncoder::default().module(module.bytes())?;
    let bytes = match adapter {
        Adapter::Command => Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        Adapter::Reactor => Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        Adapter::None => None,
    };
    if let Some(bytes) = bytes {
        encoder = encoder.adapter(PREVIEW1, bytes)?;
    }
    let encoder = encoder.realloc_via_memory_grow(realloc == Realloc::Grow);
    Ok(encoder.validate(false).encode()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(text: &str, choice: KindChoice) -> Result<Adapted, AdaptError> {
        adapt(crate::read(text.as_bytes()).unwrap(), choice)
    }

    const COMMAND: &str = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (memory (export "memory") 1) (func (export "_start")))"#;

    #[test]
    fn a_module_becomes_what_the_rule_says() {
        let command = adapted(COMMAND, KindChoice::Auto).unwrap();
        assert_eq!(command.adapter, Some(Adapter::Command));
        assert_eq!(command.component.kind(), Kind::Component);
        let exports = command.component.interface().exports;
        assert!(exports.iter().any(|name| name.starts_with("wasi:cli/run@")));
        let choice = command.choice.unwrap();
        assert_eq!(choice.why, Why::Proof(Proof::StaticMemory));

        let reactor = COMMAND.replace("_start", "_initialize");
        let reactor = adapted(&reactor, KindChoice::Auto).unwrap();
        assert_eq!(
            (reactor.adapter, reactor.component.kind()),
            (None, Kind::Module)
        );
        assert_eq!(
            reactor.choice.unwrap().why,
            Why::Obstacle(Obstacle::NoStart)
        );

        let plain = adapted("(module)", KindChoice::Auto).unwrap();
        assert_eq!(
            (plain.adapter, plain.component.kind()),
            (None, Kind::Module)
        );
        assert_eq!(plain.choice.unwrap().why, Why::NoPreview1);
    }

    #[test]
    fn the_choice_decides_where_both_fit() {
        let module = adapted(COMMAND, KindChoice::Module).unwrap();
        assert_eq!(module.component.kind(), Kind::Module);
        assert_eq!(module.choice.unwrap().why, Why::Asked);
        let component = adapted(COMMAND, KindChoice::Component).unwrap();
        assert_eq!(component.component.kind(), Kind::Component);
        let component = adapted("(component)", KindChoice::Auto).unwrap();
        assert_eq!(component.choice, None);
    }

    /// A component that the user asks for is made, and what it lacks is reported.
    #[test]
    fn a_component_that_is_asked_for_may_lack_exit_codes() {
        let exits = COMMAND
            .replace(
                "sched_yield\" (func (result i32))",
                "proc_exit\" (func (param i32))",
            )
            .replace(
                "(func (export \"_start\"))",
                "(func (export \"_start\") (call 0 (i32.const 10)))",
            );
        let auto = adapted(&exits, KindChoice::Auto).unwrap();
        assert_eq!(auto.component.kind(), Kind::Module);
        assert_eq!(auto.choice.unwrap().why, Why::Obstacle(Obstacle::ExitCode));
        let asked = adapted(&exits, KindChoice::Component).unwrap();
        assert_eq!(asked.component.kind(), Kind::Component);
        assert_eq!(asked.choice.unwrap().lacks, Some(Obstacle::ExitCode));
        // A component has exit codes 0 and 1, so those are not an obstacle.
        let exits = adapted(&exits.replace("10", "1"), KindChoice::Auto).unwrap();
        assert_eq!(exits.component.kind(), Kind::Component);
    }

    /// A module that carries the component types of a world, as `wit-bindgen` writes them.
    fn with_types(world: &str, module: &str) -> String {
        let types = format!(
            r#"(component
                (type (component
                    (type (component {world}))
                    (export "test:app/app" (component (type 0)))))
                (export "app" (type 0))
                (@custom "wit-component-encoding" "\04\00"))"#
        );
        let types = wat::parse_str(types).unwrap();
        let types: String = types.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(r#"(module {module} (@custom "component-type:app" "{types}"))"#)
    }

    const ANSWERS: &str = r#"(type (func (result u32))) (export "answer" (func (type 0)))"#;

    #[test]
    fn a_module_with_component_types_becomes_what_they_say() {
        let plain = r#"(func (export "answer") (result i32) i32.const 42)"#;
        let reactor = format!(
            r#"(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1) (func (export "cabi_realloc")
                (param i32 i32 i32 i32) (result i32) i32.const 4096) {plain}"#
        );
        for (module, adapter) in [(plain, Adapter::None), (&reactor, Adapter::Reactor)] {
            let adapted = adapted(&with_types(ANSWERS, module), KindChoice::Auto).unwrap();
            assert_eq!(adapted.adapter, Some(adapter));
            assert_eq!(adapted.choice.unwrap().why, Why::ComponentTypes);
            let exports = adapted.component.interface().exports;
            assert_eq!(Vec::from_iter(exports), ["answer"]);
        }
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |text, choice| adapted(text, choice).unwrap_err();
        assert!(matches!(
            error("(module (func (result i32)))", KindChoice::Auto),
            AdaptError::Invalid(_)
        ));
        assert!(matches!(
            error("(component)", KindChoice::Module),
            AdaptError::ComponentToModule
        ));
        let foreign = r#"(module (import "env" "f" (func)))"#;
        assert!(matches!(
            error(foreign, KindChoice::Component),
            AdaptError::Obstacle(Obstacle::OtherImport { .. })
        ));
        assert!(matches!(
            error("(module)", KindChoice::Component),
            AdaptError::NoExports
        ));
        let nothing = with_types("", "");
        assert!(matches!(
            error(&nothing, KindChoice::Auto),
            AdaptError::NoExports
        ));
        // What the module lacks of its types is named, with what the encoder was about.
        let lacks = with_types(ANSWERS, "");
        let AdaptError::Encode { reason } = error(&lacks, KindChoice::Auto) else {
            panic!("it has no `answer`");
        };
        assert!(reason.contains("answer"), "{reason}");
    }
}
