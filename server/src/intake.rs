//! Intake: how many requests are held in memory, and how many bytes of them, counted before their bodies are read.
//!
//! A request has a place from before its message is read until its work is done. What is not read yet waits in the
//! client and in the windows of HTTP/2, which are small. How long a message is stands at its beginning, so that a large
//! one takes its bytes from the budget before it is read, too.

use crate::config::REQUEST_BYTES_MAX;
use crate::grpc::is_unqueued;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tonic::codegen::tokio_stream::Stream;

/// What stands before a message: whether it is compressed, then its length as 32 bits, big-endian.
const PREFIX_BYTES: usize = 5;
/// Messages up to this length take nothing from the budget: the number of places bounds them.
const SMALL_BYTES: usize = 64 << 10;
/// Unit of the budget.
const UNIT_BYTES: usize = 1 << 10;
/// How long a client may send nothing of a request that it has begun; its place would be lost to all others.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Limits the requests that are held and their bytes; clones share the limits.
#[derive(Debug, Clone)]
pub struct Intake {
    places: Arc<Semaphore>,
    places_max: usize,
    units: Arc<Semaphore>,
    units_max: u32,
    silence_max: Duration,
}

/// The place and the bytes of one request, which clones share; they are free again when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Held(#[allow(dead_code, reason = "held for its drop")] Arc<[Option<OwnedSemaphorePermit>; 2]>);

impl Intake {
    /// At most `places` requests of `mebibytes` MiB together. A request larger than that takes all of it.
    pub fn new(places: usize, mebibytes: u32) -> Self {
        let units_max = mebibytes.saturating_mul(((1 << 20) / UNIT_BYTES) as u32);
        Self {
            places: Arc::new(Semaphore::new(places)),
            places_max: places,
            units: Arc::new(Semaphore::new(units_max as usize)),
            units_max,
            silence_max: SILENCE_MAX,
        }
    }

    /// Requests that are held.
    pub fn requests(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    /// Bytes of the budget that are taken.
    pub fn bytes(&self) -> u64 {
        let taken = (self.units_max as usize).saturating_sub(self.units.available_permits());
        (taken * UNIT_BYTES) as u64
    }

    /// What a message of that many bytes takes from the budget. One over the limit is refused without being read.
    fn units_of(&self, length: usize) -> Option<u32> {
        let is_counted = (SMALL_BYTES + 1..=REQUEST_BYTES_MAX).contains(&length);
        let units = u32::try_from(length.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        is_counted.then_some(units.min(self.units_max))
    }
}

/// Lets a request wait for its place and its bytes before its message is read.
pub async fn hold(State(intake): State<Intake>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut message = Message::new(body.into_data_stream(), intake.silence_max);
    // Nothing is known of a request that ends or breaks off within the prefix; the transport will say so.
    let length = message.length().await.unwrap_or(0);
    // Neither semaphore is ever closed: without a permit is only who needs none.
    let place = match is_unqueued(parts.uri.path().rsplit('/').next().unwrap_or_default()) {
        true => None,
        false => Arc::clone(&intake.places).acquire_owned().await.ok(),
    };
    let bytes = match intake.units_of(length) {
        Some(units) => Arc::clone(&intake.units).acquire_many_owned(units).await.ok(),
        None => None,
    };
    parts.extensions.insert(Held(Arc::new([place, bytes])));
    message.wait_anew();
    next.run(Request::from_parts(parts, Body::from_stream(message))).await
}

/// The bytes of a request: as many as it says and no more, and none if the client falls silent.
struct Message {
    data: BodyDataStream,
    /// What was read to learn the length.
    early: VecDeque<Result<Bytes, axum::Error>>,
    received: usize,
    allowed: usize,
    silence_max: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Message {
    fn new(data: BodyDataStream, silence_max: Duration) -> Self {
        let silence = Box::pin(tokio::time::sleep(silence_max));
        Self { data, early: VecDeque::new(), received: 0, allowed: usize::MAX, silence_max, silence }
    }

    /// The silence of a client counts from now on.
    fn wait_anew(&mut self) {
        self.silence.as_mut().reset(Instant::now() + self.silence_max);
    }

    /// Reads as far as the length of the message; `None` if the request ends before.
    async fn length(&mut self) -> Option<usize> {
        let mut prefix: Vec<u8> = Vec::with_capacity(PREFIX_BYTES);
        while prefix.len() < PREFIX_BYTES {
            let read = std::future::poll_fn(|context| self.poll_data(context)).await?;
            let is_broken = read.is_err();
            if let Ok(bytes) = &read {
                prefix.extend(bytes.iter().take(PREFIX_BYTES - prefix.len()));
            }
            if !matches!(&read, Ok(bytes) if bytes.is_empty()) {
                self.early.push_back(read);
            }
            if is_broken {
                return None;
            }
        }
        let length = prefix[1..].iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        self.allowed = PREFIX_BYTES + length;
        Some(length)
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        match Pin::new(&mut self.data).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.wait_anew();
                self.received = self.received.saturating_add(bytes.len());
                if self.received > self.allowed {
                    let reason = "the request has bytes behind its message";
                    return Poll::Ready(Some(Err(axum::Error::new(tonic::Status::invalid_argument(reason)))));
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending if self.silence.as_mut().poll(context).is_ready() => {
                let reason = format!("nothing of the request came for {:?}", self.silence_max);
                Poll::Ready(Some(Err(axum::Error::new(tonic::Status::deadline_exceeded(reason)))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Stream for Message {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        match this.early.pop_front() {
            Some(early) => Poll::Ready(Some(early)),
            None => this.poll_data(context),
        }
    }
}

#[cfg(test)]
mod tests;
