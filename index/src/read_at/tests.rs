//! Reads of memory: what arrives, in which order, and what is refused.

use super::*;

fn pages(count: usize) -> InMemory {
    InMemory::new(Blob::from_vec((0..count * PAGE).map(|i| (i / PAGE) as u8).collect()))
}

#[test]
fn what_was_asked_for_arrives() {
    let reader = pages(5);
    let mut queue = reader.queue(2, 2 * PAGE).expect("memory has queues");
    queue.submit(7, 3 * PAGE as u64, 2 * PAGE).expect("there is room");
    queue.submit(8, 0, PAGE).expect("there is room");
    assert_eq!(queue.submit(9, 0, PAGE).expect_err("it is full").kind(), io::ErrorKind::WouldBlock);
    let first = queue.next().expect("two are in flight");
    let bytes = first.bytes.expect("the bytes are there");
    assert_eq!((first.tag, bytes.len(), bytes[0], bytes[PAGE]), (7, 2 * PAGE, 3, 4));
    assert_eq!(queue.in_flight(), 1);
    queue.clear();
    assert!(queue.next().is_none());
}

#[test]
fn reads_that_are_not_whole_pages_or_leave_the_bytes_are_refused() {
    let reader = pages(2);
    let mut queue = reader.queue(4, PAGE).expect("memory has queues");
    for (offset, len) in [(1, PAGE), (0, 100), (0, 2 * PAGE)] {
        assert_eq!(queue.submit(0, offset, len).expect_err("no such read").kind(), io::ErrorKind::InvalidInput);
    }
    for offset in [2 * PAGE as u64, u64::MAX - 4095] {
        queue.submit(0, offset, PAGE).expect("only the read itself can tell");
        let arrival = queue.next().expect("one is in flight");
        assert_eq!(arrival.bytes.expect_err("there are no such bytes").kind(), io::ErrorKind::UnexpectedEof);
    }
    let mut buffer = [0; 3];
    assert!(reader.read_at(2 * PAGE as u64 - 2, &mut buffer).is_err());
    reader.read_at(2 * PAGE as u64 - 3, &mut buffer).expect("the last bytes");
    assert_eq!(buffer, [1; 3]);
}
