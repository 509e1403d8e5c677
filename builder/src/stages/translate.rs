//! `translate`: exceptions from before the standard become standard ones. A `wasm-opt` that the
//! user named does it, before anything else looks at the program. The program alone decides whether
//! it is done.

use std::time::Instant;

use edgec_artifact::Stage;
use edgec_compiler::{Deadline, FrontEndError};

use super::optimize::ranges;
use super::{StageKind, follows, of_tool};
use crate::error::BuildError;
use crate::prepared::{Prepared, TranslatedExceptions};
use crate::recipe::Recipe;
use crate::tools::{LegacyExceptions, Tools};

const NAME: &str = "translate";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

/// A program without legacy exceptions.
pub(crate) struct Translation {
    /// The program, in the binary format.
    pub(crate) program: Vec<u8>,
    /// Whether the input was in the text format.
    pub(crate) from_text: bool,
    pub(crate) done: TranslatedExceptions,
}

/// Whether an input that was refused may become a program if its legacy exceptions are translated,
/// and the tools may do that.
pub(crate) fn may_help(error: &FrontEndError, tools: &Tools) -> bool {
    let translated = tools.legacy_exceptions == LegacyExceptions::Translated;
    translated && error.is_about_legacy_exceptions()
}

/// Translates the legacy exceptions of an input.
pub(crate) fn run(
    tools: &Tools,
    bytes: Vec<u8>,
    deadline: Deadline,
) -> Result<Translation, BuildError> {
    let begin = Instant::now();
    let found = tools.front_end.find_legacy_exceptions(&bytes, deadline);
    let legacy = match found {
        Ok(legacy) => legacy,
        Err(error) => {
            let error = Box::new(error);
            return Err(BuildError::Input { error, bytes });
        }
    };
    let translated = legacy.translate(&tools.optimizer, deadline)?;
    let program = tools.front_end.put_back(&bytes, &translated, deadline);
    let program = program.map_err(|error| BuildError::NotTranslated(Box::new(error)))?;
    Ok(Translation {
        program,
        from_text: translated.from_text,
        done: TranslatedExceptions {
            modules: translated.numbers(),
            time: begin.elapsed(),
        },
    })
}

fn write(recipe: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let translated = prepared.translated.as_ref()?;
    let settings = [
        ("exceptions", "legacy-to-standard".to_owned()),
        ("modules", ranges(&translated.modules)),
    ];
    let optimizer = &recipe.tools.optimizer;
    let (tool, version) = (optimizer.tool.name(), &optimizer.version);
    Some(of_tool(NAME, tool, version, settings))
}
