//! A real PKCS#11 token signs: SoftHSM2, with a key that it made and a key that was imported.
//!
//! Needs Debian's packages `softhsm2` and `opensc`. Without them, the test is skipped and says so.
//! `EDGEC_REQUIRE_SOFTHSM=1` makes this a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgec_tests::{Sandbox, skipped};

const PIN: &str = "1234";

/// The paths at which distributions install the module.
fn module() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let there = |program| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok()
    };
    let module = places.iter().map(PathBuf::from).find(|path| path.exists());
    module.filter(|_| there("softhsm2-util") && there("pkcs11-tool"))
}

struct Token {
    sandbox: Sandbox,
    module: PathBuf,
}

impl Token {
    /// A token `edgec` with a key `release` that it made.
    fn new(module: &Path) -> Self {
        let sandbox = Sandbox::new();
        sandbox.hello();
        std::fs::create_dir(sandbox.path().join("tokens")).unwrap();
        let tokens = sandbox.path().join("tokens");
        let configuration = format!("directories.tokendir = {}\n", tokens.display());
        sandbox.write("softhsm2.conf", configuration);
        let token = Self {
            sandbox,
            module: module.to_owned(),
        };
        token.initialize("edgec");
        token.generate("release", "01");
        token
    }

    fn initialize(&self, label: &str) {
        let init = ["--init-token", "--free", "--so-pin", "5678"];
        self.tool(
            "softhsm2-util",
            &[&init[..], &["--label", label, "--pin", PIN]].concat(),
        );
    }

    fn generate(&self, label: &str, id: &str) {
        self.pkcs11(&[
            "--keypairgen",
            "--key-type",
            "EC:edwards25519",
            "--label",
            label,
            "--id",
            id,
        ]);
    }

