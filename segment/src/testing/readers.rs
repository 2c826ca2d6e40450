//! What every reader of files must do.

use crate::Dir;
use elanus_index::read_at::{PAGE, ReadAt};

/// Makes a file of pages, each of which holds its number throughout, modulo 251.
///
/// # Panics
/// When the file cannot be made.
pub fn pages_in(dir: &dyn Dir, path: &str, pages: usize) {
    let bytes: Vec<u8> = (0..pages * PAGE).map(|at| (at / PAGE % 251) as u8).collect();
    dir.create(path).and_then(|file| file.write_at(0, &bytes)).expect("the file is written");
}

/// Reads a file of [`pages_in`] in all ways and many times, and checks that what was asked for arrives.
///
/// # Panics
/// When something else does.
pub fn reads_all_that_is_asked(reader: &dyn ReadAt, pages: usize) {
    assert_eq!(reader.len(), (pages * PAGE) as u64);
    let mut buffer = vec![0; 3 * PAGE];
    reader.read_at(PAGE as u64 + 5, &mut buffer[..100]).expect("the bytes are there");
    assert!(buffer[..100].iter().all(|byte| *byte == 1));
    assert!(reader.read_at(((pages - 1) * PAGE) as u64, &mut buffer).is_err(), "a read beyond the end");
    for depth in [1, 3, 16] {
        let mut queue = reader.queue(depth, 2 * PAGE).expect("a queue can be had");
        assert!(queue.depth() >= depth && queue.next().is_none());
        let mut arrived = vec![0; pages - 1];
        let take = |arrived: &mut [u32], arrival: elanus_index::read_at::Arrival<'_>| {
            let (page, bytes) = (arrival.tag as usize, arrival.bytes.expect("the bytes are there"));
            assert_eq!(bytes.len(), (1 + page % 2) * PAGE);
            assert!(
                bytes.chunks(PAGE).zip(page..).all(|(part, page)| part.iter().all(|byte| *byte == (page % 251) as u8))
            );
            arrived[page] += 1;
        };
        // Pages in an order that leaps, each read once or twice.
        for number in 0..2 * (pages - 1) {
            let page = number * 7 % (pages - 1);
            while queue.in_flight() == queue.depth() {
                take(&mut arrived, queue.next().expect("some are in flight"));
            }
            queue.submit(page as u64, (page * PAGE) as u64, (1 + page % 2) * PAGE).expect("there is room");
        }
        while let Some(arrival) = queue.next() {
            take(&mut arrived, arrival);
        }
        assert_eq!(arrived.iter().sum::<u32>() as usize, 2 * (pages - 1));
        let fill = queue.depth();
        (0..fill).for_each(|_| queue.submit(0, 0, PAGE).expect("there is room"));
        assert!(queue.submit(0, 0, PAGE).is_err(), "more reads than the queue takes");
        queue.clear();
        assert_eq!(queue.in_flight(), 0);
        // Reads in flight when their queue ends do no harm.
        queue.submit(0, 0, PAGE).expect("there is room");
    }
}
