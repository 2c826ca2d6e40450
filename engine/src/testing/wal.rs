//! Suites of the write-ahead log.

use std::ops::ControlFlow;
use std::sync::Arc;

use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, Dir};

use super::{History, bytes, each_image};
use crate::wal::{FIRST_LSN, Lsn, MAX_RECORD_BYTES, Wal, WalError};

/// The records from `from` on.
fn records(wal: &dyn Wal, from: Lsn) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let end = wal.read(from, &mut |lsn, record| {
        assert_eq!(lsn, from + found.len() as Lsn, "records come in order");
        found.push(record.to_vec());
        ControlFlow::Continue(())
    });
    assert_eq!(end.expect("the log can be read"), from + found.len() as Lsn, "the end follows the last record");
    found
}

fn append(wal: &dyn Wal, group: &[Vec<u8>]) -> std::ops::Range<Lsn> {
    let group: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
    wal.append(&group).expect("the log can be written")
}

/// Checks a log; `make` gives a fresh one.
///
/// # Panics
/// Where the log departs from [`Wal`].
pub fn wal_suite(make: &dyn Fn() -> Arc<dyn Wal>) {
    appended_records_are_read(&*make());
    bounds_are_told(&*make());
    reading_breaks_off(&*make());
    truncation_keeps_what_is_left(&*make());
    a_record_that_is_too_long_is_refused(&*make());
    many_threads_share_a_log(&*make());
}

fn appended_records_are_read(wal: &dyn Wal) {
    assert_eq!((wal.first(), wal.next()), (FIRST_LSN, FIRST_LSN), "a fresh log is empty");
    assert!(records(wal, FIRST_LSN).is_empty());
    let mut rng = Rng::new(1);
    let mut model: Vec<Vec<u8>> = Vec::new();
    for round in 0..40 {
        let group: Vec<Vec<u8>> = (0..round % 4)
            .map(|_| {
                let len = rng.below(300);
                bytes(&mut rng, len)
            })
            .collect();
        let expected = FIRST_LSN + model.len() as Lsn..FIRST_LSN + (model.len() + group.len()) as Lsn;
        assert_eq!(append(wal, &group), expected, "numbers are consecutive");
        model.extend(group);
        assert_eq!((wal.first(), wal.next()), (FIRST_LSN, expected.end));
    }
    // An empty record, and ones longer than any buffer, alone and between others.
    let long = vec![bytes(&mut rng, 3 << 20), Vec::new(), bytes(&mut rng, 1 << 20), bytes(&mut rng, 10)];
    append(wal, &long);
    model.extend(long);
    for from in [0, 1, 17, model.len() - 4, model.len()] {
        assert_eq!(records(wal, FIRST_LSN + from as Lsn), model[from..], "records from {from} on");
    }
    let stored: usize = model.iter().map(Vec::len).sum();
    assert!(wal.size_bytes() >= stored as u64, "{} bytes hold {stored}", wal.size_bytes());
}

fn bounds_are_told(wal: &dyn Wal) {
    append(wal, &[vec![1], vec![2]]);
    let mut never = |_: Lsn, _: &[u8]| -> ControlFlow<()> { panic!("there is nothing to show") };
    assert_eq!(wal.read(3, &mut never).expect("the end can be read"), 3);
    assert!(matches!(wal.read(0, &mut never), Err(WalError::Forgotten { wanted: 0, first: 1 })));
    assert!(matches!(wal.read(4, &mut never), Err(WalError::Beyond { wanted: 4, next: 3 })));
    assert!(matches!(wal.truncate(4), Err(WalError::Beyond { wanted: 4, next: 3 })));
    assert_eq!(records(wal, 1), [[1], [2]]);
}

fn reading_breaks_off(wal: &dyn Wal) {
    append(wal, &(0..10).map(|byte| vec![byte]).collect::<Vec<_>>());
    let mut shown = Vec::new();
    let after = wal.read(3, &mut |lsn, record| {
        shown.push((lsn, record.to_vec()));
        if lsn == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(after.expect("the log can be read"), 6);
    assert_eq!(shown, [(3, vec![2]), (4, vec![3]), (5, vec![4])]);
}

fn truncation_keeps_what_is_left(wal: &dyn Wal) {
    let mut rng = Rng::new(2);
    let mut model: Vec<Vec<u8>> = Vec::new();
    for _ in 0..60 {
        let group = vec![bytes(&mut rng, 200), bytes(&mut rng, 100)];
        append(wal, &group);
        model.extend(group);
        let next = FIRST_LSN + model.len() as Lsn;
        let upto = wal.first() + rng.below(next - wal.first() + 1);
        let first = wal.first();
        wal.truncate(upto).expect("the log can be truncated");
        assert!((first..=upto.max(first)).contains(&wal.first()), "{first} {upto} {}", wal.first());
        assert_eq!(wal.next(), next, "numbers are never used again");
        assert_eq!(records(wal, wal.first()), model[(wal.first() - FIRST_LSN) as usize..]);
    }
    let next = wal.next();
    wal.truncate(next).expect("the whole log can be truncated");
    assert_eq!(append(wal, &[vec![7]]), next..next + 1);
    assert_eq!(records(wal, next), [[7]]);
}

fn a_record_that_is_too_long_is_refused(wal: &dyn Wal) {
    // Zeros that are never touched take no memory.
    let long = vec![0; MAX_RECORD_BYTES + 1];
    let refused = wal.append(&[b"before", &long]);
    assert!(matches!(refused, Err(WalError::TooLong { len, limit: MAX_RECORD_BYTES }) if len == long.len()));
    assert_eq!(append(wal, &[vec![1]]), FIRST_LSN..FIRST_LSN + 1, "nothing was written and the log goes on");
    assert_eq!(records(wal, FIRST_LSN), [[1]]);
}

fn many_threads_share_a_log(wal: &dyn Wal) {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 50;
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let text = format!("{writer} {round}").into_bytes();
                    let lsns = append(wal, std::slice::from_ref(&text));
                    // One's own record is there at once.
                    assert_eq!(records(wal, lsns.start)[0], text);
                }
            });
        }
    });
    let mut rounds = [0; WRITERS as usize];
    let all = records(wal, FIRST_LSN);
    assert_eq!(all.len() as u64, WRITERS * ROUNDS);
    for record in all {
        let text = String::from_utf8(record).expect("a record is as it was written");
        let (writer, round) = text.split_once(' ').expect("a record is as it was written");
        let writer: usize = writer.parse().expect("a record is as it was written");
        assert_eq!(round, rounds[writer].to_string(), "records of one writer keep their order");
        rounds[writer] += 1;
    }
}

