//! Reads by threads: all arrive, and errors do too.

use super::*;
use crate::testing::readers::{pages_in, reads_all_that_is_asked};
use crate::{Dir, MemDir};
use elanus_index::read_at::PAGE;

fn reader(pages: usize, threads: usize) -> Pread {
    let dir = MemDir::new();
    pages_in(&dir, "f", pages);
    Pread::new(dir.open("f").expect("it was made"), threads).expect("threads start")
}

#[test]
fn all_reads_arrive() {
    for threads in [0, 1, 3] {
        reads_all_that_is_asked(&reader(40, threads), 40);
    }
}

#[test]
fn a_read_beyond_the_end_arrives_as_an_error() {
    for threads in [0, 2] {
        let reader = reader(2, threads);
        let mut queue = reader.queue(4, PAGE).expect("a queue");
        queue.submit(1, 2 * PAGE as u64, PAGE).expect("there is room");
        let arrival = queue.next().expect("one is in flight");
        assert_eq!((arrival.tag, arrival.bytes.expect_err("no such page").kind()), (1, io::ErrorKind::UnexpectedEof));
        queue.submit(2, 0, PAGE).expect("the queue goes on");
        assert!(queue.next().expect("one is in flight").bytes.is_ok());
        assert!(queue.next().is_none());
    }
}

#[test]
fn a_queue_outlives_its_reader() {
    let reader = reader(4, 2);
    let mut queue = reader.queue(4, PAGE).expect("a queue");
    (0..4).for_each(|page| queue.submit(page, page * PAGE as u64, PAGE).expect("there is room"));
    drop(reader);
    assert_eq!((0..4).filter(|_| queue.next().is_some_and(|arrival| arrival.bytes.is_ok())).count(), 4);
    assert_eq!(queue.submit(9, 0, PAGE).expect_err("no thread is left").kind(), io::ErrorKind::BrokenPipe);
    assert!(queue.next().is_none());
}

#[test]
fn it_says_how_it_reads() {
    assert_eq!(
        reader(1, 2).because("io_uring is not permitted").describe(),
        "pread on 2 threads (io_uring is not permitted)"
    );
}
