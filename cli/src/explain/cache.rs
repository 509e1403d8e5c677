//! The build cache.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "The build cache",
    about: "Errors of the build cache (docs/cache.md). If a folder, a server or an entry is at fault, \
            a build only warns, and does its work itself.",
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
        Explanation {
            code: "cache-twice",
            what: "Several folders or several shared caches are named.",
            remedy: "A build has one folder, and one shared cache behind it. Name each of them once: \
                     `--cache DIR --cache URL`.",
        },
        Explanation {
            code: "cache-scheme",
            what: "The URL of the shared cache is not of a kind that edgec knows.",
            remedy: "A shared cache is `redis://`, `rediss://` (Redis with TLS), `s3://`, `webdav://`, \
                     `webdavs://` (WebDAV with TLS) or `ghac://` (the cache of GitHub Actions).",
        },
        Explanation {
            code: "cache-url",
            what: "The URL of the shared cache is malformed, or lacks or has too much of something.",
            remedy: "docs/cache.md has the form of each URL. A URL of S3 names a bucket and no secret: \
                     its secrets come from the environment. The message does not repeat the URL, \
                     because it may have a password.",
        },
        Explanation {
            code: "cache-namespace",
            what: "The namespace of the cache is not a name.",
            remedy: "It has 1 to 64 lower-case letters, digits, `-`, `_` and `.`, and does not begin with \
                     `.`. Name it as the kind of builds, such as `build` or `release`.",
        },
        Explanation {
            code: "cache-trust",
            what: "No key says whose answers in the shared cache count.",
            remedy: "Anyone who can write to the store could have written them. Name the public keys of \
                     the writers with `--cache-trust`. A build that only writes needs none.",
        },
        Explanation {
            code: "cache-key",
            what: "A build shall write to the shared cache, and no key is named that signs it.",
            remedy: "Make a key with `edgec keygen -o cache.pem`, keep it as a secret of the jobs that \
                     may write, and name it with `--cache-key`. Readers trust its public half. It \
                     should not be the key that signs artifacts.",
        },
        Explanation {
            code: "cache-late",
            what: "The shared cache gave no answer in time, or did not take the build's answers in time.",
            remedy: "The artifacts are the same. If its server is slow but useful, let the build wait \
                     longer: `--cache-deadline`, `--cache-write-deadline`. If it is dead, build without \
                     it.",
        },
        Explanation {
            code: "cache-store",
            what: "The shared cache cannot be reached, or refuses what edgec asks.",
            remedy: "The artifacts are the same. Check that the server runs, and that the user, the \
                     password or the environment's credentials are right. `edgec cache stats` and \
                     `edgec cache verify` need a store that lists what it holds: S3 or WebDAV.",
        },
        Explanation {
            code: "cache-refused",
            what: "A pack in the shared cache does not count, and the build did its work itself.",
            remedy: "No trusted key has signed it, or it was changed, cut or moved after that. Either \
                     `--cache-trust` lacks the key of a writer, or others can write to the store. The \
                     artifacts are the same.",
        },
        Explanation {
            code: "cache-shared",
            what: "edgec does not remove anything from a shared cache.",
            remedy: "Other machines may need it. Let its server remove what is old: `maxmemory` and \
                     `maxmemory-policy allkeys-lru` of Redis, a lifecycle rule of S3.",
        },
        Explanation {
            code: "cache-unsupported",
            what: "This edgec was built without shared caches.",
            remedy: "Name a folder, or build edgec with its feature `shared-cache`, which is on by \
                     default.",
        },
    ],
};
