//! Logs in: answers a challenge with a password, or with a token of the registry's token service.
//!
//! Credentials go to the registry that they are for, and to the token service that it names. That
//! service must have TLS, unless the registry has none either and the service is on the same host
//! or this one.
//!
//! Source: "Token Authentication Specification" and "OAuth2 Token Authentication" of
//! `distribution`; RFC 7617.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, header};
use oci_client::token_cache::RegistryToken;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::failure::{Failure, host_of};
use super::loopback::is_loopback;
use super::{NetworkRepository, answer};
use crate::RegistryError;
use crate::checked::shown;
use crate::credentials::{self, Login};
use crate::headers::challenge::{self, Challenge};

/// The maximum length of a token service's answer, in bytes.
const MAX_TOKEN_LEN: u64 = 1 << 20;
/// How long a token is valid if the service does not say.
const USUAL_LIFE: u64 = 60;
/// A token that ends sooner than this is renewed.
const MARGIN: Duration = Duration::from_secs(10);

/// A header that a registry has asked for.
#[derive(Clone)]
pub(super) struct Authorization {
    /// It is marked as a secret, so that nothing prints it.
    pub(super) value: HeaderValue,
    /// Whether it comes from credentials, and not from an anonymous token.
    pub(super) has_credentials: bool,
    ends: Option<Instant>,
}

/// The headers by registry and scope.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<(String, String), Authorization>>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, String), Authorization>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header for a registry and a scope, if it is still valid.
    pub(super) fn known(&self, registry: &str, scope: &str) -> Option<Authorization> {
        let key = (registry.to_owned(), scope.to_owned());
        let found = self.all().get(&key).cloned()?;
        let is_valid = found.ends.is_none_or(|it| it > Instant::now() + MARGIN);
        is_valid.then_some(found)
    }

    fn keep(&self, registry: &str, scope: &str, authorization: Authorization) {
        let key = (registry.to_owned(), scope.to_owned());
        self.all().insert(key, authorization);
    }
}

/// What else the service says about a token.
#[derive(Deserialize)]
struct Life {
    expires_in: Option<u64>,
}

