//! Sends a request: with the login that the registry asks for, again after failures that may pass,
//! and to where the registry moved what was asked for.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Response;
use url::Url;

use super::NetworkRepository;
use super::answer::{self, Asked};
use super::body::Content;
use super::failure::{Failure, after, host_of};
use super::token::Authorization;
use crate::RegistryError;
use crate::checked::shown;
use crate::retry::Backoff;

/// How often a request is sent on to another address.
const MAX_REDIRECTS: usize = 5;

/// What is asked of a registry.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Content>,
    /// The rights that it needs.
    pub(super) access: Access<'a>,
    /// What is asked for, such as `tag v1`.
    pub(super) what: String,
    /// What the registry is to do, such as `give tag v1`.
    pub(super) request: String,
}

/// The rights that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access<'a> {
    Pull,
    Push,
    /// To push, and to take from another repository.
    Mount(&'a str),
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, url: Url, access: Access<'a>, what: &str) -> Self {
        let verb = match method {
            Method::GET | Method::HEAD => "give",
            _ => "take",
        };
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            access,
            what: what.to_owned(),
            request: format!("{verb} {what}"),
        }
    }

    /// The same with a header. Its value was made here, of letters that headers allow.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// The same with a body.
    pub(super) fn sending(mut self, content: Content) -> Self {
        self.body = Some(content);
        self
    }
}

/// An answer that is neither a challenge nor a redirect.
pub(super) struct Answer {
    pub(super) response: Response,
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }
}

impl NetworkRepository {
    /// Sends a request until it is answered with one of these, or otherwise not with a passing
    /// failure. The request must be one that can be sent twice.
    pub(super) async fn ask(
        &self,
        ask: &Ask<'_>,
        expected: &[StatusCode],
    ) -> Result<Answer, RegistryError> {
        let mut backoff = Backoff::new(self.client.options.retries);
        loop {
            match self.once(ask, expected).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => pause(&mut backoff, failure).await?,
            }
        }
    }

    /// Sends a request once.
    pub(super) async fn once(
        &self,
        ask: &Ask<'_>,
        expected: &[StatusCode],
    ) -> Result<Answer, Failure> {
        let scope = self.scope(ask.access);
        let mut authorization = self.client.tokens.known(&self.registry, &scope);
        let mut url = ask.url.clone();
        let mut has_asked = false;
        for _ in 0..=MAX_REDIRECTS + 1 {
            let is_home = url.origin() == self.base.origin();
            let sent = authorization.as_ref().filter(|_| is_home);
            let had_credentials = sent.is_some_and(|it| it.has_credentials);
            let mut response = self.send(ask, &url, sent).await?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && is_home && !has_asked {
                has_asked = true;
                let headers = response.headers().clone();
                if let Some(found) = self.log_in(&headers, &scope).await? {
                    authorization = Some(found);
                    continue;
                }
            }
            if answer::is_moved(status) && matches!(ask.method, Method::GET | Method::HEAD) {
                url = self.location(response.headers(), &url)?;
                continue;
            }
            if expected.contains(&status) {
                return Ok(Answer { response });
            }
            // Another host, to which the registry has sent on, is named itself.
            let place = match is_home {
                true => self.place(),
                false => shown(&host_of(&url)),
            };
            let refusal = self.refusal(ask, &place, &mut response, had_credentials);
            return Err(refusal.await);
        }
        Err(Failure::Final(RegistryError::Answer {
            place: self.place(),
            what: format!(
                "it redirects the request for {} more than {MAX_REDIRECTS} times",
                ask.what
            ),
        }))
    }

    async fn refusal(
        &self,
        ask: &Ask<'_>,
        place: &str,
        response: &mut Response,
        login: bool,
    ) -> Failure {
        let asked = Asked {
            place,
            what: &ask.what,
            request: &ask.request,
            is_write: !matches!(ask.method, Method::GET | Method::HEAD),
            has_credentials: login,
            idle: self.client.options.timeouts.idle,
        };
        answer::refusal(response, asked).await
    }

    /// Sends a request to an address, and waits for the start of the answer.
    async fn send(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        authorization: Option<&Authorization>,
    ) -> Result<Response, Failure> {
        let idle = self.client.options.timeouts.idle;
        let request = self.client.request(ask.method.clone(), url);
        let mut request = request.headers(ask.headers.clone());
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization.value.clone());
        }
        let sent = match &ask.body {
            None => tokio::time::timeout(idle, request.send()).await.ok(),
            Some(content) => content.send(request, idle).await?,
        };
        let sent = sent.ok_or_else(|| Failure::of_silence(url, idle))?;
        sent.map_err(|error| Failure::of_request(url, &error))
    }

    /// What a token must allow, as token services write it.
    fn scope(&self, access: Access<'_>) -> String {
        let name = &self.repository;
        match access {
            Access::Pull => format!("repository:{name}:pull"),
            Access::Push => format!("repository:{name}:pull,push"),
            Access::Mount(from) => {
                format!("repository:{name}:pull,push repository:{from}:pull")
            }
        }
    }

    pub(super) fn place(&self) -> String {
        shown(&format!("{}/{}", self.registry, self.repository))
    }
}

/// Waits until the next attempt.
///
/// # Errors
///
/// The failure, if there is no next attempt.
pub(super) async fn pause(backoff: &mut Backoff, failure: Failure) -> Result<(), RegistryError> {
    match failure {
        Failure::Final(error) => Err(error),
        Failure::Again { error, wait } => match backoff.wait(wait) {
            None => Err(after(error, backoff.attempts())),
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
        },
    }
}
