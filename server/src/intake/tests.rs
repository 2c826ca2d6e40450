//! Places and bytes are taken before a message is read and are free again when its work is done.

use super::{Held, Intake, Message, hold};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tonic::Code;
use tonic::codegen::Service;
use tonic::codegen::tokio_stream::{Stream, StreamExt};

const LONG: Duration = Duration::from_secs(60);

/// Pieces of a request, after which the client ends it or falls silent.
struct Client {
    pieces: VecDeque<Bytes>,
    ends: bool,
}

impl Stream for Client {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

fn client(pieces: &[&[u8]], ends: bool) -> Body {
    let pieces = pieces.iter().map(|&piece| Bytes::from(piece.to_vec())).collect();
    Body::from_stream(Client { pieces, ends })
}

fn message(pieces: &[&[u8]], ends: bool, silence_max: Duration) -> Message {
    Message::new(client(pieces, ends).into_data_stream(), silence_max)
}

async fn read(mut message: Message) -> Result<Vec<u8>, Code> {
    let mut read = Vec::new();
    while let Some(piece) = message.next().await {
        read.extend(piece.map_err(|error| tonic::Status::from_error(error.into()).code())?);
    }
    Ok(read)
}

#[tokio::test]
async fn the_length_is_read_wherever_the_pieces_end_and_nothing_is_lost() {
    let whole: &[&[u8]] = &[&[0, 0, 0, 0, 3, 7, 8, 9]];
    let apart: &[&[u8]] = &[&[0, 0], &[], &[0], &[0, 3, 7], &[8, 9]];
    for pieces in [whole, apart] {
        let mut message = message(pieces, true, LONG);
        assert_eq!(message.length().await, Some(3));
        assert_eq!(read(message).await.unwrap(), [0, 0, 0, 0, 3, 7, 8, 9]);
    }
    let mut large = message(&[&[0, 0x10, 0, 0, 1]], true, LONG);
    assert_eq!(large.length().await, Some((256 << 20) + 1));
    let mut short = message(&[&[0, 0, 0]], true, LONG);
    assert_eq!(short.length().await, None);
    assert_eq!(read(short).await.unwrap(), [0, 0, 0]);
}

#[tokio::test]
async fn a_request_has_no_more_bytes_than_it_says() {
    let mut message = message(&[&[0, 0, 0, 0, 1, 7], &[8; 100]], true, LONG);
    assert_eq!(message.length().await, Some(1));
    assert_eq!(read(message).await, Err(Code::InvalidArgument));
}

#[tokio::test]
async fn a_client_that_falls_silent_is_not_waited_for() {
    let silence_max = Duration::from_millis(5);
    let mut early = message(&[&[0, 0, 0]], false, silence_max);
    assert_eq!(early.length().await, None);
    assert_eq!(read(early).await, Err(Code::DeadlineExceeded));
    let mut late = message(&[&[0, 0, 0, 0, 100], &[1; 20]], false, silence_max);
    assert_eq!(late.length().await, Some(100));
    assert_eq!(read(late).await, Err(Code::DeadlineExceeded));
}

/// A service that tells the path of each request that gets in, and keeps it until it is told to go on.
struct Gate {
    intake: Intake,
    router: Router,
    inside: mpsc::Receiver<String>,
    go_on: Arc<Semaphore>,
}

impl Gate {
    fn new(places: usize, mebibytes: u32) -> Self {
        let (tell, inside) = mpsc::channel(16);
        let go_on = Arc::new(Semaphore::new(0));
        let intake = Intake::new(places, mebibytes);
        let wait = Arc::clone(&go_on);
        let handler = move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let held = parts.extensions.get::<Held>().cloned();
            let length = axum::body::to_bytes(body, usize::MAX).await.map_or(0, |bytes| bytes.len());
            tell.send(parts.uri.path().to_owned()).await.unwrap();
            wait.acquire().await.unwrap().forget();
            drop(held);
            length.to_string()
        };
        let layer = axum::middleware::from_fn_with_state(intake.clone(), hold);
        let router = Router::new().route("/s/{rpc}", any(handler)).layer(layer);
        Self { intake, router, inside, go_on }
    }

