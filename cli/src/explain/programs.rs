//! Programs: what `build` and `validate` refuse.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Programs",
    about: "Errors of inputs and of programs: what `build` and `validate` refuse.",
    errors: &[
        Explanation {
            code: "not-wasm",
            what: "The file is not WebAssembly, or its text cannot be parsed.",
            remedy: "edgec reads components and core modules, binary (.wasm) or text (.wat). The \
                 message says what the file is instead, or shows the line and column where the \
                 text ends to make sense. If the file is empty or cut off, the build that should \
                 have written it failed: build or download it again.",
        },
        Explanation {
            code: "invalid",
            what: "The program is not valid WebAssembly.",
            remedy: "A check of the WebAssembly specification failed. The message has the offset in \
                 the file, and the function if the place is in code; for a text it has the line. \
                 If a toolchain made the program, report it there; if the text is yours, correct \
                 it. A message about an unexpected end means that the file was cut off.",
        },
        Explanation {
            code: "unsupported",
            what: "The program is valid, but beyond edgec, its engine or its limits.",
            remedy: "If the message names a feature, build the program without it: `edgec validate \
                 --help` lists what is supported. If it names a limit, split what is too large: \
                 docs/limits.md has the limits.",
        },
        Explanation {
            code: "legacy-exceptions",
            what: "The program has exceptions from before the standard, and they were not \
                   translated.",
            remedy: "`edgec build` translates them if `--wasm-opt` names a `wasm-opt` of Binaryen 118 or \
                 later; one that is only on the path translates nothing. Or let the toolchain make \
                 standard ones: Emscripten with `-sWASM_LEGACY_EXCEPTIONS=0`, clang with `-mllvm \
                 -wasm-use-legacy-eh=false`.",
        },
        Explanation {
            code: "engine-fault",
            what: "The program is valid, but the engine would generate wrong code for it.",
            remedy: "The message names the advisory, and `edgec advisories ID` says what goes wrong. \
                 Change the type or the function that the message names: split a large type in \
                 two, or pass numbers or a list instead.",
        },
        Explanation {
            code: "kind",
            what: "The program cannot become the kind that was asked for, or is of another kind \
                 than expected.",
            remedy: "A core module becomes a component only if edgec can prove that both behave the \
                 same, or if it carries component types. Leave `--kind` out, or use `--kind \
                 module` to compile the core module as it is. In a store, an application whose \
                 kind changes cannot be loaded by the hosts of the other kind. docs/preview1.md \
                 has the reasons.",
        },
        Explanation {
            code: "too-many-imports",
            what: "The names of the imports do not fit into a manifest.",
            remedy: "Every import is signed by name, because policies check imports. Link what is \
                 imported into the program, or give the imports shorter names.",
        },
        Explanation {
            code: "too-many-memories",
            what: "The memories and tables of the program do not fit into a manifest.",
            remedy: "A manifest lists every memory and table, because a pool of instances is planned \
                 with them. Instantiate fewer core modules, or share memories.",
        },
        Explanation {
            code: "init",
            what: "The call at build time (`--init`) gave no usable state.",
            remedy: "The function must be an export without parameters and results. While it runs, \
                 nothing answers its imports: it has no clock, no random numbers and no files. A \
                 snapshot cannot hold everything: docs/init.md says what it can hold.",
        },
        Explanation {
            code: "keep-module",
            what: "`--keep-module` names a core module that does not exist.",
            remedy: "Core modules are counted from 0, in the order of the file. The message says how \
                 many there are.",
        },
        Explanation {
            code: "precompile",
            what: "The engine cannot compile the program.",
            remedy: "The program is valid, but beyond this engine or this target. The toolchain may \
                 offer another way, or another target may work. If the message names a defect, \
                 report it with the input.",
        },
        Explanation {
            code: "validate-timeout",
            what: "Validating the program took longer than the time limit.",
            remedy: "`--compile-timeout SECONDS` gives a program more time, for all stages and \
                 targets together. A program that needs so long was probably made to be slow.",
        },
        Explanation {
            code: "validate-memory",
            what: "Validating the program needs more memory than a worker may have.",
            remedy: "`--worker-memory MIB` gives it more. No real program is known that needs so \
                 much.",
        },
        Explanation {
            code: "validate-crash",
            what: "The process that validates ended without an answer.",
            remedy: "This is a defect of edgec or of its validator. Report it with the input.",
        },
        Explanation {
            code: "optimize-timeout",
            what: "Optimizing the program took longer than the time limit.",
            remedy: "`--optimizer-timeout SECONDS` gives the optimizer more time, and \
                 `--compile-timeout SECONDS` the whole program. `--keep-module N` leaves one core \
                 module as it is, `-O0` leaves all of them.",
        },
        Explanation {
            code: "optimize-memory",
            what: "Optimizing the program needs more memory than a worker may have.",
            remedy: "`--worker-memory MIB` gives it more. `--keep-module N` leaves one core module as \
                 it is, `-O0` leaves all of them.",
        },
        Explanation {
            code: "optimize-crash",
            what: "The optimizer ended without an answer.",
            remedy: "A lack of memory or another process may have ended it: try again. If it happens \
                 again, it is a defect: report it with the input. `--keep-module N` leaves one \
                 core module as it is, `-O0` leaves all of them.",
        },
        Explanation {
            code: "compile-timeout",
            what: "Compiling the program took longer than the time limit.",
            remedy: "`--compile-timeout SECONDS` gives a program more time, for all stages and \
                 targets together.",
        },
        Explanation {
            code: "compile-memory",
            what: "Compiling the program needs more memory than a worker may have.",
            remedy: "`--worker-memory MIB` gives it more. Very long functions need most: the \
                 toolchain may offer a way to split them.",
        },
        Explanation {
            code: "compile-crash",
            what: "The compiler ended without an answer.",
            remedy: "A lack of memory or another process may have ended it: try again. If it happens \
                 again, it is a defect of the engine: report it with the input.",
        },
        Explanation {
            code: "optimizer",
            what: "The `wasm-opt` program cannot be used.",
            remedy: "`--wasm-opt` names a program of Binaryen. Check that the file exists, runs on \
                 this machine, and answers `--version` with one line. It opens no other files, \
                 and starts only programs of the system, of its own folder and of PATH \
                 (docs/environment.md).",
        },
        Explanation {
            code: "secret-input",
            what: "The input holds a private key instead of a program.",
            remedy: "edgec does not compile it, and repeats none of it. Name the program as the \
                 input, and the key with `--key`.",
        },
        Explanation {
            code: "self-check",
            what: "edgec would not accept the artifact that it has just made.",
            remedy: "Nothing was written. This is a defect of edgec, or the file changed while it was \
                 written. Run it again, and report it if it happens again.",
        },
        Explanation {
            code: "self-audit",
            what: "The audit of the code that was just compiled has findings.",
            remedy: "Nothing was written. This is a defect of edgec or of the engine: report it. If \
                 the audit is wrong, `--no-self-audit` builds without it.",
        },
        Explanation {
            code: "internal",
            what: "A defect of edgec.",
            remedy: "edgec ended its work on this input, and wrote nothing for it. Report it with the \
                 input and the whole message.",
        },
        Explanation {
            code: "sign",
            what: "The signer did not sign.",
            remedy: "The message has the signer's reason. Nothing was written.",
        },
        Explanation {
            code: "package",
            what: "The artifact or its envelope would be longer than any reader accepts.",
            remedy: "Every reader has this limit. Build the parts of the program as artifacts of \
                 their own, or remove signatures with `edgec sign --remove`.",
        },
        Explanation {
            code: "no-target",
            what: "No target was found for a host of the fleet.",
            remedy: "Describe the host again with `edgec host --save`, or take it out of the fleet. \
                 `edgec targets` lists the targets.",
        },
        Explanation {
            code: "unknown-target",
            what: "The name is not that of a target.",
            remedy: "`edgec targets` lists the targets and their other names. Put commas between \
                 several names.",
        },
        Explanation {
            code: "name",
            what: "The name is not valid as the name of an application, a host or a channel.",
            remedy: "Names have letters, digits and some signs, and are short: the message says what \
                 is wrong with this one. If no name was given, edgec makes one of the file's \
                 name: give another with `--name`. If a project takes the name from a file, a \
                 variable or a tag, the message has that place.",
        },
        Explanation {
            code: "channel",
            what: "The name of the channel is not valid.",
            remedy: "The message says what is wrong with it. A channel is a short word, such as \
                 `stable`.",
        },
        Explanation {
            code: "display-version",
            what: "The version to display is not valid.",
            remedy: "`--display-version` takes a short line of visible characters. Hosts compare \
                 `--app-version`, not this text.",
        },
        Explanation {
            code: "validity",
            what: "The times of validity contradict each other or the present.",
            remedy: "An artifact must not expire before it is valid, and must not have expired when \
                 it is built. A timestamp must expire after it is issued, and needs `--issued` if \
                 it is signed in two steps. `--expires +90d` counts from now.",
        },
        Explanation {
            code: "source-date",
            what: "The variable SOURCE_DATE_EPOCH is not a time.",
            remedy: "It holds seconds since 1970 as a number. Remove it, or set it as your build \
                 system documents it.",
        },
    ],
};