    fn pkcs11(&self, arguments: &[&str]) -> String {
        let login = [
            "--token-label",
            "edgec",
            "--login",
            "--pin",
            PIN,
            "--module",
        ];
        let module = self.module.to_str().unwrap();
        self.tool("pkcs11-tool", &[&login[..], &[module], arguments].concat())
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = self.configured(command.args(arguments)).output().unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The public key according to another program, in base64: the last 32 bytes of its line.
    fn point(&self, label: &str) -> Vec<u8> {
        let shown = self.pkcs11(&["-O", "--type", "pubkey", "--label", label]);
        let line = shown.lines().find(|line| line.contains("EC_POINT:"));
        let digits = line.unwrap().rsplit(' ').next().unwrap();
        let digits = &digits[digits.len() - 64..];
        let bytes: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        self.sandbox.write("point", bytes);
        self.sandbox
            .tool("openssl", &["base64", "-A", "-in", "point"])
    }

    fn configured<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.sandbox.path())
            .env("SOFTHSM2_CONF", self.sandbox.path().join("softhsm2.conf"))
    }

    /// `edgec` with this module, token and key, and a PIN in the environment.
    fn edgec(&self, verb: &[&str], token: &str, key: &str, pin: &str, more: &[&str]) -> Output {
        let module = self.module.to_str().unwrap();
        let labels = [
            "--pkcs11-token",
            token,
            "--pkcs11-key",
            key,
            "--pkcs11-module",
            module,
        ];
        let mut command = self.sandbox.command(&[verb, &labels, more].concat());
        self.configured(&mut command)
            .env("EDGEC_PKCS11_PIN", pin)
            .output()
            .unwrap()
    }

    fn sign(&self, token: &str, key: &str, pin: &str, more: &[&str]) -> Output {
        self.edgec(&["sign", "hello.cwasm", "--append"], token, key, pin, more)
    }

    fn signed(&self, key: &str, more: &[&str]) -> String {
        let output = self.sign("edgec", key, PIN, more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, output: &Output, code: i32, says: &str) {
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_token_signs() {
    let Some(module) = module() else {
        let why = "softhsm2 and opensc are not installed";
        return skipped("EDGEC_REQUIRE_SOFTHSM", why);
    };
    let token = Token::new(&module);
    let sandbox = &token.sandbox;

    // A key that never left the token: its public half comes from the token.
    let said = token.signed("release", &[]);
    let id = said
        .lines()
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    sandbox.write("release.raw", token.point("release"));
    sandbox.ok(&["keys", "import", "release.raw", "-o", "release.pem"]);
    let shown = sandbox.ok(&["keys", "show", "release.pem"]);
    assert!(shown.contains(&id), "{shown}");
    sandbox.ok(&[
        "verify",
        "hello.cwasm",
        "--key",
        "release.pem",
        "--key",
        "key.pub.pem",
    ]);
    token.signed("release", &["--public-key", "release.pem"]);

    // Both artifacts of a build. The PIN comes from a file, which takes precedence over the
    // variable.
    sandbox.write_secret("pin", "1234\n");
    let example = edgec_tests::repository().join("examples/hello.wat");
    let build = ["build", "-q", example.to_str().unwrap(), "-o", "out"];
    let output = token.edgec(
        &build,
        "edgec",
        "release",
        "wrong",
        &["--pkcs11-pin-file", "pin"],
    );
    assert!(output.status.success(), "{output:?}");
    for target in ["x86_64", "aarch64"] {
        let artifact = format!("out/hello.{target}.cwasm");
        sandbox.ok(&["verify", &artifact, "--key", "release.pem"]);
    }

    // An imported key, whose public half the token stores in another encoding.
    sandbox.ok(&["keygen", "-o", "given.pem"]);
    let import = ["--import", "given.pem", "--token", "edgec", "--pin", PIN];
    token.tool(
        "softhsm2-util",
        &[&import[..], &["--label", "given", "--id", "02"]].concat(),
    );
    token.signed("given", &[]);
    sandbox.ok(&["verify", "hello.cwasm", "--key", "given.pub.pem"]);

    // Failures; the artifact stays unchanged.
    let before = sandbox.read("hello.cwasm");
    let pin = |pin| token.sign("edgec", "release", pin, &[]);
    token.refused(
        &pin("9999"),
        1,
        "error[pin]: token edgec: the token does not accept",
    );
    token.refused(&pin(""), 2, "error[no-passphrase]: ");
    assert!(!String::from_utf8_lossy(&pin("9999").stderr).contains("9999"));
    // Row 10 of the threats: the token signs with another key than the trusted one.
    let other = token.sign("edgec", "release", PIN, &["--public-key", "key.pub.pem"]);
    token.refused(&other, 1, "error[bad-signature]: ");
    let label = |token_label, key| token.sign(token_label, key, PIN, &[]);
    token.refused(
        &label("edgec", "none"),
        3,
        "error[pkcs11-label]: no private Ed25519 key",
    );
    token.refused(&label("none", "release"), 3, "hint: there is edgec");
    token.generate("release", "03");
    token.refused(
        &label("edgec", "release"),
        3,
        "2 private keys on the token have the label",
    );
    token.pkcs11(&["--delete-object", "--type", "pubkey", "--label", "given"]);
    token.refused(
        &label("edgec", "given"),
        3,
        "no public Ed25519 key on the token",
    );
    token.refused(
        &label("edgec", "given"),
        3,
        "hint: name its file with --public-key",
    );
    token.initialize("edgec");
    token.refused(
        &label("edgec", "given"),
        3,
        "2 tokens have the label `edgec`",
    );
    assert_eq!(sandbox.read("hello.cwasm"), before);

    // Files that are not modules: another kind of library, no library, no file.
    for (name, says) in [
        ("key.pub.pem", "error[pkcs11]: key.pub.pem: "),
        ("missing.so", "error[io]: missing.so: "),
    ] {
        let labels = ["--pkcs11-token", "edgec", "--pkcs11-key", "given"];
        let sign = ["sign", "hello.cwasm", "--pkcs11-module", name];
        let error = sandbox.fails(3, &[&sign[..], &labels].concat());
        assert!(error.contains(says), "{error}");
    }
    let alone = ["sign", "hello.cwasm", "--pkcs11-module", "x.so"];
    sandbox.fails(2, &alone);
}