/// What a log holds: the numbers of the first and the next record.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: Lsn,
    next: Lsn,
}

impl Held {
    fn of(wal: &dyn Wal) -> Self {
        Self { first: wal.first(), next: wal.next() }
    }
}

/// Stops the machine at every moment of a run and checks that the log that is opened then has every record whose append
/// had returned, and no other bytes than were appended. `open` should use small files, so that there are several.
///
/// # Panics
/// Where the log loses or invents something.
pub fn wal_crash_suite(open: &dyn Fn(Arc<dyn Dir>) -> Arc<dyn Wal>) {
    let dir = CrashDir::new();
    let mut rng = Rng::new(3);
    let mut model: Vec<Vec<u8>> = Vec::new();
    let mut history = History::starting_with(Held { first: FIRST_LSN, next: FIRST_LSN });
    {
        let wal = open(Arc::new(dir.clone()));
        history.step(&dir, 0, Held::of(&*wal));
        for round in 0..24 {
            let began = dir.op_count();
            if round % 6 == 5 {
                let upto = wal.first() + rng.below(wal.next() - wal.first() + 1);
                wal.truncate(upto).expect("the log can be truncated");
            } else {
                let group: Vec<Vec<u8>> = (0..1 + rng.below(4))
                    .map(|_| {
                        let len = rng.below(1500);
                        bytes(&mut rng, len)
                    })
                    .collect();
                append(&*wal, &group);
                model.extend(group);
            }
            history.step(&dir, began, Held::of(&*wal));
        }
    }
    each_image(&dir, &mut |op_count, seed, image| {
        let at = format!("crash after {op_count} operations, seed {seed}");
        let (promised, under_way) = history.around(op_count);
        let crashed = CrashDir::starting_from(&image).expect("an image can be copied");
        let wal = open(Arc::new(crashed.clone()));
        check_after_crash(&*wal, &model, promised, under_way, &at);
        let held = Held::of(&*wal);
        append(&*wal, &[b"after the crash".to_vec()]);
        drop(wal);
        // The machine may stop again while the log is opened, and right after the append.
        let points = if seed == 2 { crashed.sync_points() } else { vec![crashed.op_count()] };
        for second in points {
            let at = format!("{at}; again after {second}");
            let wal = open(Arc::new(crashed.image(second, seed)));
            let after = Held { first: held.first, next: held.next + 1 };
            let mut extended = model[..(held.next - FIRST_LSN) as usize].to_vec();
            extended.push(b"after the crash".to_vec());
            if second == crashed.op_count() {
                check_after_crash(&*wal, &extended, &after, None, &at);
            } else {
                let before = Held { first: promised.first, next: promised.next };
                check_after_crash(&*wal, &model_for(&*wal, &model, &extended), &before, Some(&after), &at);
            }
        }
    });
}

/// The records that the log should hold if it ends where it does: with the record of the second run or without it.
fn model_for(wal: &dyn Wal, model: &[Vec<u8>], extended: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let count = (wal.next() - FIRST_LSN) as usize;
    let ends_with_second = count == extended.len() && records(wal, wal.next() - 1).last() == extended.last();
    if ends_with_second { extended.to_vec() } else { model.to_vec() }
}

fn check_after_crash(wal: &dyn Wal, model: &[Vec<u8>], promised: &Held, under_way: Option<&Held>, at: &str) {
    let held = Held::of(wal);
    let most = under_way.unwrap_or(promised);
    assert!(
        (promised.first..=most.first.max(promised.first)).contains(&held.first),
        "{at}: {held:?} {promised:?} {most:?}"
    );
    assert!(
        (promised.next..=most.next.max(promised.next)).contains(&held.next),
        "{at}: {held:?} {promised:?} {most:?}"
    );
    let found = records(wal, held.first);
    let range = (held.first - FIRST_LSN) as usize..(held.next - FIRST_LSN) as usize;
    assert!(found == model[range], "{at}: records differ");
}
