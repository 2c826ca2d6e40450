//! The command `serve`: opens the data, serves it until a signal comes, and closes it.

use crate::config::ServeArgs;
use crate::server::{Server, ServerError};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Threads for blocking work beside those of running requests: opening and closing the data.
const SPARE_BLOCKING_THREADS: usize = 16;

/// Why serving ended.
#[derive(Debug)]
pub enum ServeError {
    /// The log filter cannot be read.
    Log(String),
    /// The runtime cannot be made, or signals cannot be received.
    Runtime(std::io::Error),
    /// The server could not start, or failed.
    Server(ServerError),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(text) => f.write_str(text),
            Self::Runtime(error) => write!(f, "cannot start the runtime: {error}"),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(_) => None,
            Self::Runtime(error) => Some(error),
            Self::Server(error) => Some(error),
        }
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What kept the server from starting, or made it fail.
pub fn run(args: &ServeArgs) -> Result<(), ServeError> {
    let (path, settings) = (args.data.clone(), args.settings());
    run_open(args, move || elanus::Db::builder().path(&path).settings(settings).open())
}

/// Serves what `open` opens until SIGTERM or SIGINT.
///
/// # Errors
/// What kept the server from starting, or made it fail.
pub fn run_open(
    args: &ServeArgs,
    open: impl FnOnce() -> elanus::Result<elanus::Db> + Send + 'static,
) -> Result<(), ServeError> {
    log_to_stderr(&args.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("elanus")
        .max_blocking_threads(args.concurrency as usize + SPARE_BLOCKING_THREADS)
        .build()
        .map_err(ServeError::Runtime)?;
    let outcome = runtime.block_on(until_signal(args, open));
    // Requests that outlived the time they were given do not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn until_signal(
    args: &ServeArgs,
    open: impl FnOnce() -> elanus::Result<elanus::Db> + Send + 'static,
) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Runtime)?;
    let mut server = Server::start(args, open).await.map_err(ServeError::Server)?;
    let (grpc, http) = (server.grpc_address(), server.http_address());
    tracing::info!(data = %args.data.display(), %grpc, %http, "serving");
    tokio::select! {
        name = signals.next() => tracing::info!("{name}: stopping"),
        error = server.failure() => {
            tracing::error!("{error}: stopping");
            server.stop(args.stop_timeout()).await.map_err(ServeError::Server)?;
            return Err(ServeError::Server(error));
        }
    }
    tokio::select! {
        stopped = server.stop(args.stop_timeout()) => stopped.map_err(ServeError::Server),
        name = signals.next() => {
            // The log has what was acknowledged, so that nothing is lost by not waiting.
            tracing::warn!("{name} once more: ending without waiting");
            Ok(())
        }
    }
}

fn log_to_stderr(filter: &str) -> Result<(), ServeError> {
    let text = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_unset| filter.to_owned());
    let filter = EnvFilter::try_new(&text)
        .map_err(|error| ServeError::Log(format!("the log filter {text:?} cannot be read: {error}")))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| ServeError::Log(format!("the log cannot be set up: {error}")))
}

/// The signals that end the server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
