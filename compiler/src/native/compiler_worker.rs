//! The process that compiles.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use edgec_targets::Target;
use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use crate::image::strip;
use crate::native::kept_functions::{self, IMAGE};
use crate::native::precompile::{engine, image_of, precompile_with};
use crate::worker;
use crate::worker::threads;
use crate::worker::wire::{Place, Reader, Writer};
use crate::{
    DebugSections, EngineProfile, NativeImage, PrecompileError, ProgramKind, ValidComponent,
};

/// The head of an answer. The rest and the image follow.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) compatibility_hash: [u8; 32],
    pub(super) stripping: Duration,
    sections: strip::Head,
    image: Place,
}

impl Head {
    /// The length of the image at the end of an answer, in bytes. `None` if it is not there.
    pub(super) fn image_len(&self) -> Option<u64> {
        match self.image {
            Place::Follow(length) => Some(length),
            Place::Input => None,
        }
    }
}

pub(super) const SETTINGS: u8 = 1;
pub(super) const REFUSED: u8 = 2;
pub(super) const UNSTRIPPED: u8 = 3;

/// The tasks of the process: a program's image; the image of a program without its data, which is
/// not trimmed; and the image of a program, from the program and the answer to the second task.
pub(super) const IMAGE_OF: &str = "image";
pub(super) const CODE_OF: &str = "code";
pub(super) const WITH_DATA: &str = "data";

/// The head of an answer, the debug sections, and the length of the image after them.
pub(super) fn understand(answer: &[u8]) -> Option<(Head, DebugSections, usize)> {
    let (head, mut from) = Reader::new::<Head>(answer, &[])?;
    let sections = DebugSections::read(&head.sections, &mut from)?;
    let length = from.rest().len();
    match head.image {
        Place::Follow(image) if image == length as u64 => Some((head, sections, length)),
        _ => None,
    }
}

/// The parts of the answer for an image that was stripped, and the functions for the next
/// compilation.
pub(super) fn reply(
    image: NativeImage,
    debug_sections: &DebugSections,
    stripping: Duration,
    pack: Vec<u8>,
) -> Result<Vec<Vec<u8>>, String> {
    let mut out = Writer::new(&[]);
    let head = Head {
        compatibility_hash: image.compatibility_hash(),
        stripping,
        sections: debug_sections.write(&mut out),
        image: out.put(image.into_bytes()),
    };
    let message = out.message(&head).map_err(|error| error.to_string())?;
    Ok([kept_functions::in_answer(pack), message].concat())
}

/// The worker process: reads the arguments of [`crate::CompilerProcess`], and a program from
/// standard input, and answers on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn compiler_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [target, profile, kind, features, task, length] = worker::arguments(arguments)?;
    let target = edgec_targets::find(&target).map_err(|error| error.to_string())?;
    let profile = profile.parse().map_err(|_| worker::usage())?;
    let kind = ProgramKind::named(&kind).ok_or_else(worker::usage)?;
    let features = features.parse().ok().and_then(WasmFeatures::from_bits);
    let features = features.ok_or_else(worker::usage)?;
    threads::gather()?;
    let input = worker::input()?;
    // The process that started this one has validated the program. The engine validates it again.
    let program = |bytes| ValidComponent::from_parts(bytes, kind, features);
    if task == WITH_DATA {
        let (bytes, code) = kept_functions::split(input, &length)?;
        let answer = joined(&program(bytes), code, target, profile);
        return match answer {
            Some(answer) => worker::answer(IMAGE, &answer),
            None => worker::answer(UNSTRIPPED, &[b"the data does not fit the code"]),
        };
    }
    let (bytes, functions) = kept_functions::taken_apart(input, &length)?;
    let program = program(bytes);
    let compiled = precompile_with(&program, target, profile, functions.clone());
    let pack = functions.and_then(|functions| functions.write());
    let stripped = |mut image: NativeImage| {
        let begin = Instant::now();
        let debug_sections = image.strip().map_err(|error| error.to_string())?;
        if task == IMAGE_OF {
            image.trim(&program).map_err(|error| error.to_string())?;
        }
        let pack = pack.unwrap_or_default();
        reply(image, &debug_sections, begin.elapsed(), pack)
    };
    match compiled.map(stripped) {
        Ok(Ok(answer)) => worker::answer(IMAGE, &answer),
        Ok(Err(reason)) => worker::answer(UNSTRIPPED, &[reason.as_bytes()]),
        Err(PrecompileError::Settings { reason, .. }) => {
            worker::answer(SETTINGS, &[reason.as_bytes()])
        }
        Err(PrecompileError::Compile { reason, .. }) => {
            worker::answer(REFUSED, &[reason.as_bytes()])
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The parts of the answer for a program, made of an answer with the code of the same program
/// without its data.
fn joined(
    program: &ValidComponent,
    mut code: Vec<u8>,
    target: &'static Target,
    profile: EngineProfile,
) -> Option<Vec<Vec<u8>>> {
    let begin = Instant::now();
    let (head, mut debug_sections, length) = understand(code.get(1..)?)?;
    code.drain(..code.len().saturating_sub(length));
    let mut image = image_of(code, program, target, profile, head.compatibility_hash);
    let engine = engine(program, target, profile, None).ok()?;
    image.put_data(&mut debug_sections, program, &engine)?;
    image.trim(program).ok()?;
    let stripping = head.stripping.saturating_add(begin.elapsed());
    reply(image, &debug_sections, stripping, Vec::new()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile;

    /// Image and debug sections are the same as without a separate process.
    #[test]
    fn an_image_is_the_same_in_both_processes() {
        let text = r#"(module (func (export "f") (result i32) i32.const 7))"#;
        let program = crate::validate(wat::parse_str(text).unwrap()).unwrap();
        let target = edgec_targets::find("x86_64").unwrap();
        for profile in [EngineProfile::Default, EngineProfile::Edge] {
            let mut here = precompile(&program, target, profile).unwrap();
            let pack = b"functions".to_vec();
            let mut image = here.clone();
            let debug_sections = image.strip().unwrap();
            image.trim(&program).unwrap();
            let answer = reply(image, &debug_sections, Duration::ZERO, pack.clone());
            let answer = answer.unwrap().concat();
            let (answer, got) = kept_functions::without_pack([&[IMAGE][..], &answer].concat());
            assert_eq!(got, pack);
            let answer = answer.get(1..).unwrap();
            let (head, there, length) = understand(answer).unwrap();
            let sections = here.strip().unwrap();
            here.trim(&program).unwrap();
            assert_eq!(head.compatibility_hash, here.compatibility_hash());
            assert!(answer.ends_with(here.bytes()));
            assert_eq!(length, here.bytes().len());
            let written = |sections: &DebugSections| {
                let info = sections.debug_info(&crate::Names::default());
                info.unwrap().write()
            };
            assert_eq!(written(&there), written(&sections));
            // The answer is one byte shorter, or longer.
            assert!(understand(answer.get(..answer.len() - 1).unwrap()).is_none());
            assert!(understand(&[answer, b"x"].concat()).is_none());
        }
    }
}