impl NetworkRepository {
    /// Answers the challenge of a registry. `None` if there is nothing to answer it with.
    pub(super) async fn log_in(
        &self,
        headers: &HeaderMap,
        scope: &str,
    ) -> Result<Option<Authorization>, Failure> {
        let Some(challenge) = challenge::find(headers) else {
            return Ok(None);
        };
        let options = &self.client.options;
        let login = credentials::find(&options.credentials, &self.registry, &self.repository)?;
        let authorization = match (challenge, login) {
            (_, Some(Login::Token(token))) => bearer(&token, true, None)?,
            (Challenge::Basic, Some(Login::Basic { name, password })) => Authorization {
                value: basic(&name, &password)?,
                has_credentials: true,
                ends: None,
            },
            (Challenge::Basic, _) => return Ok(None),
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope: asked,
                },
                login,
            ) => {
                let service = service.unwrap_or_default();
                let scopes = [scope, asked.as_deref().unwrap_or_default()];
                self.token(&realm, &service, scopes, login).await?
            }
        };
        self.client
            .tokens
            .keep(&self.registry, scope, authorization.clone());
        Ok(Some(authorization))
    }

    /// Asks the token service.
    async fn token(
        &self,
        realm: &str,
        service: &str,
        scopes: [&str; 2],
        login: Option<Login>,
    ) -> Result<Authorization, Failure> {
        let mut url = self.realm(realm)?;
        let mut parameters = vec![("service", service)];
        // A registry may ask for its own scope, or for more than is needed here.
        let [ours, asked] = scopes;
        let ours = ours.split(' ').chain(asked.split(' '));
        let mut seen: Vec<&str> = Vec::new();
        for scope in ours.filter(|it| !it.is_empty()) {
            if !seen.contains(&scope) {
                seen.push(scope);
            }
        }
        let has_credentials = login.is_some();
        let request = match login {
            Some(Login::Identity(token)) => {
                let scope = seen.join(" ");
                parameters.extend([("grant_type", "refresh_token"), ("client_id", "edgec")]);
                parameters.extend([("scope", scope.as_str()), ("refresh_token", token.as_str())]);
                let request = self.client.request(Method::POST, &url);
                let form = "application/x-www-form-urlencoded";
                let request = request.header(header::CONTENT_TYPE, form);
                request.body(encode(&parameters))
            }
            login => {
                parameters.extend(seen.iter().map(|it| ("scope", *it)));
                let query = match url.query() {
                    Some(query) => format!("{query}&{}", encode(&parameters)),
                    None => encode(&parameters),
                };
                url.set_query(Some(&query));
                let request = self.client.request(Method::GET, &url);
                match login {
                    Some(Login::Basic { name, password }) => {
                        request.header(header::AUTHORIZATION, basic(&name, &password)?)
                    }
                    _ => request,
                }
            }
        };
        let idle = self.client.options.timeouts.idle;
        let sent = tokio::time::timeout(idle, request.send()).await;
        let sent = sent.map_err(|_| Failure::of_silence(&url, idle))?;
        let mut response = sent.map_err(|error| Failure::of_request(&url, &error))?;
        let place = host_of(&url);
        if answer::is_moved(response.status()) {
            return Err(Failure::Final(RegistryError::TokenMoved {
                host: place,
                status: response.status().as_u16(),
            }));
        }
        if !response.status().is_success() {
            return Err(answer::refusal(
                &mut response,
                answer::Asked {
                    place: &place,
                    what: "token",
                    request: "give a token",
                    is_write: false,
                    has_credentials,
                    idle,
                },
            )
            .await);
        }
        let what = format!("the token of {place}");
        let bytes = answer::read(&mut response, &what, MAX_TOKEN_LEN, idle).await?;
        let parsed = serde_json::from_slice::<RegistryToken>(&bytes);
        let token = parsed.map_err(|_| RegistryError::Answer {
            place,
            what: "it has no token".to_owned(),
        })?;
        let life = serde_json::from_slice::<Life>(&bytes);
        let life = life.ok().and_then(|it| it.expires_in).unwrap_or(USUAL_LIFE);
        // A day is longer than any such token is good for.
        let life = Duration::from_secs(life.clamp(USUAL_LIFE, 86_400));
        Ok(bearer(token.token(), has_credentials, Some(life))?)
    }

    /// The address of the token service, if credentials may go there.
    fn realm(&self, realm: &str) -> Result<Url, RegistryError> {
        let url = Url::parse(realm).map_err(|_| RegistryError::Answer {
            place: host_of(&self.base),
            what: format!("`{}` is not the address of a token service", shown(realm)),
        })?;
        let is_ours = || {
            let host = url.host_str().unwrap_or_default();
            url.scheme() == "http"
                && self.base.scheme() == "http"
                && (is_loopback(host) || self.base.host_str() == Some(host))
        };
        match url.scheme() == "https" || is_ours() {
            true => Ok(url),
            false => Err(answer::insecure(&self.base, &url)),
        }
    }
}

fn encode(parameters: &[(&str, &str)]) -> String {
    let encoded = |it| utf8_percent_encode(it, NON_ALPHANUMERIC);
    let pairs = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs = pairs.map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn basic(name: &str, password: &str) -> Result<HeaderValue, RegistryError> {
    secret(&format!(
        "Basic {}",
        STANDARD.encode(format!("{name}:{password}"))
    ))
}

fn bearer(
    token: &str,
    has_credentials: bool,
    life: Option<Duration>,
) -> Result<Authorization, RegistryError> {
    Ok(Authorization {
        value: secret(&format!("Bearer {token}"))?,
        has_credentials,
        ends: life.and_then(|it| Instant::now().checked_add(it)),
    })
}

fn secret(text: &str) -> Result<HeaderValue, RegistryError> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| RegistryError::Credentials {
        from: "the token or password".to_owned(),
        reason: "it has characters that no header may have".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
