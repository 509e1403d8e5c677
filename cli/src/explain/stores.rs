//! A host's store.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Stores",
    about: "Errors of a host's store.",
    errors: &[
        Explanation {
            code: "store",
            what: "No store was named.",
            remedy: "Name its folder with `--store`, or in EDGEC_STORE.",
        },
        Explanation {
            code: "not-a-store",
            what: "The folder is not a store of this version of edgec.",
            remedy: "`edgec store add` makes one in an empty folder.",
        },
        Explanation {
            code: "store-damaged",
            what: "A file of the store is not as it was admitted.",
            remedy: "Add the artifact again: that puts a good file in its place.",
        },
        Explanation {
            code: "store-current",
            what: "The file that says which version is current is damaged.",
            remedy: "`edgec store use NAME --app-version N` puts a good file in its place.",
        },
        Explanation {
            code: "store-unknown",
            what: "The store does not have this application, channel or version.",
            remedy: "`edgec store ls` lists what is there.",
        },
        Explanation {
            code: "store-no-fit",
            what: "The store has artifacts of this application, but none for this host.",
            remedy: "Add an artifact for this CPU and engine profile.",
        },
        Explanation {
            code: "store-link",
            what: "A file of the store is a symbolic link.",
            remedy: "A user who can change a store decides what its hosts run. Make a new one, and \
                 add the artifacts again.",
        },
        Explanation {
            code: "store-owner",
            what: "A file or folder of the store belongs to another user.",
            remedy: "A store and the folders above it must belong to this user or to root.",
        },
        Explanation {
            code: "store-writable",
            what: "Other users can write to a file or folder of the store.",
            remedy: "A user who can change a store decides what its hosts run. Make a new one, and \
                 add the artifacts again.",
        },
        Explanation {
            code: "foreign",
            what: "A file in the store's folder does not belong to a store.",
            remedy: "This is a warning: edgec did not make the file, and leaves it. Remove it if it \
                 is not needed.",
        },
        Explanation {
            code: "plan-incomplete",
            what: "A program does not say what memories and tables it needs.",
            remedy: "Its modules may be instantiated any number of times, so no pool can be planned \
                 for it.",
        },
        Explanation {
            code: "plan-too-large",
            what: "A program is larger than the pool that was asked for.",
            remedy: "Allow more for each instance.",
        },
        Explanation {
            code: "plan-address-space",
            what: "The pool needs more address space than a process has.",
            remedy: "Ask for fewer instances, or for smaller memories.",
        },
    ],
};
