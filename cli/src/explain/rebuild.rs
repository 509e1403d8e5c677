//! Rebuilds, of `verify --rebuild`.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Rebuilds",
    about: "Errors of `verify --rebuild`.",
    errors: &[
        Explanation {
            code: "rebuild",
            what: "The rebuilt artifact differs from the signed one.",
            remedy: "The message says what differs. Another edgec, another input or other settings \
                 give other bytes: docs/rebuild.md says what to compare. If all are the same, do \
                 not run the artifact until you know why it differs.",
        },
        Explanation {
            code: "rebuild-input",
            what: "The input is not the one that the artifact was built from.",
            remedy: "The manifest has the digest of the input. Name the file that was built, as it \
                 was before other tools changed it.",
        },
        Explanation {
            code: "rebuild-wit",
            what: "The core module got component types of a world, and the world is not at hand.",
            remedy: "The manifest has the world's name and the digest of the types, but not the types. \
                 Name the same WIT: `verify --rebuild FILE --wit DIR --wit-world WORLD`.",
        },
        Explanation {
            code: "rebuild-unknown",
            what: "This edgec does not know a target or a setting of the artifact.",
            remedy: "`edgec inspect` shows which edgec built it. Use that one to rebuild it.",
        },
    ],
};
