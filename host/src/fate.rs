//! What became of an instance that several requests may use: all of them learn why it ended.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::failed::Failed;

/// Tells the requests of an instance why it ended.
#[derive(Debug)]
pub(crate) struct Teller(watch::Sender<Option<Failed>>);

impl Default for Teller {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Teller {
    /// The instance ends, and not because it is idle. Call it before its store is dropped: then
    /// whoever sees an end that the instance has not chosen finds the reason.
    pub(crate) fn tell(&self, failed: Failed) {
        self.0.send_replace(Some(failed));
    }

    /// Lets a request know.
    pub(crate) fn join(&self, fate: &Fate) {
        let _ = fate.0.set(self.0.subscribe());
    }
}

/// The fate of a request's instance. It has none before it runs in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate(Arc<OnceLock<watch::Receiver<Option<Failed>>>>);

impl Fate {
    /// Waits until the instance has ended. `None`: it ended well, or there was none.
    pub(crate) async fn wait(&self) -> Option<Failed> {
        let mut told = self.0.get()?.clone();
        let failed = told.wait_for(Option::is_some).await.ok()?;
        failed.clone()
    }

    /// Why its instance has failed. `None`: it has not.
    pub(crate) fn failed(&self) -> Option<Failed> {
        self.0.get()?.borrow().clone()
    }
}

/// How the body of a response shows that its instance has failed.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It is an error.
    Told(Fate),
    /// It looks whole.
    Silent(Fate),
}

impl Ending {
    /// The fate of the instance.
    pub(crate) fn fate(&self) -> &Fate {
        match self {
            Self::Told(fate) | Self::Silent(fate) => fate,
        }
    }

    /// Why a body that looks whole may not be.
    pub(crate) fn hidden(&self) -> Option<Failed> {
        match self {
            Self::Told(_) => None,
            Self::Silent(fate) => fate.failed(),
        }
    }
}

#[cfg(test)]
impl Fate {
    /// Of an instance that has failed, or that runs well.
    pub(crate) fn sample(failed: Option<Failed>) -> Self {
        let (teller, fate) = (Teller::default(), Self::default());
        teller.join(&fate);
        if let Some(failed) = failed {
            teller.tell(failed);
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

    #[tokio::test]
    async fn all_requests_of_an_instance_learn_why_it_ended() {
        let (teller, fates) = (Teller::default(), [Fate::default(), Fate::default()]);
        for fate in &fates {
            teller.join(fate);
            assert!(fate.failed().is_none());
        }
        let waits = fates[0].clone();
        let waits = tokio::spawn(async move { waits.wait().await });
        tokio::task::yield_now().await;
        teller.tell(Failed::Limit(Limit::Memory));
        drop(teller);
        let told = waits.await.unwrap();
        assert!(matches!(told, Some(Failed::Limit(Limit::Memory))));
        for fate in fates {
            let told = fate.failed();
            assert!(matches!(told, Some(Failed::Limit(Limit::Memory))));
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_an_instance_that_is_gone() {
        assert!(Fate::default().wait().await.is_none());
        // Its instance ends with `sample`.
        assert!(Fate::sample(None).wait().await.is_none());
    }
}
