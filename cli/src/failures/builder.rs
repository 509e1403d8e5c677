//! Failures of builds and rebuilds.

use edgec_builder::{
    BuildError, RebuildError, RoomError, SelfAuditError, SelfCheckError, TableError, Unserved,
};
use edgec_compiler::{ReadError, WorkerError};

use super::compiler::{
    INIT_DEFECT, defect, front_end_failure, init_failure, optimize_failure, precompile_failure,
    refused_input_failure, stage_failure, translate_failure,
};
use super::machine::machine_failure;
use crate::bounds::excerpt;
use crate::failure::{Exit, Failure};
use crate::render::{self, count, size};

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        build_failure(&error)
    }
}

fn build_failure(error: &BuildError) -> Failure {
    match error {
        BuildError::Name(name) => Failure::usage(error.code(), render::safe(&name.to_string()))
            .with_safe_message()
            .hint("name the application with --name"),
        BuildError::Input { error, bytes } => refused_input_failure(error, bytes),
        BuildError::Room(error) => room_failure(error),
        BuildError::Init(error) => init_failure(error),
        BuildError::Snapshot(_) => Failure::rejected(error.code(), error).hint(INIT_DEFECT),
        BuildError::NotResumed(error) | BuildError::NotTranslated(error) => {
            front_end_failure(error)
        }
        BuildError::Translate(error) => translate_failure(error),
        BuildError::Optimize(error) => optimize_failure(error),
        BuildError::Assemble(error) => stage_failure(error),
        BuildError::NoSuchModule { number, modules } => {
            let modules = count(*modules, "core module");
            let message = format!("there is no core module {number}: the program has {modules}");
            Failure::usage(error.code(), message).hint("they are counted from 0")
        }
        BuildError::Precompile(error) => precompile_failure(error),
        BuildError::Debug(_) => defect(error.code(), error),
        BuildError::SelfCheck(error) => self_check_failure(error),
        BuildError::SelfAudit(error) => self_audit_failure(error),
        BuildError::Unserved(error) => unserved_failure(error),
        _ => Failure::rejected(error.code(), error),
    }
}

/// Why a manifest would be too long for any reader, and what to do about it.
pub(crate) fn room_failure(error: &RoomError) -> Failure {
    match error {
        RoomError::Imports {
            count: imports,
            length,
            limit,
            first,
            longest,
        } => {
            let some: Vec<String> = first.iter().map(|name| quoted(name)).collect();
            let message = format!(
                "its {} take {} in a manifest ({length} bytes), and {} is the limit ({limit}); the first are \
                 {}, the longest has {longest} bytes",
                count(*imports, "import"),
                size(*length),
                size(*limit),
                some.join(", "),
            );
            let failure = Failure::new(Exit::Rejected, error.code(), message);
            failure.with_safe_message().hint(
                "every import is signed by name, because policies check imports: link what is \
                 imported into the program, or give the imports shorter names",
            )
        }
        RoomError::Resources {
            memories,
            tables,
            instances,
            length,
            limit,
        } => {
            let message = format!(
                "the {memories} memories and {tables} tables of its {instances} core instances take {} in a \
                 manifest ({length} bytes), and {} is the limit ({limit})",
                size(*length),
                size(*limit),
            );
            Failure::new(Exit::Rejected, error.code(), message).hint(
                "a pool of instances is planned by every memory and table: instantiate fewer core modules, or share memories",
            )
        }
        _ => Failure::rejected(error.code(), error),
    }
}

/// A name in backticks, made safe, cut to 40 bytes.
fn quoted(name: &str) -> String {
    format!("`{}`", excerpt(name, 40))
}

/// Why a host would not accept a newly signed artifact.
pub(crate) fn self_check_failure(error: &SelfCheckError) -> Failure {
    Failure::rejected("self-check", error)
        .hint("edgec would not accept its own artifact, so nothing was written")
}

fn self_audit_failure(error: &SelfAuditError) -> Failure {
    let code = error.code();
    match error {
        SelfAuditError::Table(error) => table_failure(code, error),
        _ => Failure::rejected(code, error).hint(
            "a defect of edgec or of the engine, so nothing was written: please report it; \
             if the audit is wrong, --no-self-audit builds without it",
        ),
    }
}

/// Why the engine's table in an image could not be read. `code` is the failure's code.
pub(crate) fn table_failure(code: &'static str, error: &TableError) -> Failure {
    match error {
        TableError::Engine { found, .. } => Failure::rejected(code, error)
            .hint(format!("use an edgec with wasmtime {found}")),
        TableError::Read(ReadError::Worker(WorkerError::Machine(cause))) => {
            machine_failure(error, cause)
        }
        TableError::Read(ReadError::Unreadable { .. }) => Failure::rejected(code, error).hint(
            "the compiler does not write such a table of functions: do not run it",
        ),
        _ => Failure::rejected(code, error).hint(
            "the engine's table of functions could not be read within limits: nothing is known about it",
        ),
    }
}

/// A host of the fleet could load no artifact of this build.
pub(crate) fn unserved_failure(unserved: &Unserved) -> Failure {
    let unfit = &unserved.unfit;
    Failure::rejected(unfit.code(), unfit)
        .about_safe(format!("host `{}`", render::safe(&unserved.host)))
        .hint(
            "the fleet needs an artifact for each host: change the build's options, or take this host out of the fleet",
        )
}

/// Why the input of this name could not be rebuilt.
pub(crate) fn rebuild_failure(error: RebuildError, input: &str) -> Failure {
    match error {
        RebuildError::OtherInput { .. } => Failure::rejected(error.code(), &error)
            .about(input)
            .hint("name the file that was built, as it was before other tools changed it"),
        RebuildError::NoWit { .. } => Failure::rejected(error.code(), &error)
            .about(input)
            .hint("name the WIT that the build had: --wit FILE|DIR"),
        RebuildError::Build(error) => error.into(),
        error => Failure::rejected(error.code(), &error)
            .hint("`edgec inspect` shows which edgec built it: use that one"),
    }
}
