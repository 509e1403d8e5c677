//! A version of an application in the form that requests use: `wasi:http` 0.2 or 0.3.

use std::sync::{Arc, Weak};

use edgec_loader::wasmtime::component::{Component, InstancePre};
use edgec_loader::wasmtime::{Result, format_err};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::service::Workers;
use crate::application::{Application, Sharing};
use crate::guest::GuestState;

/// The export of a program of `wasi:http` 0.3, without the end of the version.
const SERVICE: &str = "wasi:http/handler@0.3.";
/// The export of a program of `wasi:http` 0.2, without the end of the version.
const PROXY: &str = "wasi:http/incoming-handler@0.2.";

/// A version of an application, ready for requests.
pub struct Program {
    form: Form,
    component: Component,
}

/// How a program gets its requests.
pub(crate) enum Form {
    /// `wasi:http` 0.2.
    Proxy(ProxyPre<GuestState>),
    /// `wasi:http` 0.3.
    Service(ProxyHandler<Workers>, Sharing),
}

impl Program {
    /// The form of a component whose imports are resolved.
    pub(crate) fn of(
        component: InstancePre<GuestState>,
        application: &Weak<Application>,
    ) -> Result<Self> {
        let code = component.component().clone();
        let ty = code.component_type();
        let engine = component.engine();
        let exports = |begin: &str| ty.exports(engine).any(|(name, _)| name.starts_with(begin));
        let form = if exports(SERVICE) {
            let program = Arc::new(ServicePre::new(component)?);
            let config = application
                .upgrade()
                .map(|application| application.config().reuse);
            let reuse = config.flatten();
            let sharing = match reuse {
                Some(_) => Sharing::Shared,
                None => Sharing::Own,
            };
            let workers = Workers::new(application, program, reuse);
            Form::Service(ProxyHandler::new(workers), sharing)
        } else if exports(PROXY) {
            Form::Proxy(ProxyPre::new(component)?)
        } else {
            return Err(format_err!(
                "it answers no requests: it exports neither `wasi:http/incoming-handler@0.2` nor \
                 `wasi:http/handler@0.3`"
            ));
        };
        Ok(Self {
            form,
            component: code,
        })
    }

    /// The version of `wasi:http`.
    pub fn interface(&self) -> &'static str {
        match &self.form {
            Form::Proxy(_) => "0.2",
            Form::Service(..) => "0.3",
        }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// The component itself.
    pub(crate) fn component(&self) -> &Component {
        &self.component
    }

    pub(crate) fn sharing(&self) -> Sharing {
        match &self.form {
            Form::Proxy(_) => Sharing::Own,
            Form::Service(_, sharing) => *sharing,
        }
    }
}
