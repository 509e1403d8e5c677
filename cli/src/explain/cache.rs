//! The build cache.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "The build cache",
    about: "Errors of the build cache (docs/cache.md). A build only warns, and goes on without it.",
    errors: &[
        Explanation {
            code: "cache-folder",
            what: "The folder of the build cache cannot be used.",
            remedy: "A user who can write to it can choose the native code that edgec signs. So only \
                     you and root may be able to change the folder, what is in it and what is above it. \
                     Name another folder with `--cache`, or build with `--no-cache`.",
        },
        Explanation {
            code: "cache-program",
            what: "The program `edgec` cannot be read, and its digest is a part of every key.",
            remedy: "Make its file readable for the user who builds, or build with `--no-cache`.",
        },
        Explanation {
            code: "cache-off",
            what: "The build cache is turned off, so there is nothing to look after.",
            remedy: "Name its folder: `edgec cache --cache DIR stats`, or the variable EDGEC_CACHE.",
        },
    ],
};
