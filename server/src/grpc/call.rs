//! What every request goes through: admission, a thread that may block, the status, the metrics.

use crate::admission::Admission;
use crate::grpc::{Reply, is_unqueued};
use crate::observe::Metrics;
use crate::proto::common::Status;
use crate::status::{Code, Failure};
use elanus::{Cancel, Collection, DEFAULT_DATABASE, Db};
use std::sync::Arc;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

/// Header in which clients name the database.
const DATABASE_HEADER: &str = "dbname";

/// The service; clones share everything.
#[derive(Debug, Clone)]
pub struct Service {
    db: Db,
    admission: Admission,
    metrics: Arc<Metrics>,
}

/// One request, as its handler sees it.
#[derive(Debug)]
pub struct Call {
    /// The database system.
    pub db: Db,
    /// Ends the request's work when its client leaves.
    pub cancel: Cancel,
    /// Database that the header names; may be empty.
    header: String,
}

/// Cancels the work of a request whose client leaves.
struct Leaving(Cancel);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Call {
    /// Name of the database that the request is about: the one that it names itself, else that of the header.
    /// Empty for the default one.
    pub fn database<'a>(&'a self, named: &'a str) -> &'a str {
        if named.is_empty() { &self.header } else { named }
    }

    /// The same as [`Self::database`], with the default one by its name.
    pub fn database_name<'a>(&'a self, named: &'a str) -> &'a str {
        match self.database(named) {
            "" => DEFAULT_DATABASE,
            name => name,
        }
    }

    /// The collection that the request is about.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn collection(&self, database: &str, name: &str) -> Result<Collection, Failure> {
        if name.is_empty() {
            return Err(Failure::missing("the request does not name a collection"));
        }
        Ok(self.db.collection(self.database(database), name)?)
    }

    /// The collection that the request is about, by name or, where that is empty, by number.
    ///
    /// # Errors
    /// If there is none.
    pub fn collection_or_id(&self, database: &str, name: &str, id: i64) -> Result<Collection, Failure> {
        if name.is_empty() && id != 0 {
            return Ok(self.db.collection_by_id(id)?);
        }
        self.collection(database, name)
    }
}

/// Counts a request when it is answered, or when its client leaves.
struct Timer<'a> {
    metrics: &'a Metrics,
    rpc: &'static str,
    code: i32,
    begun: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.metrics.finished(self.rpc, self.code, self.begun.elapsed());
    }
}

impl Service {
    /// A service over a database.
    pub fn new(db: Db, admission: Admission, metrics: Arc<Metrics>) -> Self {
        Self { db, admission, metrics }
    }

    /// Runs a handler and puts its outcome into a reply.
    pub(super) async fn run<Q, R>(
        &self,
        rpc: &'static str,
        request: tonic::Request<Q>,
        handler: fn(&Call, Q) -> Result<R, Failure>,
    ) -> tonic::Response<R>
    where
        Q: Send + 'static,
        R: Reply,
    {
        let mut timer = Timer { metrics: &self.metrics, rpc, code: Code::Cancelled.number(), begun: Instant::now() };
        let reply = match self.answer(rpc, request, handler).await {
            Ok(mut reply) => {
                reply.set_status(Status::default());
                timer.code = 0;
                reply
            }
            Err(failure) => {
                timer.code = failure.code().number();
                if failure.code().is_input() {
                    tracing::debug!(rpc, code = timer.code, "{failure}");
                } else {
                    tracing::warn!(rpc, code = timer.code, "{failure}");
                }
                let mut reply = R::default();
                reply.set_status(Status::from(&failure));
                reply
            }
        };
        drop(timer);
        tonic::Response::new(reply)
    }

    async fn answer<Q, R>(
        &self,
        rpc: &'static str,
        request: tonic::Request<Q>,
        handler: fn(&Call, Q) -> Result<R, Failure>,
    ) -> Result<R, Failure>
    where
        Q: Send + 'static,
        R: Reply,
    {
        let header = database_header(request.metadata())?;
        let permit = if is_unqueued(rpc) { None } else { Some(self.admission.enter().await?) };
        let leaving = Leaving(Cancel::default());
        let call = Call { db: self.db.clone(), cancel: leaving.0.clone(), header };
        // The extensions have the request's place and bytes.
        let (_, extensions, message) = request.into_parts();
        let work = move || {
            let outcome = handler(&call, message);
            // Not before the work is done: a client that leaves does not stop it.
            drop((permit, extensions));
            outcome
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => {
                Err(Failure::of(Code::Internal, format!("{rpc} failed by a fault of the server; its log says more")))
            }
            Err(_cancelled) => Err(Failure::of(Code::ServiceUnavailable, "the server is stopping")),
        }
    }
}

fn database_header(metadata: &MetadataMap) -> Result<String, Failure> {
    let Some(value) = metadata.get(DATABASE_HEADER) else { return Ok(String::new()) };
    let text = value
        .to_str()
        .map_err(|_not_ascii| Failure::parameter(format!("header {DATABASE_HEADER} is no plain text: {value:?}")))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
