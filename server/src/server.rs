//! Start and stop: the listeners, the services over them, and the order in which all of it ends.

use crate::admission::Admission;
use crate::config::{REQUEST_BYTES_MAX, ServeArgs};
use crate::grpc::Service;
use crate::grpc_status;
use crate::http::{self, Health};
use crate::intake::{self, Intake};
use crate::observe::{Metrics, Reading, resident_bytes};
use crate::proto::milvus::milvus_service_server::MilvusServiceServer;
use elanus::Db;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

/// Requests that a connection may have open.
const STREAMS_MAX: u32 = 1024;
/// Bytes that a client may send ahead on one stream; inserts are large and should not wait for the round trip.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;
/// Bytes that a client may send ahead on all streams of a connection. With less than all streams may have together,
/// requests that wait unread would use up the window, and the one that they wait for could not be read to its end.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;

/// Why a server did not start or failed.
#[derive(Debug)]
pub enum ServerError {
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// The data cannot be opened or closed.
    Data(elanus::Error),
    /// A listener ended by itself.
    Ended {
        /// Which one.
        listener: &'static str,
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Data(error) => error.fmt(f),
            Self::Ended { listener, reason } => write!(f, "the {listener} listener ended: {reason}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { error, .. } => Some(error),
            Self::Data(error) => Some(error),
            Self::Ended { .. } => None,
        }
    }
}

/// How a listener ended: its name, and why if it was not told to.
type Ended = (&'static str, Result<(), String>);

/// A running server.
#[derive(Debug)]
pub struct Server {
    db: Db,
    admission: Admission,
    health: Health,
    stopping: watch::Sender<bool>,
    listeners: JoinSet<Ended>,
    grpc_address: SocketAddr,
    http_address: SocketAddr,
}

impl Server {
    /// Listens, opens the data, then serves it. Clients that come while the data is being opened wait.
    ///
    /// # Errors
    /// An address that cannot be listened on, or data that cannot be opened.
    pub async fn start(
        args: &ServeArgs,
        open: impl FnOnce() -> elanus::Result<Db> + Send + 'static,
    ) -> Result<Self, ServerError> {
        let (grpc, grpc_address) = listen(&args.listen).await?;
        let (http, http_address) = listen(&args.http).await?;
        let db = blocking(open).await?;
        let admission = Admission::new(args.concurrency, args.queue);
        let intake = Intake::new(args.places(), args.request_memory);
        let device = db.clone();
        let readings = gauges(db.clone(), admission.clone(), intake.clone());
        let metrics = Arc::new(Metrics::new(readings, move || device.gpu_metrics()));
        let health = Health::default();
        let (stopping, stop) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let service = Service::new(db.clone(), admission.clone(), Arc::clone(&metrics));
        listeners.spawn(serve_grpc(grpc, service, intake, stop.clone()));
        listeners.spawn(serve_http(http, http::app(metrics, health.clone()), stop));
        Ok(Self { db, admission, health, stopping, listeners, grpc_address, http_address })
    }

    /// Where clients are listened to.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc_address
    }

    /// Where health and metrics are.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Waits until a listener ends without having been told to.
    pub async fn failure(&mut self) -> ServerError {
        match self.listeners.join_next().await {
            Some(ended) => ended_early(ended),
            None => std::future::pending().await,
        }
    }

    /// Takes no further connection, lets running requests finish, then closes the data. After `limit` it does not
    /// wait any longer for clients.
    ///
    /// # Errors
    /// If the data cannot be closed.
    pub async fn stop(mut self, limit: Duration) -> Result<(), ServerError> {
        self.health.stop();
        // No receiver means that no listener is left.
        let _ = self.stopping.send(true);
        let drained = tokio::time::timeout(limit, async { while self.listeners.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("clients were still connected after {limit:?}: their connections are cut");
            self.listeners.abort_all();
        }
        if !self.admission.close(limit).await {
            tracing::warn!("requests were still running after {limit:?}: the data is closed under them");
        }
        let db = self.db;
        blocking(move || {
            db.close();
            Ok(())
        })
        .await
    }
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |error| ServerError::Listen { address: address.to_owned(), error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> elanus::Result<T> + Send + 'static,
) -> Result<T, ServerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(ServerError::Data),
        Err(error) => Err(ServerError::Ended { listener: "data", reason: error.to_string() }),
    }
}

fn ended_early(ended: Result<Ended, JoinError>) -> ServerError {
    match ended {
        Ok((listener, outcome)) => {
            let reason = outcome.err().unwrap_or_else(|| "nobody told it to".to_owned());
            ServerError::Ended { listener, reason }
        }
        Err(error) => ServerError::Ended { listener: "a", reason: error.to_string() },
    }
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An error means that the server itself is gone, which is a reason to stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve_grpc(listener: TcpListener, service: Service, intake: Intake, stop: watch::Receiver<bool>) -> Ended {
    let service = MilvusServiceServer::new(service)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(usize::MAX);
    let router = Routes::new(service)
        .into_axum_router()
        .layer(axum::middleware::from_fn_with_state(intake, intake::hold))
        .layer(axum::middleware::from_fn(grpc_status::settle));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    // The HTTP/2 library counts no pings, so that clients may send keep-alives as often as they like.
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(Some(STREAMS_MAX))
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(incoming, told(stop))
        .await;
    ("gRPC", served.map_err(|error| error.to_string()))
}

async fn serve_http(listener: TcpListener, app: axum::Router, stop: watch::Receiver<bool>) -> Ended {
    let served = axum::serve(listener, app).with_graceful_shutdown(told(stop)).await;
    ("HTTP", served.map_err(|error| error.to_string()))
}

fn gauges(db: Db, admission: Admission, intake: Intake) -> impl Fn() -> Vec<Reading> + Send + Sync + 'static {
    move || {
        let engine = db.metrics();
        let mut readings: Vec<Reading> = vec![
            ("requests_running", "Requests that run", admission.running() as u64),
            ("requests_waiting", "Requests that wait for others", admission.waiting() as u64),
            ("requests_held", "Requests in memory", intake.requests() as u64),
            ("request_bytes", "Bytes of large requests in memory", intake.bytes()),
            ("databases", "Databases", engine.databases),
            ("collections", "Collections in all databases", engine.collections),
            ("rows", "Rows in all collections", engine.rows),
            ("sealed_segments", "Segments in files", engine.sealed_segments),
            ("growing_segments", "Segments in memory", engine.growing_segments),
            ("sealed_bytes", "Bytes of segments in files", engine.sealed_bytes),
            ("growing_bytes", "Bytes of segments in memory", engine.growing_bytes),
            ("wal_records", "Records of the write-ahead log that may be needed after a crash", engine.wal_records),
            ("builds_running", "Index builds that run", engine.builds_running),
        ];
        readings.extend(resident_bytes().map(|bytes| ("resident_bytes", "Resident memory of the process", bytes)));
        readings
    }
}

#[cfg(test)]
mod tests;
