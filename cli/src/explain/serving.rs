//! Serving requests: `serve`.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Serving",
    about: "Errors of `serve`. docs/serve.md describes its configuration and its limits.",
    errors: &[
        Explanation {
            code: "serve-config",
            what: "The configuration of `serve` cannot be used.",
            remedy: "The message has the place and says what to write. docs/serve.md describes every \
                 name, and docs/schema/serve.toml.json is the schema.",
        },
        Explanation {
            code: "listen",
            what: "The host cannot listen at an address.",
            remedy: "The address does not belong to this machine, another process has it, or this \
                 user may not use it. Name another one with `--addr` or in `[listen]`.",
        },
        Explanation {
            code: "tls",
            what: "A certificate or its private key cannot be used.",
            remedy: "Both are files in PEM, and belong together. The first certificate is that of the \
                 host; those between it and its root follow.",
        },
        Explanation {
            code: "service",
            what: "A service that an application or the host needs cannot be used.",
            remedy: "The message names it. Check its address in the configuration, and whether it \
                 runs.",
        },
    ],
};
