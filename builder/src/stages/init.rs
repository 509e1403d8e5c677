//! `init`: calls an export before the program is optimized. Instances start from the resulting
//! state.

use std::time::Instant;

use edgec_artifact::Stage;
use edgec_compiler::{Ahead, Deadline, FrontEndError, ValidComponent, WIZER_VERSION};

use super::{StageKind, of_tool, setting};
use crate::error::{BuildError, UnknownSetting};
use crate::prepared::{Initialized, Prepared};
use crate::recipe::Recipe;

const NAME: &str = "init";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// Calls the export in one process, and checks the result in another.
pub(crate) fn run(
    recipe: &Recipe,
    function: &str,
    component: &ValidComponent,
    deadline: Deadline,
) -> Result<(Ahead, Initialized), BuildError> {
    let begin = Instant::now();
    let tools = &recipe.tools;
    let snapshot = tools.initializer.run(component, function, deadline)?;
    let ahead = tools
        .front_end
        .resume(component, &snapshot, recipe.middle(), deadline);
    let ahead = ahead.map_err(not_resumed)?;
    let done = Initialized {
        function: function.to_owned(),
        bytes: snapshot.length(),
        time: begin.elapsed().saturating_sub(ahead.planning),
    };
    Ok((ahead, done))
}

fn not_resumed(error: FrontEndError) -> BuildError {
    match error {
        FrontEndError::Snapshot(error) => BuildError::Snapshot(Box::new(error)),
        error => BuildError::NotResumed(Box::new(error)),
    }
}

fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let init = prepared.initialized.as_ref()?;
    let settings = [
        ("function", init.function.clone()),
        ("imports", "trap".to_owned()),
        ("nanCanonicalization", "true".to_owned()),
    ];
    Some(of_tool(NAME, "wasmtime-wizer", WIZER_VERSION, settings))
}

fn read(stage: &Stage, recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    recipe.init = Some(setting(stage, "function")?.to_owned());
    Ok(())
}
