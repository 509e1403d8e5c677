//! Keys, passphrases, signing programs and tokens.

use super::{Explanation, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Keys and signers",
    about: "Errors of keys, passphrases, signing programs and tokens. None of them repeats a secret.",
    errors: &[
        Explanation {
            code: "no-key",
            what: "No signing key was named.",
            remedy: "Name it with `--key` or EDGEC_KEY, or use `--signer` or a token. If CI is set, \
                 no development key is made (docs/keys.md).",
        },
        Explanation {
            code: "public-key",
            what: "A public key is missing, or cannot be read.",
            remedy: "Public keys are Ed25519 (in PEM, base64 or OpenSSH form) or ML-DSA-65 (in PEM). If a \
                 private key was named, use the public one: `edgec keys show` shows both.",
        },
        Explanation {
            code: "secret-key",
            what: "The private key cannot be read or written.",
            remedy: "Private keys are Ed25519 or ML-DSA-65 in PKCS#8, as `edgec keygen` and `openssl \
                 genpkey` write them. The hint has the command for other forms.",
        },
        Explanation {
            code: "encoding",
            what: "The key is not written in this encoding.",
            remedy: "Raw base64 and OpenSSH's line hold one Ed25519 key. `--as pem` writes every \
                 key, also that of ML-DSA-65 and both keys of a hybrid signer.",
        },
        Explanation {
            code: "passphrase",
            what: "The passphrase is wrong, or cannot be read.",
            remedy: "Give it in a file (`--passphrase-file`), in EDGEC_PASSPHRASE, or on the \
                 terminal.",
        },
        Explanation {
            code: "no-passphrase",
            what: "The key is encrypted, and no passphrase was given.",
            remedy: "Without a terminal, name a file that holds it with `--passphrase-file`, or set \
                 EDGEC_PASSPHRASE.",
        },
        Explanation {
            code: "not-encrypted",
            what: "A passphrase was given for a key that is not encrypted.",
            remedy: "Leave the option out, or encrypt the key with the command in the hint.",
        },
        Explanation {
            code: "key-variable",
            what: "The variable that `--key env:NAME` names cannot be used.",
            remedy: "Write the name of the variable after `env:`. It must be set, and hold the text \
                 of the key.",
        },
        Explanation {
            code: "key-permissions",
            what: "Other users can read or change the private key.",
            remedy: "`chmod 600 FILE`. If others could read it for a time, replace the key.",
        },
        Explanation {
            code: "secret-permissions",
            what: "Other users can read or change the file of a passphrase or PIN.",
            remedy: "`chmod 600 FILE`. If others could read it for a time, replace the secret.",
        },
        Explanation {
            code: "key-folder",
            what: "Other users can replace the file of the private key.",
            remedy: "The folders above the file must belong to you or to root, and only their owners \
                 may write to them.",
        },
        Explanation {
            code: "secret-folder",
            what: "Other users can replace the file of a passphrase or PIN.",
            remedy: "The folders above the file must belong to you or to root, and only their owners \
                 may write to them.",
        },
        Explanation {
            code: "key-argument",
            what: "A public key was given as an argument instead of its file's name.",
            remedy: "Write it to a file, and name the file.",
        },
        Explanation {
            code: "secret-argument",
            what: "An argument or a variable looks like a secret key.",
            remedy: "Arguments are visible to other processes and to logs: replace the key if it is \
                 in use. Name the key's file, or use `--key -` (standard input) or `--key \
                 env:NAME` (a variable's content).",
        },
        Explanation {
            code: "other-key",
            what: "The private key and the public key do not belong together.",
            remedy: "Name the public key of the signer with `--public-key`.",
        },
        Explanation {
            code: "signer",
            what: "The signing program cannot be started, or failed.",
            remedy: "`--signer` takes a program and its arguments. It reads the bytes to sign from \
                 standard input, and writes 64 bytes (docs/keys.md).",
        },
        Explanation {
            code: "signer-timeout",
            what: "The signing program took too long.",
            remedy: "`--signer-timeout SECONDS` gives it more time. It may be waiting for a person.",
        },
        Explanation {
            code: "pkcs11",
            what: "The token reported an error.",
            remedy: "The message has the token's reason. The token must have an Ed25519 key and the \
                 mechanism CKM_EDDSA.",
        },
        Explanation {
            code: "pkcs11-label",
            what: "No token or key has this label, or several have it.",
            remedy: "The message lists what is there. Labels must be unique.",
        },
        Explanation {
            code: "pin",
            what: "The token does not accept the PIN.",
            remedy: "A token locks itself after a few wrong PINs. Its security officer can unlock it.",
        },
        Explanation {
            code: "terminal",
            what: "The terminal gave no passphrase.",
            remedy: "Without a terminal, give it in a file or a variable.",
        },
        Explanation {
            code: "no-home",
            what: "There is no folder for the development key.",
            remedy: "Set HOME, or name a key with `--key`.",
        },
        Explanation {
            code: "random",
            what: "The system gave no random numbers.",
            remedy: "No key was made. Try again.",
        },
        Explanation {
            code: "shield",
            what: "edgec could not keep other processes from reading its memory.",
            remedy: "This is a warning. Other processes of this user may be able to read the key.",
        },
    ],
};
