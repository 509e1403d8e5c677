//! Signals to `edgec sync` while a registry does not answer: the work ends, and one round that did
//! not come to its end is not a success.

use std::net::TcpListener;
use std::process::Stdio;

use edgec_tests::{Sandbox, words};
use rustix::process::{Pid, Signal, kill_process};

use crate::sync::FLEET;

/// The exit code of `edgec sync` with these arguments, after SIGTERM.
fn ended(arguments: &str) -> Option<i32> {
    let registry = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new();
    let reference = format!("{}/shop:stable", registry.local_addr().unwrap());
    let fleet = FLEET.replace("oci-layout:layout:stable", &reference);
    sandbox.write_secret("fleet.toml", fleet);
    let line = format!("sync fleet.toml --store store --key key.pub.pem {arguments}");
    let mut command = sandbox.command(&words(&line));
    let sync = command.stderr(Stdio::null()).spawn().unwrap();
    // It asks, and gets no answer.
    let _asked = registry.accept().unwrap();
    kill_process(Pid::from_child(&sync), Signal::TERM).unwrap();
    sync.wait_with_output().unwrap().status.code()
}

#[test]
fn one_round_that_a_signal_ends_is_not_a_success() {
    assert_eq!(ended("--once"), Some(3));
}

#[test]
fn a_signal_ends_the_work_well() {
    assert_eq!(ended(""), Some(0));
}
