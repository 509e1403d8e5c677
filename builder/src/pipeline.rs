//! Makes native images from the bytes of an input, for builds and rebuilds.
//!
//! The steps: validate, after legacy exceptions were translated if there are any, initialize on
//! request, optimize, order, then for each target precompile, strip, trim. All of them run in
//! processes with limits, and share one deadline for the program.

use std::time::{Duration, Instant};

use edgec_artifact::Bytes;
use edgec_compiler::{
    Ahead, Deadline, DebugInfo, DebugSections, Facts, Finished, FrontEndOutput, Gate, Level, Names,
};

use crate::error::BuildError;
use crate::prepared::{Initialized, Prepared};
use crate::progress::{Progress, Step};
use crate::recipe::Recipe;
use crate::room::check_room;
use crate::stages;

/// Does once what all targets share. Refuses a program that breaks a demand of the gate.
pub(crate) fn prepare(
    recipe: &Recipe,
    gate: &Gate,
    bytes: Vec<u8>,
    progress: &dyn Progress,
) -> Result<Prepared, BuildError> {
    let tools = &recipe.tools;
    let deadline = Deadline::after(tools.timeout);
    let begin = Instant::now();
    progress.step(Step::Validating);
    let described = Bytes::of(&bytes);
    let mut translated = None;
    let mut from_text = None;
    let program = match read(recipe, gate, bytes, deadline, progress) {
        Err(BuildError::Input { error, bytes }) if stages::translate::may_help(&error, tools) => {
            let translation = stages::translate::run(tools, bytes, deadline)?;
            translated = Some(translation.done);
            from_text = Some(translation.from_text);
            read(recipe, gate, translation.program, deadline, progress)?
        }
        program => program?,
    };
    let Read {
        facts,
        ahead,
        initialized,
        elsewhere,
    } = program;
    let translating = translated
        .as_ref()
        .map_or(Duration::ZERO, |translated| translated.time);
    let validating = begin.elapsed().saturating_sub(elsewhere + translating);

    let begin = Instant::now();
    if recipe.level != Level::O0 {
        progress.step(Step::Optimizing);
    }
    let finished = stages::optimize::run(recipe, ahead.next, deadline, progress)?;
    let optimizing: Duration = begin.elapsed() + ahead.planning;
    let Finished {
        optimized,
        bare,
        named,
        names,
        interface,
        resources,
        removing_names,
    } = finished;
    let with_names = named.as_ref().map_or(0, |named| named.bytes().len());
    let names_len = with_names.saturating_sub(optimized.component.bytes().len());
    Ok(Prepared {
        deadline,
        input: described,
        from_text: from_text.unwrap_or(facts.from_text),
        translated,
        kind: facts.kind,
        adapter: facts.adapter,
        choice: facts.choice,
        added: facts.added,
        before: facts.length,
        initialized,
        optimized,
        bare,
        named,
        names,
        names_len,
        interface,
        resources,
        validating,
        optimizing: optimizing.saturating_sub(removing_names),
        removing_names,
    })
}

/// A program that was read and adapted, and initialized on request.
struct Read {
    facts: Facts,
    ahead: Ahead,
    initialized: Option<Initialized>,
    /// How long everything beside reading, validating and adapting took.
    elsewhere: Duration,
}

/// Reads, validates and adapts an input, checks what is demanded of it, and initializes it on
/// request.
fn read(
    recipe: &Recipe,
    gate: &Gate,
    bytes: Vec<u8>,
    deadline: Deadline,
    progress: &dyn Progress,
) -> Result<Read, BuildError> {
    let front_end = &recipe.tools.front_end;
    let intake = recipe.intake(gate);
    let Some(function) = &recipe.init else {
        let steps = recipe.middle();
        let (facts, ahead) = front_end.prepare(bytes, intake, steps, deadline)?;
        check_room(&facts)?;
        let elsewhere = ahead.planning;
        return Ok(Read {
            facts,
            ahead,
            initialized: None,
            elsewhere,
        });
    };
    let output = front_end.adapt(bytes, intake, deadline);
    let FrontEndOutput { component, facts } = output?;
    check_room(&facts)?;
    let begin = Instant::now();
    progress.step(Step::Initializing(function));
    let (ahead, done) = stages::init::run(recipe, function, &component, deadline)?;
    Ok(Read {
        facts,
        ahead,
        initialized: Some(done),
        elsewhere: begin.elapsed(),
    })
}

/// The debug file of an image, under the digest that identifies the image.
pub(crate) fn debug_file(
    debug_sections: &DebugSections,
    names: &Names,
    image: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let mut debug = debug_info(debug_sections, names)?;
    let build_id = edgec_artifact::verity::digest(image).0;
    debug.place(image, build_id).map_err(BuildError::Debug)?;
    Ok(debug.write())
}

/// The debug information of an image.
pub(crate) fn debug_info(
    debug_sections: &DebugSections,
    names: &Names,
) -> Result<DebugInfo<'static>, BuildError> {
    debug_sections.debug_info(names).map_err(BuildError::Debug)
}
