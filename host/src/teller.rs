//! Tells of the use that programs make of services: in the metrics, and in the log.

use std::fmt::Display;
use std::sync::Arc;

use crate::Limit;
use crate::config::LogLevel;
use crate::services::Observer;
use crate::telemetry::{Counted, Telemetry, Voice};

/// Tells of the services of an application, or of what all applications share.
#[derive(Debug)]
pub(crate) struct Teller {
    telemetry: Arc<Telemetry>,
    application: Option<Own>,
}

/// What is told of one application.
#[derive(Debug)]
struct Own {
    counted: Arc<Counted>,
    voice: Arc<Voice>,
    label: String,
}

impl Teller {
    /// Tells of the services of an application.
    pub(crate) fn of_application(
        telemetry: &Arc<Telemetry>,
        counted: &Arc<Counted>,
        voice: &Arc<Voice>,
        label: &str,
    ) -> Arc<dyn Observer> {
        Arc::new(Self {
            telemetry: Arc::clone(telemetry),
            application: Some(Own {
                counted: Arc::clone(counted),
                voice: Arc::clone(voice),
                label: label.to_owned(),
            }),
        })
    }

    /// Tells of what all applications share.
    pub(crate) fn of_all(telemetry: &Arc<Telemetry>) -> Arc<dyn Observer> {
        Arc::new(Self {
            telemetry: Arc::clone(telemetry),
            application: None,
        })
    }
}

impl Observer for Teller {
    fn limit(&self, limit: Limit) {
        match &self.application {
            Some(own) => own.counted.limit_hit(limit),
            None => self.telemetry.limit_hit(None, limit),
        }
    }

    fn line(&self, level: LogLevel, what: &dyn Display) {
        let label = self.application.as_ref().map(|own| &*own.label);
        self.telemetry.log(level, label, what);
    }

    fn said(&self, level: LogLevel, what: &dyn Display) {
        if let Some(Own {
            counted,
            voice,
            label,
        }) = &self.application
        {
            let telemetry = &self.telemetry;
            telemetry.said_at(level, label, counted, voice, None, what);
        }
    }
}
