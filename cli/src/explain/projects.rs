//! Projects: `edgec.toml`, and the budgets in it.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Projects",
    about: "Errors of `edgec.toml` and of builds that it describes (docs/project.md).",
    errors: &[
        Explanation {
            code: "project",
            what: "The project cannot be read, or cannot be written.",
            remedy: "The message has the line and the column of a mistake, and the name that was \
                     probably meant. A project in a folder above the current one must belong to you: \
                     name another with `--project`. `edgec init` replaces no project.",
        },
        Explanation {
            code: "component",
            what: "The project has no component of this name.",
            remedy: "The hint lists the names. `--component` takes the whole `name` of a component.",
        },
        Explanation {
            code: "version",
            what: "The place that the project names has no version.",
            remedy: "The message has the file, the variable or the tag. A version is one short line; \
                     `version` is a whole number, or three numbers with points if `form` is \
                     \"semver\". A CI system may fetch no tags. `--app-version` and \
                     `--display-version` come before the project.",
        },
        Explanation {
            code: "baseline",
            what: "The previous artifact is one of another application.",
            remedy: "`--baseline` names the previous artifact of the component, or a folder with the \
                     previous artifacts of all components.",
        },
        Explanation {
            code: "budget",
            what: "The component exceeds its budgets, and nothing was written.",
            remedy: "The table has the budget, its value, that of the previous artifact, and what grew. \
                     Make the program smaller, or raise the budget in edgec.toml. For imports, allow \
                     them if the program needs them.",
        },
        Explanation {
            code: "not-written",
            what: "The component was not written, because another component of the project failed.",
            remedy: "A project is written as a whole. Correct the others, or build this one alone: \
                     `--component NAME`.",
        },
    ],
};
