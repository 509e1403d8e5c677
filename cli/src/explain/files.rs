//! Files, folders and streams.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Files",
    about: "Errors of files, folders and streams.",
    errors: &[
        Explanation {
            code: "io",
            what: "The system did not read or write a file.",
            remedy: "The message has the file and the system's reason: it does not exist, may not be \
                 read, or the disk is full.",
        },
        Explanation {
            code: "not-a-file",
            what: "The path leads to a folder, a pipe or a device.",
            remedy: "Name the files. Some verbs map a file into memory or need its length: write the \
                 content of a pipe to a file first.",
        },
        Explanation {
            code: "not-a-folder",
            what: "The path leads to a file, and a folder is needed.",
            remedy: "Name another place, or move the file away.",
        },
        Explanation {
            code: "too-long",
            what: "The file is longer than any file of this kind.",
            remedy: "It is probably another file. docs/limits.md has the limits.",
        },
        Explanation {
            code: "not-text",
            what: "The file is not text in UTF-8.",
            remedy: "Save it as UTF-8. A key in DER form becomes text with `openssl pkey -inform \
                 DER`.",
        },
        Explanation {
            code: "stdin",
            what: "Standard input was named twice, or is empty.",
            remedy: "`-` can be used only once. Name files for the others.",
        },
        Explanation {
            code: "output",
            what: "The output cannot be written to this place.",
            remedy: "edgec replaces only an empty file or a file of its own kind, and writes no \
                 artifact to standard output. Name another file or folder with `-o` \
                 (docs/environment.md).",
        },
        Explanation {
            code: "manual-page",
            what: "The file in the place of a manual page is another one.",
            remedy: "`edgec man` replaces only manual pages that it wrote. Name another folder.",
        },
        Explanation {
            code: "same-output",
            what: "Two inputs would become the same artifact.",
            remedy: "Build them into different folders, or give them different names.",
        },
        Explanation {
            code: "exists",
            what: "The file exists, and new keys and the policy of `policy init` replace no file.",
            remedy: "Choose another name, or move the old file away.",
        },
    ],
};