    fn send(&self, rpc: &str, length: u32) -> tokio::task::JoinHandle<String> {
        let body = [&[0][..], &length.to_be_bytes(), &vec![1; length as usize]].concat();
        let request = Request::builder().uri(format!("/s/{rpc}")).body(client(&[&body], true)).unwrap();
        let mut router = self.router.clone();
        tokio::spawn(async move {
            let response = router.call(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        })
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(LONG, self.inside.recv()).await.unwrap().unwrap()
    }

    async fn nobody_else_gets_in(&mut self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(self.inside.try_recv().is_err());
    }
}

#[tokio::test]
async fn requests_beyond_the_places_wait_but_not_those_about_the_server() {
    let mut gate = Gate::new(1, 1);
    let first = gate.send("Insert", 10);
    assert_eq!(gate.next().await, "/s/Insert");
    let second = gate.send("Search", 20);
    gate.nobody_else_gets_in().await;
    let third = gate.send("GetVersion", 30);
    assert_eq!(gate.next().await, "/s/GetVersion");
    assert_eq!(gate.intake.requests(), 1);
    gate.go_on.add_permits(1);
    assert_eq!(first.await.unwrap(), "15");
    assert_eq!(gate.next().await, "/s/Search");
    gate.go_on.add_permits(2);
    assert_eq!((second.await.unwrap(), third.await.unwrap()), ("25".to_owned(), "35".to_owned()));
    assert_eq!(gate.intake.requests(), 0);
}

#[tokio::test]
async fn large_requests_wait_for_their_bytes_and_small_ones_do_not() {
    let mut gate = Gate::new(10, 1);
    let large = 700 << 10;
    let first = gate.send("Insert", large);
    assert_eq!(gate.next().await, "/s/Insert");
    assert_eq!(gate.intake.bytes(), u64::from(large));
    let second = gate.send("Upsert", large);
    gate.nobody_else_gets_in().await;
    let small = gate.send("Search", 64 << 10);
    assert_eq!(gate.next().await, "/s/Search");
    gate.go_on.add_permits(1);
    first.await.unwrap();
    assert_eq!(gate.next().await, "/s/Upsert");
    gate.go_on.add_permits(2);
    second.await.unwrap();
    small.await.unwrap();
    assert_eq!((gate.intake.requests(), gate.intake.bytes()), (0, 0));
}

#[tokio::test]
async fn a_request_larger_than_all_that_is_allowed_runs_alone() {
    let mut gate = Gate::new(10, 1);
    let giant = gate.send("Insert", 3 << 20);
    assert_eq!(gate.next().await, "/s/Insert");
    assert_eq!(gate.intake.bytes(), 1 << 20);
    let other = gate.send("Upsert", 100 << 10);
    gate.nobody_else_gets_in().await;
    gate.go_on.add_permits(1);
    giant.await.unwrap();
    assert_eq!(gate.next().await, "/s/Upsert");
    gate.go_on.add_permits(1);
    other.await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_takes_nothing() {
    let mut gate = Gate::new(1, 1);
    let first = gate.send("Insert", 10);
    gate.next().await;
    let second = gate.send("Insert", 10);
    gate.nobody_else_gets_in().await;
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    gate.go_on.add_permits(1);
    first.await.unwrap();
    assert_eq!(gate.intake.requests(), 0);
}

#[test]
fn requests_over_the_limit_take_nothing_since_they_are_not_read() {
    let intake = Intake::new(1, 2048);
    assert_eq!(intake.units_of(64 << 10), None);
    assert_eq!(intake.units_of((64 << 10) + 1), Some(65));
    assert_eq!(intake.units_of(256 << 20), Some(256 << 10));
    assert_eq!(intake.units_of((256 << 20) + 1), None);
    assert_eq!(Intake::new(1, 1).units_of(256 << 20), Some(1 << 10));
}
