//! The envelope of every JSON document: docs/schema/edgec.schema.json describes it, and
//! `tests/it/schema.rs` compares.
//!
//! A document is one object. It begins with `schema`, `command` and `ok`. A verb for several files
//! has one entry of `results` for each; the fields of other verbs follow. If the whole verb failed,
//! there is only `error`.

use std::sync::OnceLock;

use serde::Serialize;

use crate::render::{self, Format, write_stdout};

/// The version of the envelope. It rises if a reader of the old form would misread the new one. A
/// new field does not raise it.
const SCHEMA: u32 = 1;

/// The verb of this process. It is global, because a failure before any verb is a document too.
static COMMAND: OnceLock<String> = OnceLock::new();

/// Names the verb for all documents of this process: `store add`. Empty if the command line names
/// none.
pub(crate) fn of_verb(verb: &str) {
    // Nothing sets it twice; if it were, the first name would stay.
    let _ = COMMAND.set(verb.to_owned());
}

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    schema: u32,
    command: &'a str,
    ok: bool,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Results<'a, T: Serialize> {
    results: &'a [T],
}

/// Prints the document of a verb. `ok` says whether the verb ends with exit code 0. `content` must
/// serialize as an object: a list has no place in an envelope, so it is for [`print_list`].
pub(crate) fn print(ok: bool, content: &impl Serialize) {
    render::json(&Envelope {
        schema: SCHEMA,
        command: COMMAND.get().map_or("", String::as_str),
        ok,
        content,
    });
}

/// Prints the document of a verb with one result for each file or name.
pub(crate) fn print_list<T: Serialize>(ok: bool, results: &[T]) {
    print(ok, &Results { results });
}

/// Prints a result: as one JSON document, or as this text. `ok` says whether the verb ends with
/// exit code 0. The result must be a struct: [`answer_list`] is for lists.
pub(crate) fn answer<T: serde::Serialize>(
    ok: bool,
    result: &T,
    format: Format,
    text: impl FnOnce(&T) -> String,
) {
    match format {
        Format::Text => write_stdout(text(result).as_bytes()),
        Format::Json | Format::Sarif => print(ok, result),
    }
}

/// Like [`answer`], for a list, which the document has as `results`.
pub(crate) fn answer_list<T: serde::Serialize>(
    ok: bool,
    results: &[T],
    format: Format,
    text: impl FnOnce(&[T]) -> String,
) {
    match format {
        Format::Text => write_stdout(text(results).as_bytes()),
        Format::Json | Format::Sarif => print_list(ok, results),
    }
}
