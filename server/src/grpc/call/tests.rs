//! What every request goes through holds whatever its handler does.

use super::{Call, Service};
use crate::admission::Admission;
use crate::observe::Metrics;
use crate::proto::common::Status;
use crate::status::{Code, Failure};
use elanus::Db;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tonic::Request;

fn service(running_max: u32, waiting_max: u32) -> (Service, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new(Vec::new, elanus::GpuMetrics::default));
    let admission = Admission::new(running_max, waiting_max);
    (Service::new(Db::in_memory().unwrap(), admission, Arc::clone(&metrics)), metrics)
}

async fn status(service: &Service, handler: fn(&Call, ()) -> Result<Status, Failure>) -> Status {
    service.run("Test", Request::new(()), handler).await.into_inner()
}

#[tokio::test]
async fn a_panic_becomes_an_internal_error_and_the_server_goes_on() {
    let (service, metrics) = service(1, 0);
    let answer = status(&service, |_, ()| panic!("on purpose")).await;
    assert_eq!(answer.code, Code::Internal.number());
    assert!(answer.reason.contains("Test"), "{}", answer.reason);
    assert_eq!(status(&service, |_, ()| Ok(Status::default())).await, Status::default());
    let text = metrics.text().unwrap();
    assert!(text.contains("elanus_requests_total{rpc=\"Test\",code=\"5\"} 1"), "{text}");
    assert!(text.contains("elanus_requests_total{rpc=\"Test\",code=\"0\"} 1"), "{text}");
}

#[tokio::test]
async fn a_failure_is_in_the_reply() {
    let (service, _) = service(1, 0);
    let answer = status(&service, |_, ()| Err(Failure::parameter("limit is 0"))).await;
    assert_eq!((answer.code, answer.reason.as_str()), (1100, "limit is 0"));
}

#[tokio::test]
async fn what_tells_of_the_server_itself_waits_for_nobody() {
    let (service, _) = service(1, 0);
    let _running = service.admission.enter().await.unwrap();
    let refused = status(&service, |_, ()| Ok(Status::default())).await;
    assert_eq!((refused.code, refused.error_code, refused.retriable), (8, 49, true));
    for rpc in ["Connect", "GetVersion", "CheckHealth", "AllocTimestamp", "GetComponentStates"] {
        let reply: Status = service.run(rpc, Request::new(()), |_, ()| Ok(Status::default())).await.into_inner();
        assert_eq!(reply, Status::default(), "{rpc}");
    }
}

#[tokio::test]
async fn the_database_is_the_requests_own_or_the_headers() {
    let (service, _) = service(1, 0);
    let answer = |header: &'static str, handler| {
        let service = service.clone();
        async move {
            let mut request = Request::new(());
            request.metadata_mut().insert("dbname", header.parse().unwrap());
            let reply: Status = service.run("Test", request, handler).await.into_inner();
            reply.reason
        }
    };
    assert_eq!(answer("a", |call, ()| Err(Failure::parameter(call.database("").to_owned()))).await, "a");
    assert_eq!(answer("a", |call, ()| Err(Failure::parameter(call.database("b").to_owned()))).await, "b");
    assert_eq!(answer("", |call, ()| Err(Failure::parameter(call.database("").to_owned()))).await, "");
    assert_eq!(answer("", |call, ()| Err(Failure::parameter(call.database_name("").to_owned()))).await, "default");
    assert_eq!(answer("a", |call, ()| Err(Failure::parameter(call.database_name("").to_owned()))).await, "a");
}

type Ends = (SyncSender<()>, Receiver<()>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_cancels_its_work_and_frees_its_place_when_it_ends() {
    let (service, metrics) = service(1, 0);
    let (begun, has_begun): Ends = sync_channel(1);
    let request = tokio::spawn({
        let service = service.clone();
        async move { service.run("Test", Request::new(begun), until_cancelled).await }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert!(metrics.text().unwrap().contains("elanus_requests_total{rpc=\"Test\",code=\"10000\"} 1"));
    let free = async {
        while status(&service, |_, ()| Ok(Status::default())).await != Status::default() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
}

fn until_cancelled(call: &Call, begun: SyncSender<()>) -> Result<Status, Failure> {
    begun.send(()).unwrap();
    while !call.cancel.is_cancelled() {
        std::thread::yield_now();
    }
    Ok(Status::default())
}
