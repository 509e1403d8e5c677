//! The examples in `--help`. A test parses each of them.

/// The verb, a description, and the command line.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "",
        "Build a program for x86-64 and aarch64, signed by a development key",
        "edgec build app.wasm -o out",
    ),
    (
        "",
        "Verify an artifact and run it",
        "edgec run --key release.pub.pem out/app.x86_64.cwasm",
    ),
    (
        "build",
        "For x86-64 and aarch64, into a folder, signed by your own key",
        "edgec build app.wasm --key release.pem -o out",
    ),
    (
        "build",
        "For one CPU, into a file",
        "edgec build app.wasm --target neoverse-n1 --key release.pem -o app.cwasm",
    ),
    (
        "build",
        "A release for hosts that serve requests",
        "edgec build app.wasm --profile edge --name acme/shop --app-version 7 --key release.pem -o out",
    ),
    (
        "build",
        "Also bind the artifacts together, as release 12",
        "edgec build app.wasm --name acme/shop --app-version 7 --release 12 --key release.pem -o out",
    ),
    (
        "build",
        "From a pipe; the name comes from the command line",
        "edgec build - --name app --key release.pem -o out",
    ),
    (
        "build",
        "All components of the project in this folder, four at a time",
        "edgec build -j 4",
    ),
    (
        "build",
        "One component, compared with its previous artifacts",
        "edgec build --project edgec.toml --component acme/shop --baseline previous",
    ),
    (
        "build",
        "For a pull request of a fork, which must not have a key",
        "edgec build app.wasm --unsigned -o out",
    ),
    (
        "init",
        "A project for the programs of this folder",
        "edgec init",
    ),
    (
        "validate",
        "Two programs",
        "edgec validate programs/a.wasm programs/b.wasm",
    ),
    (
        "validate",
        "Everything that keeps a program from a host of wasi:http",
        "edgec validate app.wasm --world wasi:http/proxy --max-memory 64",
    ),
    (
        "keygen",
        "A key for releases, with a passphrase",
        "edgec keygen -o release.pem --encrypt",
    ),
    (
        "keys show",
        "Show the id of a key",
        "edgec keys show release.pub.pem",
    ),
    (
        "keys import",
        "A public key that OpenSSH wrote",
        "edgec keys import id_ed25519.pub -o ssh.pub.pem",
    ),
    (
        "keys export",
        "A public key as OpenSSH writes it",
        "edgec keys export release.pub.pem --as openssh",
    ),
    (
        "sign",
        "Add a second signature",
        "edgec sign app.cwasm --append --key second.pem",
    ),
    (
        "sign",
        "The first of two steps, if the key is on another machine",
        "edgec sign app.cwasm --export-pae app.pae",
    ),
    (
        "sign",
        "The second step",
        "edgec sign app.cwasm --attach app.sig --public-key release.pub.pem",
    ),
    (
        "verify",
        "Require a signature by this key, and the name of the application",
        "edgec verify --key release.pub.pem --name acme/shop app.cwasm",
    ),
    (
        "verify",
        "Verify under a trust policy",
        "edgec verify --trust edgec-trust.toml app.cwasm",
    ),
    (
        "verify",
        "Compile the program again, and compare bit for bit",
        "edgec verify --key release.pub.pem --rebuild app.wasm app.cwasm",
    ),
    (
        "sign-blob",
        "A file that is no artifact; this writes edgec.tar.gz.dsse.json",
        "edgec sign-blob edgec.tar.gz --key release.pem",
    ),
    (
        "release make",
        "Bind the artifacts for all CPUs together",
        "edgec release make out/shop.x86_64.cwasm out/shop.aarch64.cwasm --serial 12 --key offline.pem -o shop.release.json",
    ),
    (
        "release stamp",
        "State for a day that a release is the newest",
        "edgec release stamp shop.release.json --expires +1d --key online.pem -o shop.timestamp.json",
    ),
    (
        "release verify",
        "Ask a policy about a release",
        "edgec release verify shop.release.json --timestamp shop.timestamp.json --trust edgec-trust.toml",
    ),
    (
        "notarize",
        "State that a program compiles to an artifact",
        "edgec notarize app.cwasm --rebuild app.wasm --key notary.pem -o app.rebuild.json",
    ),
    (
        "verify-blob",
        "The same file somewhere else",
        "edgec verify-blob edgec.tar.gz --key release.pub.pem",
    ),
    (
        "verify-blob",
        "The provenance of an artifact, as other tools read it",
        "edgec verify-blob app.cwasm --bundle app.provenance.json --type https://slsa.dev/provenance/v1 --key release.pub.pem",
    ),
    (
        "audit",
        "Read the native code of an artifact",
        "edgec audit app.cwasm",
    ),
    (
        "inspect",
        "Show what an artifact states",
        "edgec inspect app.cwasm",
    ),
    (
        "inspect",
        "The same as JSON",
        "edgec inspect app.cwasm --format json",
    ),
    (
        "envelope",
        "For tools that read DSSE",
        "edgec envelope app.cwasm -o app.dsse",
    ),
    (
        "run",
        "With arguments, a folder and a variable for the program",
        "edgec run --key release.pub.pem --dir data::/data --env LANG=C app.cwasm input.txt",
    ),
    #[cfg(feature = "serve")]
    (
        "dev",
        "Serve a program on this machine, again at each change of its file",
        "edgec dev app.wasm",
    ),
    #[cfg(feature = "serve")]
    (
        "dev",
        "With the permissions that a configuration gives it, and optimized",
        "edgec dev --config serve.toml app.wasm -- -O1",
    ),
    #[cfg(feature = "serve")]
    (
        "serve",
        "An artifact, at one address",
        "edgec serve --key release.pub.pem --addr 127.0.0.1:8080 app.cwasm",
    ),
    #[cfg(feature = "serve")]
    (
        "serve",
        "What a configuration names",
        "edgec serve --config /etc/edgec/serve.toml",
    ),
    (
        "push",
        "Artifacts for all CPUs, with the program from which they were built and their release",
        "edgec push registry.example/shop:v7 out/shop.*.cwasm --component shop.wasm --release out/shop.release.json",
    ),
    (
        "push",
        "To a folder, without a network",
        "edgec push registry.example/shop:v7 out/shop.x86_64.cwasm --output oci-layout:layout",
    ),
    (
        "pull",
        "The artifact that fits this host best, into its store",
        "edgec pull --store store --trust edgec-trust.toml --name acme/shop registry.example/shop:v7",
    ),
    (
        "pull",
        "The artifacts for all CPUs and what travels with them, into a folder; nothing is verified",
        "edgec pull registry.example/shop:v7 --all-targets -o shop",
    ),
    (
        "copy",
        "To another registry",
        "edgec copy registry.example/shop:v7 mirror.example/shop:v7",
    ),
    (
        "store add",
        "Keep artifacts that a policy accepts",
        "edgec store --store /var/lib/edgec add --trust edgec-trust.toml app.cwasm",
    ),
    (
        "store release",
        "Take a newer release; its artifacts follow",
        "edgec store --store S release shop.release.json --timestamp shop.stamp.json --trust trust.toml",
    ),
    (
        "store ls",
        "List the releases",
        "edgec store --store /var/lib/edgec ls",
    ),
    (
        "store path",
        "Print the paths of an application's images",
        "edgec store --store /var/lib/edgec path acme/shop",
    ),
    (
        "store verify",
        "Hash every image again",
        "edgec store --store /var/lib/edgec verify --trust edgec-trust.toml",
    ),
    (
        "store use",
        "Go back to version 6",
        "edgec store --store /var/lib/edgec use acme/shop --app-version 6",
    ),
    (
        "store rm",
        "Remove version 5",
        "edgec store --store /var/lib/edgec rm acme/shop --app-version 5",
    ),
    (
        "store gc",
        "Remove images without a name",
        "edgec store --store /var/lib/edgec gc",
    ),
    (
        "store plan",
        "A pool for 500 instances at one time",
        "edgec store --store /var/lib/edgec plan --instances 500",
    ),
    (
        "diff",
        "What changed between two releases",
        "edgec diff old.cwasm new.cwasm",
    ),
    (
        "report",
        "A page about the artifacts of a release, verified, with what changed",
        "edgec report out/app.x86_64.cwasm out/app.aarch64.cwasm --key release.pub.pem --baseline old.cwasm -o report.html",
    ),
    (
        "symbolize",
        "The function at an address",
        "edgec symbolize app.debug app.cwasm+0x1234",
    ),
    (
        "targets",
        "The CPUs that this machine can run, best first",
        "edgec targets --host",
    ),
    (
        "host",
        "Describe this machine",
        "edgec host --save fra.toml",
    ),
    (
        "check",
        "Which hosts can load a release",
        "edgec check out/app.x86_64.cwasm out/app.aarch64.cwasm --host fra.toml ams.toml",
    ),
    (
        "policy init",
        "A strict policy for a key, and for the artifacts at hand",
        "edgec policy init --key release.pub.pem app.cwasm -o edgec-trust.toml",
    ),
    (
        "policy sign",
        "With a root key",
        "edgec policy sign edgec-trust.toml --key root.pem -o edgec-trust.dsse",
    ),
    (
        "policy update",
        "Follow the chain to the newest edition",
        "edgec policy update edgec-trust.dsse editions/8.dsse editions/9.dsse",
    ),
    (
        "policy check",
        "Read a signed policy as a host would",
        "edgec policy check edgec-trust.dsse --root root.pub.pem",
    ),
    (
        "advisories",
        "All advisories as JSON",
        "edgec advisories --format json",
    ),
    (
        "advisories",
        "One advisory",
        "edgec advisories GHSA-mghf-wjfp-p5xm",
    ),
    (
        "cache stats",
        "What the build cache holds",
        "edgec cache stats",
    ),
    (
        "cache prune",
        "At most 1 GiB is left",
        "edgec cache prune --to 1024",
    ),
    (
        "cache verify",
        "In a folder of the project",
        "edgec cache verify --cache .edgec-cache",
    ),
    (
        "cache verify",
        "Packs of a shared cache, against the key of their writer",
        "edgec cache verify --cache s3://bucket/edgec --cache-trust cache.pub.pem",
    ),
    (
        "explain",
        "What an error means, and what to do",
        "edgec explain image-digest",
    ),
    (
        "version",
        "The versions as JSON",
        "edgec version --format json",
    ),
    (
        "sbom",
        "What a program says about itself and its crates, as CycloneDX",
        "edgec sbom app.wasm -o app.cdx.json",
    ),
    (
        "sbom",
        "The same as SPDX",
        "edgec sbom app.wasm --format spdx -o app.spdx.json",
    ),
    #[cfg(feature = "registry")]
    (
        "sync",
        "Keep a store current, beside `edgec serve`",
        "edgec sync /etc/edgec/fleet.toml --store /var/lib/edgec/store",
    ),
    #[cfg(feature = "registry")]
    (
        "sync",
        "One round, for a timer",
        "edgec sync fleet.toml --store /var/lib/edgec/store --name pop-7 --once",
    ),
    (
        "completions",
        "A script for bash, which `source` reads",
        "edgec completions bash",
    ),
    (
        "man",
        "Into the folder in which `man` finds the pages of this user",
        "edgec man ~/.local/share/man/man1",
    ),
];
