//! Shields a process that holds a key, a passphrase or a PIN.

use std::sync::Once;

use crate::failure::Failure;

/// Prevents other processes of this user from reading this process's memory and environment, and
/// the system from writing them into a core file. Call it before a secret is read. On systems other
/// than Linux it only prevents core files: `PT_DENY_ATTACH` of macOS would need unsafe code, and a
/// debugger can skip it.
pub(crate) fn shield() {
    static SHIELD: Once = Once::new();
    SHIELD.call_once(|| {
        if let Err(error) = raise_shield() {
            Failure::environment("shield", &error)
                .about("this process")
                .hint("other processes of this user may read its memory: sign elsewhere")
                .print_warning();
        }
    });
}

#[cfg(unix)]
fn raise_shield() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn raise_shield() -> std::io::Result<()> {
    Ok(())
}
