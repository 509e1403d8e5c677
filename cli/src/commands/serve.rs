//! `edgec serve`: a host of `wasi:http` programs.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use edgec_host::config::{
    AdminAddress, ApplicationConfig, PolicyConfig, StatementFiles, StoreConfig, TlsConfig,
};
use edgec_host::{ConfigFile, Host, Policy, ServeConfig, application_in, run_until_signal};
use edgec_loader::store::ArtifactStore;
use edgec_loader::{LoadError, verifier};

use crate::Outcome;
#[cfg(feature = "registry")]
use crate::commands::sync::inside::Inside;
use crate::companion::StatementArguments;
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
/// Without it, the named artifacts are served: one answers for all paths, and several answer each
/// for the path of its name, such as /acme/shop. With `--store` and without `--config`, they are
/// admitted to the store first, a name stands for what the store has, and newer versions in the
/// store are taken while requests run. Changes of the file take effect while the host runs, and
/// SIGHUP makes it read the file at once.
#[derive(Clone, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Trust")]
    statements: StatementArguments,
    /// The configuration (TOML, docs/serve.md)
    #[arg(long, value_name = "FILE", help_heading = "What is served")]
    config: Option<PathBuf>,
    /// The store of the artifacts; the configuration's own is ignored
    #[arg(long, value_name = "DIR", help_heading = "What is served")]
    store: Option<PathBuf>,
    /// An address for HTTP, such as 127.0.0.1:8080; repeatable
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Where")]
    addr: Vec<SocketAddr>,
    /// An address for HTTP over TLS; repeatable
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = address,
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
    /// Artifacts, each of another application; with --store, also names of applications in it
    #[arg(
        value_name = "ARTIFACT",
        conflicts_with = "config",
        help_heading = None::<&str>
    )]
    artifacts: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (config, policy, file) = configured(arguments)?;
    let inside = Cell::new(inside(&config, arguments)?);
    let host = Host::open(config, policy).map_err(|error| host_failure(&error))?;
    if let Some(file) = file {
        host.follow(file);
    }
    for application in host.applications() {
        if let Some(version) = application.version() {
            let (name, number) = (
                render::safe(application.label()),
                version.manifest().version,
            );
            let (mode, interface) = (version.report().mode, version.program().interface());
            outln!("{name} version {number} ({mode}, wasi:http {interface})");
        }
    }
    let paths = paths(arguments, &host);
    let telemetry = Arc::clone(host.telemetry());
    let listening = |address: &str| {
        if let Some(inside) = inside.take() {
            inside.start(address, Arc::clone(&telemetry));
        }
        for line in lines(address, &paths) {
            outln!("{}", render::safe(&line));
        }
    };
    let ended = signals::handled_by_work(|| run_until_signal(host, listening));
    ended.map_err(|error| host_failure(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// What keeps the store current, if the configuration asks for it.
#[cfg(feature = "registry")]
fn inside(config: &ServeConfig, arguments: &Arguments) -> Result<Option<Inside>, Failure> {
    Inside::of(config, &arguments.trust)
}

/// An edgec without the feature `registry` keeps no store current.
#[cfg(not(feature = "registry"))]
fn inside(config: &ServeConfig, _: &Arguments) -> Result<Option<Inside>, Failure> {
    match config.sync {
        None => Ok(None),
        Some(_) => Err(Failure::usage("serve-config", "this edgec has no `[sync]`")
            .hint("use one with the feature `registry`, or run `edgec sync` of another one")),
    }
}

/// Nothing has this type.
#[cfg(not(feature = "registry"))]
enum Inside {}

#[cfg(not(feature = "registry"))]
impl Inside {
    fn start(self, _: &str, _: Arc<edgec_host::Telemetry>) {
        match self {}
    }
}

/// The paths of the artifacts that the command line names, if there are several.
fn paths(arguments: &Arguments, host: &Host) -> Vec<String> {
    let applications = match arguments.artifacts.len() {
        0 | 1 => Vec::new(),
        _ => host.applications(),
    };
    let paths = applications.iter();
    paths
        .map(|it| it.config().path.as_str().to_owned())
        .collect()
}

/// The lines about an address at which the host listens: the URL of each path, if there are some.
fn lines(address: &str, paths: &[String]) -> Vec<String> {
    if paths.is_empty() || address.ends_with("(admin)") {
        return vec![address.to_owned()];
    }
    let url = |path: &String| match address.contains("://") {
        true => format!("{address}{path}"),
        // The address of a Unix socket is a path too.
        false => format!("{address} at {path}"),
    };
    paths.iter().map(url).collect()
}

/// The configuration, the policy if the command line names one, and the file of the configuration.
fn configured(
    arguments: &Arguments,
) -> Result<(ServeConfig, Option<Policy>, Option<ConfigFile>), Failure> {
    if arguments.artifacts.is_empty() && arguments.config.is_none() {
        return Err(
            Failure::usage("usage", "nothing is named that could be served")
                .hint("name artifacts, or a configuration with --config"),
        );
    }
    let statements = statement_files(arguments);
    if arguments.config.is_some() && statements != StatementFiles::default() {
        let what = "the configuration names the statements of its applications";
        let hint = "write `statements` under [[application]] (docs/serve.md)";
        return Err(Failure::usage("serve-config", what).hint(hint));
    }
    let trust = match arguments.trust.is_named() || arguments.config.is_none() {
        true => Some(arguments.trust.resolve_with(&arguments.statements)?),
        false => None,
    };
    let own = arguments.clone();
    let file = arguments.config.as_ref();
    let file = file.map(|file| ConfigFile::new(file).adjusted(move |it| adjust(&own, it)));
    let mut config = match &file {
        Some(file) => file.read().map_err(|error| config_file_failure(&error))?,
        None => {
            let mut config = ServeConfig::default();
            adjust(arguments, &mut config);
            config
        }
    };
    if let Some(trust) = &trust {
        config.applications.extend(applications(arguments, trust)?);
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

/// The applications of the command line. With several, each answers for its own path: its name.
fn applications(arguments: &Arguments, trust: &Trust) -> Result<Vec<ApplicationConfig>, Failure> {
    let artifacts = &arguments.artifacts;
    let mut applications = Vec::new();
    let mut seen: BTreeMap<String, &Path> = BTreeMap::new();
    for artifact in artifacts {
        let mut config = application(arguments, artifact, trust)?;
        if let Some(first) = seen.insert(config.name.clone(), artifact) {
            let name = &config.name;
            let message = format!("this is `{name}`, and so is {}", first.display());
            let failure = Failure::usage("serve-config", message).about(artifact.display());
            return Err(failure.hint(
                "name each application once; with --config, each channel of it can have a host or \
                 a path of its own",
            ));
        }
        if artifacts.len() > 1 {
            let path = format!("/{}", config.name).parse();
            config.path = path.map_err(|what: String| {
                let failure = Failure::usage("serve-config", what).about(artifact.display());
                failure.hint("several artifacts answer for the paths of their names; use --config")
            })?;
        }
        applications.push(config);
    }
    // Only now: a command line that is refused changes nothing.
    if let Some(store) = &arguments.store {
        for (config, artifact) in applications.iter_mut().zip(artifacts) {
            if config.artifact.take().is_some() {
                admit(store, artifact, trust)?;
            }
        }
    }
    Ok(applications)
}

/// An application in a file, or in the store if a name is given.
fn application(
    arguments: &Arguments,
    artifact: &Path,
    trust: &Trust,
) -> Result<ApplicationConfig, Failure> {
    let name = artifact
        .to_str()
        .filter(|name| verifier::check_name(name).is_ok());
    match (name, &arguments.store) {
        (Some(name), Some(_)) if !artifact.exists() => Ok(ApplicationConfig::new(name)),
        _ => {
            let config = application_in(artifact, &trust.policy, &trust.expected);
            let mut config = config.map_err(|error| file_failure(&error, artifact))?;
            // A store keeps the statements itself.
            if arguments.store.is_none() {
                config.statements = statement_files(arguments);
            }
            Ok(config)
        }
    }
}

/// The files of the statements beside the artifacts of the command line.
fn statement_files(arguments: &Arguments) -> StatementFiles {
    let mut files = arguments.statements.files();
    arguments.trust.add_to(&mut files);
    files
}

/// Admits a file to the store.
fn admit(at: &Path, artifact: &Path, trust: &Trust) -> Result<(), Failure> {
    let opened = ArtifactStore::create_new(at);
    let (store, new) = opened.map_err(|error| store_failure(&error))?;
    let added = store.add(artifact, &trust.policy, &trust.expected);
    added.map_err(|error| file_failure(&LoadError::from(error), artifact))?;
    if let Some(new) = new {
        new.keep();
    }
    Ok(())
}

/// An address with its port.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or(8080);
        format!(
            "write an IP address and a port, such as 127.0.0.1:{port} for this machine, or \
             0.0.0.0:{port} for others too"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_artifact_has_its_own_url() {
        let paths = ["/acme/shop".to_owned(), "/blog".to_owned()];
        let http = "http://127.0.0.1:8080";
        let urls = [
            "http://127.0.0.1:8080/acme/shop",
            "http://127.0.0.1:8080/blog",
        ];
        assert_eq!(lines(http, &paths), urls);
        assert_eq!(lines(http, &[]), [http]);
        let at = ["unix:/run/x at /acme/shop", "unix:/run/x at /blog"];
        assert_eq!(lines("unix:/run/x", &paths), at);
        let admin = "http://127.0.0.1:9090 (admin)";
        assert_eq!(lines(admin, &paths), [admin]);
    }

    #[test]
    fn an_address_without_a_number_is_explained() {
        assert!(address("127.0.0.1:8080").is_ok() && address("[::1]:80").is_ok());
        for (text, says) in [
            ("8080", "127.0.0.1:8080"),
            (":9000", "127.0.0.1:9000"),
            ("localhost:81", "0.0.0.0:81"),
            ("here", "127.0.0.1:8080"),
        ] {
            let error = address(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
