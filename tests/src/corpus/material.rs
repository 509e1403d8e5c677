//! The material for attacks: keys, and artifacts that the real binary built.

use std::sync::OnceLock;

use edgec_packager::SecretKey;

use crate::Sandbox;

/// What `examples/hello.wat` prints.
pub const GREETING: &str = "Hello from the edge!\n";

/// Real keys and artifacts, made once in each process.
pub struct Material {
    /// The key that hosts trust.
    pub signer: SecretKey,
    /// A key that some hosts trust as well.
    pub other: SecretKey,
    /// A key that no host trusts.
    pub attacker: SecretKey,
    /// The example for this machine.
    pub hello: Vec<u8>,
    /// The example for the other CPU family.
    pub foreign: Vec<u8>,
    /// A core module for this machine.
    pub module: Vec<u8>,
    /// Another program for this machine; it prints `EVIL`.
    pub evil: Vec<u8>,
    /// An empty component for this machine: the smallest artifact.
    pub smallest: Vec<u8>,
}

/// The material of this process. The signer has signed the artifacts.
pub fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    MATERIAL.get_or_init(|| {
        let sandbox = Sandbox::new();
        let key = |name: &str| {
            let pem = String::from_utf8(sandbox.read(name)).unwrap();
            SecretKey::from_pem(&pem).unwrap()
        };
        sandbox.ok(&["keygen", "-o", "other.pem"]);
        sandbox.ok(&["keygen", "-o", "attacker.pem"]);
        let hello = sandbox.hello();
        let text = std::fs::read_to_string(crate::repository().join("examples/hello.wat"));
        let text = text.unwrap();
        sandbox.write("hello.wat", &text);
        let evil = "EVIL".repeat(5) + "\\n";
        sandbox.write("evil.wat", text.replace("Hello from the edge!\\n", &evil));
        sandbox.write("module.wat", "(module (func (export \"f\")))");
        sandbox.write("smallest.wat", "(component)");
        let here = std::env::consts::ARCH;
        let there = edgec_targets::all().find(|target| target.arch.name() != here);
        let build = |input: &str, target: &str| {
            sandbox.build(input, target, "built.cwasm");
            sandbox.read("built.cwasm")
        };
        Material {
            signer: key("key.pem"),
            other: key("other.pem"),
            attacker: key("attacker.pem"),
            foreign: build("hello.wat", there.unwrap().id),
            module: build("module.wat", here),
            evil: build("evil.wat", here),
            smallest: build("smallest.wat", here),
            hello,
        }
    })
}
