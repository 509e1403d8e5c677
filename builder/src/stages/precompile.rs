//! `precompile`: compiles the program to native code, without what only debugging needs, once for
//! all targets that allow the same CPU features.

use edgec_artifact::Stage;
use edgec_compiler::ENGINE_VERSION;
use edgec_targets::Target;

use super::{StageKind, follows, of_tool};
use crate::error::BuildError;
use crate::prepared::{Compiled, Prepared};
use crate::progress::Progress;
use crate::recipe::{Recipe, different};

const NAME: &str = "precompile";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

/// The images of the application `name` for these targets: one image for all that allow the same
/// CPU features.
pub(crate) fn run(
    recipe: &Recipe,
    prepared: &Prepared,
    name: &str,
    targets: impl IntoIterator<Item = &'static Target>,
    progress: &dyn Progress,
) -> Result<Vec<Compiled>, BuildError> {
    let different = different(targets);
    let told = |targets: &[&'static Target]| progress.compiling(targets);
    let mut compiler = recipe.tools.compiler.clone();
    if let Some(scope) = &mut compiler.functions {
        // Other steps in front give other functions, which would take the place of these.
        let (level, flatten) = (recipe.level.name(), recipe.flatten);
        *scope = format!("{scope}\0{name}\0{level} {flatten:?}");
    }
    let images = compiler.precompile_all(
        &prepared.optimized.component,
        prepared.bare.as_ref(),
        &different,
        recipe.profile,
        prepared.deadline,
        told,
    )?;
    Ok(images.into_iter().map(Compiled::from).collect())
}

fn write(_: &Recipe, _: &Prepared) -> Option<Stage> {
    let settings = [("optLevel", "speed".to_owned())];
    Some(of_tool(NAME, "wasmtime", ENGINE_VERSION, settings))
}
