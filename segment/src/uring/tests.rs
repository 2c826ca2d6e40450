//! Reads through a ring. Where the system permits none, what is checked is that it says so.

use super::*;
use crate::testing::readers::{pages_in, reads_all_that_is_asked};
use crate::{Dir, FsDir};
use tempfile::TempDir;

/// A file of pages, and its reader if there can be one.
fn reader(pages: usize) -> (TempDir, Option<Uring>) {
    let folder = tempfile::tempdir().expect("a folder for tests");
    pages_in(&FsDir::new(folder.path()), "f", pages);
    let reader = Uring::open(&folder.path().join("f"));
    let reader = reader.inspect_err(|error| println!("skipped, io_uring cannot be used: {error}")).ok();
    (folder, reader)
}

#[test]
fn all_reads_arrive() {
    let (_folder, Some(reader)) = reader(40) else { return };
    println!("{}", reader.describe());
    reads_all_that_is_asked(&reader, 40);
}

#[test]
fn a_read_beyond_the_end_arrives_as_an_error() {
    let (_folder, Some(reader)) = reader(2) else { return };
    let mut queue = reader.queue(4, 2 * PAGE).expect("a queue");
    for (offset, len) in [(2, 1), (1, 2)] {
        queue.submit(7, offset * PAGE as u64, len * PAGE).expect("there is room");
        let arrival = queue.next().expect("one is in flight");
        assert_eq!((arrival.tag, arrival.bytes.expect_err("no such page").kind()), (7, io::ErrorKind::UnexpectedEof));
    }
    queue.submit(8, 0, PAGE).expect("the queue goes on");
    assert!(queue.next().expect("one is in flight").bytes.is_ok());
}

#[test]
fn a_queue_outlives_its_reader_and_moves_between_threads() {
    let (_folder, Some(reader)) = reader(8) else { return };
    let mut queue = reader.queue(8, PAGE).expect("a queue");
    (0..8).for_each(|page| queue.submit(page, page * PAGE as u64, PAGE).expect("there is room"));
    drop(reader);
    let thread = std::thread::spawn(move || std::iter::from_fn(|| queue.next().map(|a| a.bytes.is_ok())).count());
    assert_eq!(thread.join().expect("the thread ends well"), 8);
}

#[test]
fn a_missing_file_is_not_found() {
    let error = Uring::open(Path::new("/no/such/file")).expect_err("there is none");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_folder_reads_its_files_by_what_the_system_permits() {
    let (folder, ring) = reader(12);
    let reader = FsDir::new(folder.path()).reader("f").expect("the file is there");
    assert_eq!(reader.describe().starts_with("io_uring"), ring.is_some(), "{}", reader.describe());
    reads_all_that_is_asked(&*reader, 12);
}
