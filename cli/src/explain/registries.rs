//! Registries: pushes, pulls and copies.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Registries",
    about: "Errors of registries and OCI layouts: of reaching them, of pushes, pulls and copies.",
    errors: &[
        Explanation {
            code: "registry-reference",
            what: "The text is not a reference to a place in a registry.",
            remedy: "Write `REGISTRY/REPOSITORY:TAG`, such as `registry.example/shop:v1`, or \
                 `oci-layout:DIR:TAG` for a folder.",
        },
        Explanation {
            code: "registry-absent",
            what: "The registry or folder does not have this tag, manifest or blob.",
            remedy: "Check the name and the tag. A registry may also answer this if you may not see \
                 the repository: log in with `docker login` or `podman login`.",
        },
        Explanation {
            code: "registry-denied",
            what: "The registry does not allow this with these credentials, or without any.",
            remedy: "Log in with `docker login` or `podman login`: edgec reads their configuration \
                 and uses their helpers.",
        },
        Explanation {
            code: "registry-refused",
            what: "The registry refused a request, and would refuse it again.",
            remedy: "The message has the registry's own words. docs/registries.md says what each \
                 registry lacks.",
        },
        Explanation {
            code: "registry-unavailable",
            what: "The registry is overloaded or failing.",
            remedy: "edgec has tried several times. Try again later: what was sent or fetched whole \
                 is not sent or fetched again.",
        },
        Explanation {
            code: "registry-unreachable",
            what: "No answer came from the registry, or it stopped in the middle.",
            remedy: "If the host cannot be reached, check the name, the port and the network. If \
                 it stopped answering, try again later, and look at the registry or at a proxy in \
                 front of it.",
        },
        Explanation {
            code: "registry-tls",
            what: "There is no secure connection to the registry.",
            remedy: "If the registry has a certificate of your own authority, name the authority \
                 with `--ca`. If it has no TLS, `--plain-http` says so; then anyone in between can \
                 read what is sent.",
        },
        Explanation {
            code: "registry-cut-short",
            what: "A transfer broke off, again and again.",
            remedy: "edgec has resumed it several times. Try again later.",
        },
        Explanation {
            code: "registry-digest",
            what: "Other bytes came than those that were asked for.",
            remedy: "The registry, a cache or something on the way has changed them. edgec keeps \
                 none of them. Push the content again, or use another mirror.",
        },
        Explanation {
            code: "registry-size",
            what: "More or fewer bytes came than the manifest says.",
            remedy: "The registry or a cache has a damaged file. Push the content again, or use \
                 another mirror.",
        },
        Explanation {
            code: "registry-too-long",
            what: "A manifest or an answer is longer than edgec reads.",
            remedy: "No manifest of edgec is so long. Check what the reference names.",
        },
        Explanation {
            code: "registry-too-many",
            what: "More manifests refer to one than edgec looks at.",
            remedy: "edgec looks at 1024. It leaves none out in silence, because that one could be \
                 a signature. Remove referrers that are not needed, or copy with another tool.",
        },
        Explanation {
            code: "registry-answer",
            what: "An answer of the registry breaks the protocol.",
            remedy: "Check that the name is that of an OCI registry, and not of a web site or a \
                 proxy. If a list of referrers has an entry that edgec cannot read, or goes on at \
                 another host, edgec does not copy it: what it would leave out could be a \
                 signature. If the token service redirects, name its new address in the \
                 registry's configuration.",
        },
        Explanation {
            code: "registry-insecure",
            what: "The registry points at an address without TLS.",
            remedy: "edgec does not follow it, because credentials or content would be unprotected. \
                 Repair the registry's configuration. `--plain-http` allows `http`, and no option \
                 allows another address, such as `file`.",
        },
        Explanation {
            code: "registry-other-place",
            what: "A manifest names another place for its content.",
            remedy: "edgec takes content only from the repository that was named. Copy the content \
                 there.",
        },
        Explanation {
            code: "registry-descriptor",
            what: "An entry of a manifest is malformed.",
            remedy: "No tool should write such a manifest. Push it again.",
        },
        Explanation {
            code: "registry-credentials",
            what: "The credentials for the registry cannot be read.",
            remedy: "Repair the configuration of Docker or Podman, install the helper that it names, \
                 or log in again. If a helper failed, the message has the last line of its \
                 standard error. A helper has 60 seconds; then edgec ends it, with all that it has \
                 started.",
        },
        Explanation {
            code: "registry-ca",
            what: "The file of a certificate authority has no certificate.",
            remedy: "Write the certificate in PEM or DER, and not its key.",
        },
        Explanation {
            code: "registry-client",
            what: "This machine cannot make an HTTP client.",
            remedy: "It may have no more threads or file descriptors. Raise the limits of the process.",
        },
        Explanation {
            code: "registry-layout",
            what: "The folder is not an OCI layout, or is damaged.",
            remedy: "Name a folder that `edgec push` or `edgec copy` has written, or write it again.",
        },
        Explanation {
            code: "push-no-artifact",
            what: "There is no artifact to push.",
            remedy: "Name the files that `edgec build` has written.",
        },
        Explanation {
            code: "push-artifacts",
            what: "The artifacts do not belong under one tag.",
            remedy: "All artifacts of a push have one name, channel, version and program, and each is \
                 for another target or engine profile.",
        },
        Explanation {
            code: "push-digest",
            what: "The reference of a target has a digest.",
            remedy: "Name a tag. The content decides the digest, and edgec prints it.",
        },
        Explanation {
            code: "push-program",
            what: "The portable program is not the one from which the artifacts were made.",
            remedy: "Name the file that `edgec build` has read. Its SHA-256 is in every manifest.",
        },
        Explanation {
            code: "push-no-component",
            what: "The split layout needs the portable program.",
            remedy: "Name it with `--component`, or leave out `--layout split`.",
        },
        Explanation {
            code: "push-attached",
            what: "A file that travels with the artifacts is not what it should be.",
            remedy: "`--provenance` takes what `edgec build --provenance` writes, `--sbom` takes \
                 CycloneDX or SPDX in JSON, `--bundle` takes a C2SP tlog-proof, and `--notary` takes \
                 what `edgec notarize` writes.",
        },
        Explanation {
            code: "push-about-nothing",
            what: "A file that travels with the artifacts is about none of them.",
            remedy: "Each artifact has a provenance of its own. Name the artifact that the file is \
                 about, or leave out the file.",
        },
        Explanation {
            code: "push-too-much",
            what: "More files travel with an artifact than hosts read, or longer ones.",
            remedy: "An artifact has at most 16 files of each kind, and 64 MiB of them in all, without \
                 its debug file. Leave some of them out.",
        },
        Explanation {
            code: "push-release",
            what: "The release does not list exactly the artifacts that are pushed.",
            remedy: "Hosts refuse what a release does not list, and a release that is not complete. \
                 Name all artifacts, or make the release again with `edgec release make`.",
        },
        Explanation {
            code: "push-timestamp",
            what: "The timestamp is not about the release.",
            remedy: "Name the release with `--release`, and make a timestamp of it with `edgec \
                 release stamp`.",
        },
        Explanation {
            code: "pull-no-natives",
            what: "The reference names something without native images of edgec.",
            remedy: "`edgec push` writes them. If they were pushed with `--layout split`, the tag \
                 TAG.edgec must be there too.",
        },
        Explanation {
            code: "pull-manifest",
            what: "A manifest is malformed, or contradicts what was signed.",
            remedy: "Nothing of it is used. Push the artifacts again, or use another mirror.",
        },
        Explanation {
            code: "pull-split",
            what: "The index of the native images belongs to another portable program than the tag.",
            remedy: "A push may be under way: try again in a minute. If it stays, push again.",
        },
        Explanation {
            code: "pull-no-fit",
            what: "No native image is for this host or target.",
            remedy: "Build an artifact for it, and push all artifacts of the version again. `edgec \
                 check` says which artifact fits which host.",
        },
        Explanation {
            code: "pull-mixed",
            what: "An artifact is not of the release beside it.",
            remedy: "A push or a mirror has mixed two releases. The message has both digests. Push \
                 all artifacts of one release again, with that release.",
        },
        Explanation {
            code: "pull-incomplete",
            what: "The release lists artifacts that are not there.",
            remedy: "A mirror may withhold them, or has copied only a part. Copy everything with \
                 `edgec copy`, or push all artifacts of the release again.",
        },
        Explanation {
            code: "pull-other-bytes",
            what: "The image that came is not the image that was signed.",
            remedy: "The message has both digests. edgec keeps none of it. Push the artifact again, \
                 and find out who could write to the registry.",
        },
        Explanation {
            code: "pull-damaged",
            what: "What came has another length than was signed, or cannot be decompressed.",
            remedy: "edgec keeps none of it. Push the artifact again, or use another mirror.",
        },
        Explanation {
            code: "difference",
            what: "A difference against another image cannot be used.",
            remedy: "`edgec pull` warns, and fetches another difference or the whole image. The \
                 message says why: the difference is damaged or not there, makes other bytes than \
                 were signed, or takes more memory than --difference-memory allows. If it is \
                 damaged, push the artifact again.",
        },
        Explanation {
            code: "pull-no-component",
            what: "The reference has no portable program.",
            remedy: "`edgec push --component` pushes it.",
        },
        Explanation {
            code: "pull-other-program",
            what: "The portable program is not the one from which the signed artifacts were made.",
            remedy: "Do not use it: it is not signed. Push the right one with `edgec push \
                 --component`. Nothing was written.",
        },
        Explanation {
            code: "pull-same-file",
            what: "Two artifacts have different files of one name.",
            remedy: "Pull one target at a time, into folders of their own. If one artifact has \
                 several files of one kind, such as two bills of materials, the folder gets all of \
                 them, and the further ones have numbers.",
        },
        Explanation {
            code: "copy-manifest",
            what: "A manifest is malformed, or lists more than edgec copies.",
            remedy: "Check what the reference names: no push of edgec writes that. edgec copies \
                 at most 8192 manifests, and follows at most 8 indexes and referrers in a chain. \
                 Another tool may copy more, such as `oras cp -r`.",
        },
    ],
};
