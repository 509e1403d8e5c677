//! Serves until the host is told to end: accepts connections, refreshes, drains.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::LogLevel;
use crate::host::Host;
use crate::listener::{Certificates, Listener, Listeners};
use crate::wake::Wake;
use crate::{HostError, Limit, admin, connection, resident};

/// How often files are read again if no store says it.
const REFRESH: Duration = Duration::from_secs(1);

/// What ends a host.
#[derive(Debug)]
pub struct Stop(Ends);

#[derive(Debug)]
enum Ends {
    Signals(Signal, Signal),
    Told(watch::Receiver<bool>),
}

impl Stop {
    /// SIGTERM or SIGINT. Call it in a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`HostError::System`] if the system refuses the handlers.
    pub fn on_signals() -> Result<Self, HostError> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self(Ends::Signals(
            handler(terminate)?,
            handler(interrupt)?,
        )))
    }

    /// A program's own decision: `true`, or the end of the sender.
    pub fn told(told: watch::Receiver<bool>) -> Self {
        Self(Ends::Told(told))
    }

    async fn wait(&mut self) {
        match &mut self.0 {
            Ends::Signals(terminate, interrupt) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            Ends::Told(told) => {
                let _ = told.wait_for(|told| *told).await;
            }
        }
    }
}

/// Listens, and serves until `stop`. Then it answers what runs, and closes the connections.
/// `listening` gets each address at which the host listens, as text. Call it in a Tokio runtime.
///
/// # Errors
///
/// [`HostError`] if the host cannot listen.
pub async fn serve(
    host: Arc<Host>,
    mut stop: Stop,
    listening: impl Fn(&str),
) -> Result<(), HostError> {
    let listeners = Listeners::open(&host.config().listen)?;
    // Dropping this ends the host's threads and connections.
    let (tell, told) = watch::channel(false);
    // Each connection has a sender as long as it lives.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    if let Some(certificates) = &listeners.certificates {
        tell_exposure(&host, certificates);
    }
    let refreshing = refresh(&host, listeners.certificates, told.clone())?;
    resident::keep(&host)?;
    // Dropping a set ends its tasks, and closes their sockets.
    let mut admin = JoinSet::new();
    if let Some(socket) = listeners.admin {
        listening(&format!("{} (admin)", socket.address("http")));
        admin.spawn(admin::serve(Arc::clone(&host), socket));
    }
    let mut accepting = JoinSet::new();
    for listener in listeners.public {
        let scheme = if listener.tls.is_some() {
            "https"
        } else {
            "http"
        };
        listening(&listener.socket.address(scheme));
        accepting.spawn(accept(
            Arc::clone(&host),
            listener,
            told.clone(),
            alive.clone(),
        ));
    }
    drop((told, alive));
    tokio::select! {
        () = stop.wait() => {}
        // Otherwise the host would serve programs that were revoked meanwhile.
        () = refreshing => {
            let what = "the thread that refreshes has ended";
            let source = io::Error::other("it failed");
            return Err(HostError::System { what, source });
        }
    }
    host.drain();
    // New connections go elsewhere.
    accepting.shutdown().await;
    tell.send_replace(true);
    drain(&host, &mut all_gone).await;
    admin.shutdown().await;
    Ok(())
}

/// Like [`serve`], in a runtime of its own, until SIGTERM or SIGINT. SIGHUP begins a refresh at
/// once.
///
/// # Errors
///
/// [`HostError`] if the host cannot listen, or the system gives no threads.
pub fn run_until_signal(host: Arc<Host>, listening: impl Fn(&str)) -> Result<(), HostError> {
    let what = "no threads can be started";
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| HostError::System { what, source })?;
    let telemetry = Arc::clone(host.telemetry());
    let served = runtime.block_on(async {
        tokio::spawn(refresh_on(
            handler(SignalKind::hangup())?,
            Arc::clone(host.wake()),
        ));
        serve(host, Stop::on_signals()?, listening).await
    });
    // Programs that compute may still run. They belong to connections that were cut.
    runtime.shutdown_background();
    telemetry.flush();
    served
}

/// Handles a signal from now on.
fn handler(kind: SignalKind) -> Result<Signal, HostError> {
    let what = "signals cannot be handled";
    signal(kind).map_err(|source| HostError::System { what, source })
}

/// Begins a refresh at each of these signals.
async fn refresh_on(mut signal: Signal, wake: Arc<Wake>) {
    while signal.recv().await.is_some() {
        wake.ring();
    }
}

