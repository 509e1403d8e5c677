//! `edgec dev`: builds a program, serves it on this machine, and does both again at each change of
//! its file.
//!
//! Each build is a process of its own (`edgec build`), so this process, in which the program runs,
//! never holds a key. A build that fails changes nothing: the old version goes on.

mod build;
mod changes;
mod key;
mod serving;
mod shelf;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use edgec_host::ServeConfig;
use edgec_verifier::TrustPolicy;

use self::build::Builder;
use self::changes::Version;
use self::key::Trusted;
use self::serving::Serving;
use self::shelf::Shelf;
use self::watch::Watched;
use crate::Outcome;
use crate::failure::Failure;
use crate::render::{self, outln};
use crate::{files, naming, signals};

/// How often the file is looked at. Looking costs some microseconds.
const INTERVAL: Duration = Duration::from_millis(50);

/// Build a program, serve it on this machine, and do both again when its file changes
///
/// edgec compiles the program for this machine with the edge profile, signs it with the development
/// key (or --key), and serves it on a loopback address. It looks at the file all the time. After a
/// change, it builds the file again, takes the new version without a failed request, and prints
/// what has changed. If a build fails, the old version goes on. Ctrl-C ends it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The program: a component that exports `wasi:http`, binary (.wasm) or text (.wat)
    input: PathBuf,
    /// The address to serve at; a port of 0 means any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = loopback, help_heading = "Serving")]
    addr: SocketAddr,
    /// A configuration of `edgec serve`: the application of this name in it says what the program
    /// may use (variables, outbound hosts, key-value stores, limits)
    #[arg(long, value_name = "FILE", help_heading = "Serving")]
    config: Option<PathBuf>,
    /// The application's name [default: the file's name without its ending]
    #[arg(long, help_heading = "Serving")]
    name: Option<String>,
    /// The private key that signs, as `edgec build` takes it
    /// [env: EDGEC_KEY] [default: the development key]
    #[arg(long, value_name = "FILE", help_heading = "Who signs")]
    key: Option<PathBuf>,
    /// The public key of --key [default: the file beside it with the ending .pub.pem]
    #[arg(long, value_name = "FILE", help_heading = "Who signs")]
    public_key: Option<PathBuf>,
    /// More options of `edgec build`, after `--`, such as `-- -O1`
    #[arg(last = true, value_name = "OPTION", help_heading = None::<&str>)]
    build: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let input = &arguments.input;
    let name = naming::application(input, arguments.name.as_deref())?;
    // Says that there is no such file, before anything is made.
    files::read(input)?;
    let trusted = Trusted::find(arguments.key.as_deref(), arguments.public_key.as_deref())?;
    let shelf = Shelf::open(input, &name)?;
    let config = arguments.config.as_deref();
    let config = serving::configuration(config, &name, arguments.addr, shelf.path())?;
    let builder = Builder::new(input, &name, &trusted, &arguments.build)?;
    let session = Session {
        config,
        name,
        trusted,
        shelf,
        builder,
    };
    let mut watched = Watched::new(input);
    let (serving, first) = session.first(&mut watched)?;
    // From now on, the server handles signals: it answers what runs, and ends.
    signals::handled_by_work(|| session.follow(&serving, first, &mut watched));
    serving.end()?;
    Ok(ExitCode::SUCCESS)
}

/// What all versions have in common.
struct Session {
    config: ServeConfig,
    name: String,
    trusted: Trusted,
    shelf: Shelf,
    builder: Builder,
}

/// A version that the store has.
struct Built {
    version: Version,
    policy: TrustPolicy,
    /// How long the build took.
    building: Duration,
}

impl Session {
    /// Builds and serves the first version.
    fn first(&self, watched: &mut Watched) -> Result<(Serving, Version), Failure> {
        watched.mark();
        let built = self.build()?;
        let serving = Serving::start(self.config.clone(), &self.name, built.policy)?;
        outln!("{}", built.version.first(built.building));
        outln!("{} (Ctrl-C ends it)", render::safe(serving.address()));
        self.tidy(&built.version);
        Ok((serving, built.version))
    }

    /// Removes older versions. If that fails, the new version is served nevertheless.
    fn tidy(&self, version: &Version) {
        if let Err(failure) = self.shelf.keep_only(version.number()) {
            failure
                .or_about(self.shelf.path().display())
                .print_warning();
        }
    }

    /// Serves a new version after each change of the file, until the server ends.
    fn follow(&self, serving: &Serving, first: Version, watched: &mut Watched) {
        let mut current = first;
        while serving.is_running() {
            if !watched.has_changed() {
                if watched.is_newly_gone() {
                    outln!(
                        "{} is gone; the old version goes on until the file is there again",
                        render::safe(&watched.path().display().to_string())
                    );
                }
                sleep(INTERVAL);
                continue;
            }
            watched.mark();
            let begin = Instant::now();
            let taken = self.build().and_then(|built| {
                serving.take(&self.name, built.version.number())?;
                let served = begin.elapsed();
                outln!("{}", built.version.since(&current, built.building, served));
                self.tidy(&built.version);
                Ok(built.version)
            });
            match taken {
                Ok(version) => current = version,
                // A signal also ends the process that builds.
                Err(_) if !serving.is_running() => {}
                Err(failure) => tell(&failure),
            }
        }
    }

    /// Builds the file as it is now, and puts the result into the store.
    fn build(&self) -> Result<Built, Failure> {
        let begin = Instant::now();
        let number = self.shelf.next_version()?;
        let artifact = self.shelf.artifact();
        self.builder.build(number, &artifact)?;
        let building = begin.elapsed();
        // The first build makes the development key, if there is none.
        let policy = self.trusted.policy()?;
        let manifest = self.shelf.admit(&artifact, &policy)?;
        Ok(Built {
            version: Version::new(&manifest),
            policy,
            building,
        })
    }
}

/// Prints why there is no new version. The process that builds has printed its own errors.
fn tell(failure: &Failure) {
    if failure.code() != build::CODE {
        failure.print();
    }
    outln!("the old version goes on; edgec builds the file again when it changes");
}

fn loopback(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:8080")?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(
            "other machines can reach this address: a development server is only for \
             this one; `edgec serve` is for others",
        ),
    }
}
