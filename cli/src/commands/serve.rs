//! `edgec serve`: a host of `wasi:http` programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_host::config::{AdminAddress, ApplicationConfig, PolicyConfig, StoreConfig, TlsConfig};
use edgec_host::{ConfigFile, Host, Policy, ServeConfig, application_in, run_until_signal};
use edgec_loader::store::ArtifactStore;
use edgec_loader::{LoadError, verifier};

use crate::Outcome;
use crate::failure::Failure;
use crate::failures::loader::{file_failure, store_failure};
use crate::failures::serve::{config_file_failure, host_failure};
use crate::render::outln;
use crate::trust::{Trust, TrustArguments};
use crate::{render, signals};

/// Serve programs of wasi:http, from artifact files or from a store
///
/// Each request gets a new instance, and limits hold for every program and every client. A host
/// takes artifacts of the profile `edge` only, because only their programs can be interrupted.
/// SIGTERM ends it, after the requests that run are answered.
///
/// With `--config`, a file says what is served, where, and within which limits (docs/serve.md).
/// Without it, the named artifacts are served. With `--store` and without `--config`, they are
/// admitted to the store first, a name stands for what the store has, and newer versions in the
/// store are taken while requests run. Changes of the file take effect while the host runs, and
/// SIGHUP makes it read the file at once.
#[derive(Clone, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    /// The configuration (TOML, docs/serve.md)
    #[arg(long, value_name = "FILE", help_heading = "What is served")]
    config: Option<PathBuf>,
    /// The store of the artifacts; the configuration's own is ignored
    #[arg(long, value_name = "DIR", help_heading = "What is served")]
    store: Option<PathBuf>,
    /// An address for HTTP, such as 127.0.0.1:8080; repeatable
    #[arg(long, value_name = "ADDRESS", help_heading = "Where")]
    addr: Vec<SocketAddr>,
    /// An address for HTTP over TLS; repeatable
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "tls_cert",
        help_heading = "Where"
    )]
    tls_addr: Vec<SocketAddr>,
    /// The certificate in PEM, followed by those between it and its root
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Where"
    )]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Where"
    )]
    tls_key: Option<PathBuf>,
    /// A Unix socket for HTTP; repeatable
    #[arg(long, value_name = "PATH", help_heading = "Where")]
    unix: Vec<PathBuf>,
    /// The admin interface: a loopback address, or unix:/PATH
    #[arg(long, value_name = "ADDRESS", help_heading = "Where")]
    admin: Option<AdminAddress>,
    /// Artifacts; with --store, also names of applications in the store
    #[arg(
        value_name = "ARTIFACT",
        required_unless_present = "config",
        conflicts_with = "config",
        help_heading = None::<&str>
    )]
    artifacts: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (config, policy, file) = configured(arguments)?;
    let host = Host::open(config, policy).map_err(|error| host_failure(&error))?;
    if let Some(file) = file {
        host.follow(file);
    }
    for application in host.applications() {
        if let Some(version) = application.version() {
            let (name, number) = (render::safe(application.name()), version.manifest().version);
            let (mode, interface) = (version.report().mode, version.program().interface());
            outln!("{name} version {number} ({mode}, wasi:http {interface})");
        }
    }
    let listening = |address: &str| outln!("{}", render::safe(address));
    let ended = signals::handled_by_work(|| run_until_signal(host, listening));
    ended.map_err(|error| host_failure(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration, the policy if the command line names one, and the file of the configuration.
fn configured(
    arguments: &Arguments,
) -> Result<(ServeConfig, Option<Policy>, Option<ConfigFile>), Failure> {
    let trust = match arguments.trust.is_named() || arguments.config.is_none() {
        true => Some(arguments.trust.resolve()?),
        false => None,
    };
    let own = arguments.clone();
    let file = arguments.config.as_ref();
    let file = file.map(|file| ConfigFile::new(file).adjusted(move |it| adjust(&own, it)));
    let mut config = match (&file, &arguments.config) {
        (Some(file), Some(path)) => {
            let config = file.read();
            config.map_err(|error| config_file_failure(&error, path))?
        }
        _ => {
            let mut config = ServeConfig::default();
            adjust(arguments, &mut config);
            config
        }
    };
    if let Some(trust) = &trust {
        for artifact in &arguments.artifacts {
            config
                .applications
                .push(application(arguments, artifact, trust)?);
        }
    }
    let policy = match (trust, arguments.trust.file()) {
        (Some(trust), None) => Some(Policy::fixed(trust.policy)),
        // The file is read again while the host runs.
        (Some(_), Some(_)) | (None, _) => None,
    };
    Ok((config, policy, file))
}

/// What the command line says about store, policy and addresses.
fn adjust(arguments: &Arguments, config: &mut ServeConfig) {
    if let Some(store) = &arguments.store {
        config.store = Some(StoreConfig::new(store));
    }
    if let Some((file, roots)) = arguments.trust.file() {
        let mut followed = PolicyConfig::new(file);
        followed.roots = roots.to_vec();
        followed.state = arguments.trust.state();
        config.policy = Some(followed);
    }
    let listen = &mut config.listen;
    listen.http.extend(&arguments.addr);
    listen.https.extend(&arguments.tls_addr);
    listen.unix.extend(arguments.unix.iter().cloned());
    if let Some(admin) = &arguments.admin {
        listen.admin = Some(admin.clone());
    }
    if let (Some(cert), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        listen.tls = Some(TlsConfig::new(cert, key));
    }
}

/// An application of the command line. With several, each answers for its own path: its name.
fn application(
    arguments: &Arguments,
    artifact: &Path,
    trust: &Trust,
) -> Result<ApplicationConfig, Failure> {
    let mut config = match &arguments.store {
        Some(store) => in_store(store, artifact, trust)?,
        None => application_in(artifact, &trust.policy, &trust.expected)
            .map_err(|error| file_failure(&error, artifact))?,
    };
    if arguments.artifacts.len() > 1 {
        let path = format!("/{}", config.name).parse();
        config.path = path.map_err(|what: String| {
            let failure = Failure::usage("serve-config", what).about(artifact.display());
            failure.hint("several artifacts answer for the paths of their names; use --config")
        })?;
    }
    Ok(config)
}

/// Admits a file, or takes a name.
fn in_store(at: &Path, artifact: &Path, trust: &Trust) -> Result<ApplicationConfig, Failure> {
    let name = artifact
        .to_str()
        .filter(|name| verifier::check_name(name).is_ok());
    if let (Some(name), false) = (name, artifact.exists()) {
        return Ok(ApplicationConfig::new(name));
    }
    let opened = ArtifactStore::create_new(at);
    let (store, new) = opened.map_err(|error| store_failure(&error))?;
    let added = store.add(artifact, &trust.policy, &trust.expected);
    let added = added.map_err(|error| file_failure(&LoadError::from(error), artifact))?;
    if let Some(new) = new {
        new.keep();
    }
    let mut config = ApplicationConfig::new(added.manifest.name);
    config.channel = added.manifest.channel;
    Ok(config)
}