/// Waits until what runs is answered, within a time.
async fn drain(host: &Host, all_gone: &mut mpsc::Receiver<()>) {
    let (log, limits) = (host.telemetry(), &host.config().limits);
    let patience = limits.drain_time.get();
    let what = format!("a drain begins; connections have {patience:?} to end");
    log.log(LogLevel::Info, None, what);
    match timeout(patience, all_gone.recv()).await {
        Ok(_) => log.log(
            LogLevel::Info,
            None,
            "the drain has ended: all connections are closed",
        ),
        Err(_) => {
            let what = format!("connections were still open after {patience:?}, and were cut");
            log.log(LogLevel::Warn, None, what);
        }
    }
}

/// Accepts connections, and serves as many as there may be at one time. The next one of each
/// listener waits here, and those behind it wait in the system's backlog.
async fn accept(
    host: Arc<Host>,
    listener: Listener,
    told: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    loop {
        let stream = match listener.socket.accept().await {
            Ok(stream) => stream,
            // For example, too many files are open. The connections that are served go on.
            Err(error) => {
                host.telemetry()
                    .log(LogLevel::Warn, None, format!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let peer = match stream.address().map(|address| host.peers().enter(address)) {
            Some(None) => {
                host.telemetry().limit_hit(None, Limit::AddressConnections);
                continue;
            }
            peer => peer.flatten(),
        };
        // After the connection has come: a listener without clients takes no place.
        if host.connections().free() == 0 {
            host.telemetry().limit_hit(None, Limit::Connections);
        }
        let permit = host.connections().later().await;
        let (host, tls) = (Arc::clone(&host), listener.tls.clone());
        let (told, alive) = (told.clone(), alive.clone());
        tokio::spawn(async move {
            let _held = (peer, permit, alive);
            connection::serve(host, stream, tls, told).await;
        });
    }
}

/// The log says who else can read or replace the private key.
fn tell_exposure(host: &Host, certificates: &Certificates) {
    if let Some(what) = certificates.exposure() {
        host.telemetry().log(LogLevel::Warn, None, what);
    }
}

/// Reads configuration, policy, store and certificates again, in a thread of its own, because that
/// may wait for a disk. The thread ends after the host has stopped. The result ends if the thread
/// ends.
fn refresh(
    host: &Arc<Host>,
    certificates: Option<Arc<Certificates>>,
    told: watch::Receiver<bool>,
) -> Result<impl Future<Output = ()> + use<>, HostError> {
    let store = host.config().store.as_ref();
    let period = store.map_or(REFRESH, |store| store.refresh.get());
    let (host, wake) = (Arc::downgrade(host), Arc::clone(host.wake()));
    // Nothing is sent: if the thread ends, its sender is dropped, and the receiver notices.
    let (running, mut ended) = mpsc::channel::<()>(1);
    let work = move || {
        let _running = running;
        let mut trouble = None;
        loop {
            wake.wait(period.max(Duration::from_millis(10)));
            // A drain goes on with refreshes: what runs may still be revoked.
            let (Some(host), Ok(_)) = (host.upgrade(), told.has_changed()) else {
                return;
            };
            host.refresh();
            let refreshed = certificates.as_ref().map(|it| it.refresh());
            if let (Some(certificates), Some(Ok(true))) = (&certificates, &refreshed) {
                tell_exposure(&host, certificates);
            }
            let now = match refreshed {
                None => None,
                Some(Ok(false)) => {
                    if trouble.is_some() {
                        let what = "the certificate can be read again";
                        host.telemetry().log(LogLevel::Info, None, what);
                    }
                    None
                }
                Some(Ok(true)) => {
                    let what = "another certificate is in use";
                    host.telemetry().log(LogLevel::Info, None, what);
                    None
                }
                Some(Err(error)) => Some(edgec_loader::error_chain(&error)),
            };
            // A trouble that lasts is told once.
            if let Some(what) = &now
                && now != trouble
            {
                host.telemetry().log(LogLevel::Error, None, what);
            }
            trouble = now;
        }
    };
    let thread = std::thread::Builder::new()
        .name("refresh".to_owned())
        .spawn(work);
    let what = "no thread can be started";
    thread.map_err(|source| HostError::System { what, source })?;
    Ok(async move {
        let _ = ended.recv().await;
    })
}
