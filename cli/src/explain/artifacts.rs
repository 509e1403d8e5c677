//! Artifacts, images and debug files, before anyone asks who signed.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Artifacts",
    about: "Errors of artifacts, images and debug files, before anyone asks who signed.",
    errors: &[
        Explanation {
            code: "layout",
            what: "The file is not an artifact of edgec, or is damaged.",
            remedy: "The message says what the file is instead, if edgec recognises it. Build it \
                 again, or fetch it again from its publisher. docs/format.md has the layout.",
        },
        Explanation {
            code: "statement",
            what: "The signed payload is not a manifest that edgec reads.",
            remedy: "The artifact may come from another version of edgec, or from another tool. If \
                 the message names a limit, no build of edgec writes that: do not run it.",
        },
        Explanation {
            code: "image",
            what: "The native image in the artifact cannot be read.",
            remedy: "The compiler does not write such an image. Do not run it: build it again, or \
                 fetch it again.",
        },
        Explanation {
            code: "image-length",
            what: "The image is longer or shorter than the manifest states.",
            remedy: "Image and manifest do not belong together. Do not run it: fetch it again.",
        },
        Explanation {
            code: "image-digest",
            what: "The image is not the one that was signed.",
            remedy: "Some of its bytes were changed after the build. Do not run it: fetch it again, \
                 and find out who changed it.",
        },
        Explanation {
            code: "image-sha256",
            what: "The signed SHA-256 is not that of the image.",
            remedy: "The image is the one that was signed, by its fs-verity digest, and tools that \
                 know it by its SHA-256 would take the statement for one about another file. \
                 edgec writes no such statement. Do not run the artifact, and ask its signer. \
                 `edgec verify --fast` does not compute the SHA-256.",
        },
        Explanation {
            code: "contradiction",
            what: "The image contradicts its manifest.",
            remedy: "The signer signed a wrong description. Do not run it: ask the signer, and build \
                 it again.",
        },
        Explanation {
            code: "functions",
            what: "The artifact has more functions than can be compared.",
            remedy: "`edgec diff` compares at most this number of functions. `edgec inspect` shows \
                 the rest of both artifacts.",
        },
        Explanation {
            code: "new-imports",
            what: "The second artifact imports what the first does not.",
            remedy: "`edgec diff --fail-on-new-imports` found what the program can do now and could \
                 not do before. Read what calls the new imports before you sign the artifact, \
                 or leave the option out.",
        },
        Explanation {
            code: "exports",
            what: "The names of the exports cannot be read, or are not those that the manifest \
                 states.",
            remedy: "Image and manifest do not belong together. Do not run it: build it again, or \
                 fetch it again.",
        },
        Explanation {
            code: "debug-file",
            what: "The file is not a debug file of edgec.",
            remedy: "`edgec build --debug-file` writes one beside each artifact. Name that file.",
        },
        Explanation {
            code: "build-id",
            what: "The debug file belongs to another artifact.",
            remedy: "Use the debug file that was written beside this artifact, in the same build.",
        },
        Explanation {
            code: "names",
            what: "The names of the functions take more memory than allowed.",
            remedy: "The rest is printed without names. Ask for fewer addresses at once.",
        },
        Explanation {
            code: "address",
            what: "The text is not an address or an index of a function.",
            remedy: "Write addresses as in a backtrace: `0x1f` or `text+0x1f`, and functions as \
                 `func[7]`. `edgec symbolize --help` shows all forms.",
        },
        Explanation {
            code: "format",
            what: "The format does not fit the other arguments.",
            remedy: "A log is printed as text. Name addresses to get a JSON document, or leave \
                 `--format` out.",
        },
        Explanation {
            code: "audit",
            what: "The audit of the native code has findings.",
            remedy: "`edgec audit` lists them: instructions that do not belong into compiled code, or \
                 bytes that it cannot explain. Do not run it. docs/audit.md says what each class \
                 of findings means.",
        },
        Explanation {
            code: "not-audited",
            what: "The native code could not be audited.",
            remedy: "Nothing is known about the code. The message says why: an image of another \
                 engine needs the edgec of that engine.",
        },
    ],
};
