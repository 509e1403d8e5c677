//! Demands: what `--world`, `--allow-import`, the limits and `--wit` refuse.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Worlds, imports and limits",
    about: "Errors of what is demanded of a program (docs/world.md). The error is `gate`, and its \
            lines begin with the codes of what the program breaks.",
    errors: &[
        Explanation {
            code: "gate",
            what: "The program breaks what is demanded of it.",
            remedy: "Each line names one import, export or number. Change the program or the demand. \
                     With `--format json`, `details` has the lines one by one.",
        },
        Explanation {
            code: "world-module",
            what: "The program is a core module, and a world describes a component.",
            remedy: "Build a component, or give the module component types with `--wit`.",
        },
        Explanation {
            code: "world-import",
            what: "The program imports something that the world does not offer.",
            remedy: "Hosts of this world cannot run it. Build the program without the import, or for \
                     this world. If the message names another version, it is not compatible.",
        },
        Explanation {
            code: "world-import-item",
            what: "The world has the interface, but not the function or type that the program \
                   imports.",
            remedy: "A later version of the interface may have added it. Name a world of that version, \
                     or build the program against the version of the world.",
        },
        Explanation {
            code: "world-import-type",
            what: "The world has the import with another type.",
            remedy: "The message has the first difference. Build the program against the WIT of the \
                     world.",
        },
        Explanation {
            code: "world-export",
            what: "The program lacks an export of the world.",
            remedy: "Hosts of this world call it. Export it, or name the world that the program is \
                     for.",
        },
        Explanation {
            code: "world-export-item",
            what: "The program's interface lacks a function or type of the world.",
            remedy: "Build the program against the WIT of the world.",
        },
        Explanation {
            code: "world-export-type",
            what: "The program has the export with another type.",
            remedy: "The message has the first difference. Build the program against the WIT of the \
                     world.",
        },
        Explanation {
            code: "import-not-allowed",
            what: "No pattern allows the import.",
            remedy: "If the program may have it, allow it: `--allow-import`, or `allow-imports` in \
                     edgec.toml. Else remove what needs it.",
        },
        Explanation {
            code: "limit-core-instances",
            what: "An instance of the program has more core instances than the limit.",
            remedy: "Instantiate fewer core modules, or raise `--max-core-instances`. The limit is \
                     about the program before core modules are merged.",
        },
        Explanation {
            code: "limit-memories",
            what: "An instance of the program has more memories than the limit.",
            remedy: "Let core modules share a memory, or raise `--max-memories`.",
        },
        Explanation {
            code: "limit-memory",
            what: "A memory of the program is larger at the start than the limit.",
            remedy: "The toolchain decides how large a memory is at the start: give the program less \
                     data or a smaller stack, or raise `--max-memory`.",
        },
        Explanation {
            code: "limit-tables",
            what: "An instance of the program has more tables than the limit.",
            remedy: "Instantiate fewer core modules, or raise `--max-tables`.",
        },
        Explanation {
            code: "limit-table",
            what: "A table of the program is larger at the start than the limit.",
            remedy: "The table has an element for each function that is called indirectly. Raise \
                     `--max-table-elements`, or link less into the program.",
        },
        Explanation {
            code: "limit-unknown",
            what: "There are limits, and what the program needs cannot be counted.",
            remedy: "The program makes instances of core modules or components that it imports, or too \
                     many. Build it as one component, or leave the limits out.",
        },
        Explanation {
            code: "wit",
            what: "The program cannot get component types.",
            remedy: "`--wit` is for a core module that has none and becomes a component. Leave it out \
                     for a component, for a module that carries its types, and with `--kind module`.",
        },
        Explanation {
            code: "wit-world",
            what: "There is no such world, or it is not clear which one is meant.",
            remedy: "The hint lists the worlds. `--world DIR#WORLD` and `--wit-world WORLD` name one of \
                     several.",
        },
        Explanation {
            code: "wit-invalid",
            what: "The files are not WIT, or their WIT is wrong.",
            remedy: "The message has the file, the line and the column. Packages that the WIT uses must \
                     lie in the folder `deps` beside it.",
        },
        Explanation {
            code: "wit-unsupported",
            what: "The world has no form as component types.",
            remedy: "The message has the encoder's reason. Simpler types may have a form that this \
                     edgec knows.",
        },
        Explanation {
            code: "wit-size",
            what: "There are too many files of WIT, or they are too long.",
            remedy: "The limits are 1,000 files and 16 MiB. Name the folder of one package.",
        },
    ],
};
