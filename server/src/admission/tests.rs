//! The limits hold, and leaving clients give their places back.

use super::Admission;
use crate::status::Code;
use std::time::Duration;

#[tokio::test]
async fn the_request_after_a_full_queue_is_refused() {
    let admission = Admission::new(1, 1);
    let first = admission.enter().await.unwrap();
    let queued = tokio::spawn({
        let admission = admission.clone();
        async move { admission.enter().await }
    });
    while admission.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(admission.enter().await.unwrap_err().code(), Code::RateLimit);
    assert_eq!(admission.running(), 1);
    drop(first);
    drop(queued.await.unwrap().unwrap());
    assert_eq!((admission.running(), admission.waiting()), (0, 0));
    admission.enter().await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let admission = Admission::new(1, 1);
    let _first = admission.enter().await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(1), admission.enter()).await;
    assert!(left.is_err());
    assert_eq!(admission.waiting(), 0);
}

#[tokio::test]
async fn closing_waits_for_what_runs() {
    let admission = Admission::new(2, 1);
    let running = admission.enter().await.unwrap();
    assert!(!admission.close(Duration::from_millis(1)).await);
    drop(running);
    assert_eq!(admission.enter().await.unwrap_err().code(), Code::ServiceUnavailable);
    let idle = Admission::new(2, 1);
    assert!(idle.close(Duration::from_secs(5)).await);
}
