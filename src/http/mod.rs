//! The only user of actix-web: listener, routes, requests parsed into interactions, outcomes made into answers.
mod ask;
mod body;
mod bundle;
mod capability;
mod counted;
mod limits;
mod metrics;
mod page;
mod request;
mod respond;
mod route;
pub mod routes;
mod sent;

use crate::auth::{KeySource, LocalIssuer, Trust, Verifier};
use crate::config::Settings;
use crate::service::{OpenError, Server};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store does not open, or a search parameter is not served.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The keys of the issuer are not usable.
    #[error("token settings are not usable: {0}")]
    Tokens(String),
    /// The certificate or its key is not usable.
    #[error("TLS certificate or key is not usable")]
    Tls(#[from] openssl::error::ErrorStack),
    /// The HTTP runtime does not start.
    #[error("the HTTP runtime does not start")]
    Runtime(#[source] std::io::Error),
}

/// What every handler shares.
pub(crate) struct State {
    pub(crate) server: Arc<Server>,
    pub(crate) verifier: Verifier,
    pub(crate) limits: limits::Limits,
    pub(crate) metrics: metrics::Metrics,
    pub(crate) settings: Settings,
    /// What `/metadata` answers.
    pub(crate) statement: capability::Statement,
}

impl State {
    /// How long one request may take.
    pub(crate) fn request_time(&self) -> Duration {
        Duration::from_secs(self.settings.request_seconds_max)
    }
}

/// A server that accepts requests.
pub struct Running {
    /// FHIR base URL, such as `http://127.0.0.1:8080/fhir`.
    pub base: String,
    /// The listener's own address.
    pub address: SocketAddr,
    server: Arc<Server>,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    /// What the use cases share: for the demo, which deposits through the same way as every other caller.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Finishes what is under way, then stops.
    pub fn stop(mut self) {
        // The future is polled by the server's own thread; sending the command is enough.
        drop(self.handle.stop(true));
        self.join();
    }

    /// Waits until a signal stops the server.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The HTTP runtime ended with a panic");
        }
    }
}

/// Opens the store, binds the listener and serves on a thread of its own.
///
/// # Errors
/// [`StartError`] says which setting is not usable.
pub fn serve(settings: Settings) -> Result<Running, StartError> {
    let server = Server::open(&settings, settings.public_url.clone())?;
    let listener =
        TcpListener::bind(settings.listen).map_err(|source| StartError::Listen { address: settings.listen, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address: settings.listen, source })?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let base = server.base.get_or_init(|| format!("{scheme}://{address}/fhir")).clone();
    let server = Arc::new(server);
    let state = web::Data::new(State {
        server: Arc::clone(&server),
        verifier: verifier(&settings, &base)?,
        limits: limits::Limits::new(&settings),
        metrics: metrics::Metrics::default(),
        settings: settings.clone(),
        statement: capability::Statement::new(&base, &crate::clock::now().instant()),
    });
    let tls = settings.tls.as_ref().map(|(cert, key)| acceptor(cert, key)).transpose()?;
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let workers = std::thread::available_parallelism().map_or(2, usize::from);
            let factory = HttpServer::new(move || {
                App::new().app_data(state.clone()).wrap(from_fn(counted::counted)).configure(routes::configure)
            })
            .workers(workers)
            .shutdown_timeout(30)
            .client_request_timeout(Duration::from_secs(30));
            let bound = match tls {
                Some(acceptor) => factory.listen_openssl(listener, acceptor)?,
                None => factory.listen(listener)?,
            };
            let running = bound.run();
            if send.send(running.handle()).is_err() {
                return Ok(());
            }
            running.await
        })
    });
    let handle = receive.recv().map_err(|_gone| StartError::Runtime(std::io::Error::other("no runtime")))?;
    Ok(Running { base, address, server, handle, thread: Some(thread) })
}

/// Which tokens are accepted: the configured issuer's, and the local issuer's where it is asked for.
fn verifier(settings: &Settings, base: &str) -> Result<Verifier, StartError> {
    let unusable = |error: &dyn std::fmt::Display| StartError::Tokens(error.to_string());
    let mut trusted = Vec::new();
    if let (Some(issuer), Some(path)) = (&settings.issuer, &settings.jwks) {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        let keys = if text.trim_start().starts_with('{') { KeySource::Jwks(text) } else { KeySource::Pem(text) };
        let audience = settings.audience.clone().unwrap_or_else(|| base.to_owned());
        trusted.push(Trust { issuer: issuer.clone(), audience, keys: vec![keys] });
    }
    if settings.local_issuer {
        let local = LocalIssuer::open(&settings.folder()).map_err(|error| unusable(&error))?;
        trusted.push(local.trust().map_err(|error| unusable(&error))?);
    }
    Verifier::new(&trusted).map_err(|error| unusable(&error))
}

fn acceptor(
    cert: &std::path::Path,
    key: &std::path::Path,
) -> Result<openssl::ssl::SslAcceptorBuilder, openssl::error::ErrorStack> {
    let mut builder = openssl::ssl::SslAcceptor::mozilla_intermediate_v5(openssl::ssl::SslMethod::tls_server())?;
    builder.set_private_key_file(key, openssl::ssl::SslFiletype::PEM)?;
    builder.set_certificate_chain_file(cert)?;
    Ok(builder)
}
