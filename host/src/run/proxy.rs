//! Programs of `wasi:http` 0.2: an instance for each request.

use std::sync::Arc;
use std::time::Instant;

use edgec_loader::wasmtime::Result;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::instance::{Processor, store};
use super::{Answer, Entered};
use crate::Limit;
use crate::application::Application;
use crate::body::Watch;
use crate::failed::Failed;
use crate::fate::{Ending, Fate, Teller};
use crate::guest::GuestState;
use crate::hit::Hit;
use crate::meter::{Meter, Metered};
use crate::turn::Turn;

/// The export that is called for each request.
const EXPORT: &str = "wasi:http/incoming-handler@0.2#handle";

/// Makes an instance, and lets it answer.
pub(super) async fn run(
    program: &ProxyPre<GuestState>,
    entered: Entered,
) -> Result<Answer, Failed> {
    let Entered {
        application,
        version,
        scheme,
        request,
        permits,
        trace,
        hit,
    } = entered;
    let turn = application.turn();
    let meter = Arc::new(Meter::new(turn.length()));
    let processor = Processor::Metered(Arc::clone(&meter));
    let (spent, used) = (Arc::clone(&turn), Arc::clone(&meter));
    let mut store = store(program.engine(), &application, &hit, processor, &turn);
    store.data_mut().set_trace(trace);
    let (sender, receiver) = oneshot::channel();
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request);
    let request = request.map_err(|error| Failed::Malformed(format!("{error:#}")))?;
    let watch = Watch::default();
    let (watched, look, known) = (watch.clone(), watch.look(), watch.told());
    let response = http.new_response_outparam_from_callback(move |answer| {
        // The receiver is gone if the client is.
        let _ = sender.send(answer.map(|response| response.map(|body| watched.body(body))));
    });
    let response = response.map_err(|error| Failed::of(&error, &hit))?;
    let program = program.clone();
    let own = Arc::clone(&application);
    // A separate task, because the program goes on after it has sent the head of its response.
    let work = async move {
        // However the program ends, the instance is dropped first, and then its place is free.
        let permits = permits;
        // The image stays in use as long as its instance.
        let version = version;
        let mut store = store;
        let look = look;
        let begin = Instant::now();
        let proxy = program.instantiate_async(&mut store).await;
        version.tell_instantiated(begin, &proxy);
        own.telemetry().instantiated(begin.elapsed());
        let handler = proxy?;
        let handler = handler.wasi_http_incoming_handler();
        let ended = handler.call_handle(&mut store, request, response).await;
        drop(look);
        own.finished((store, version, permits));
        // With its end: what a program has taken must be given back.
        own.habit().ended(&spent, used.so_far());
        ended
    };
    let told = Arc::clone(&application);
    let ended = Arc::clone(&hit);
    let (teller, fate) = (Teller::default(), Fate::default());
    teller.join(&fate);
    let task = async move {
        // Dropped last: only then, the reason is known.
        let known = known;
        let ended = until_end(&told, meter, turn, work, &hit).await;
        teller.tell(match &ended {
            // For a body that it has not finished.
            Ok(()) => Failed::Unanswered("the program did not finish the body".to_owned()),
            Err(failed) => failed.clone(),
        });
        drop(known);
        ended
    };
    // A program without a response ends if the client goes away.
    let task = AbortOnDropHandle::new(tokio::spawn(task));
    let response = receiver.await;
    // The program may answer after its request has hit a limit, for instance without its body.
    if let Some(limit) = ended.get() {
        return Err(Failed::Limit(limit));
    }
    match response {
        Ok(Ok(response)) => {
            // The program goes on, also if the client does not wait for the whole body.
            task.detach();
            Ok(Answer {
                response,
                permits: None,
                ending: Ending::Told(fate),
            })
        }
        Ok(Err(code)) => Err(Failed::Unanswered(format!(
            "its response is an error: {code}"
        ))),
        // The program ended without a response.
        Err(_) => Err(match task.await {
            Ok(Ok(())) => Failed::Unanswered("the program set no response".to_owned()),
            Ok(Err(failed)) => failed,
            Err(panic) => Failed::Unanswered(format!("the host failed: {panic}")),
        }),
    }
}

/// Runs a program until it ends, or until a limit ends it.
async fn until_end(
    application: &Arc<Application>,
    meter: Arc<Meter>,
    turn: Arc<Turn>,
    work: impl Future<Output = Result<()>> + Send + 'static,
    hit: &Hit,
) -> Result<(), Failed> {
    let work = application.lower().run(Metered::new(meter, turn, work));
    let work = timeout(application.limits().wall_time.get(), work);
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        limit = hit.wait() => return Err(Failed::Limit(limit)),
    };
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let failed = Failed::of(&error, hit);
            if let Failed::Trap(trap) = failed {
                application.telemetry().trapped(application, EXPORT, trap);
            }
            Err(failed)
        }
        Err(_) => {
            hit.set(Limit::WallTime);
            Err(Failed::Limit(Limit::WallTime))
        }
    }
}
