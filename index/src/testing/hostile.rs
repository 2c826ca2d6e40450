//! Saved bytes that were cut or changed: refused, or harmless.

use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, ElementType, Metric};

use super::data::{Ask, Fixture, ask, build_on, spec_of};
use super::life::bytes_of;
use crate::{Blob, IndexFactory, KeyRange, OpenCx, OpenError, Scratch};

/// An index with every kind of section, as its bytes.
fn sample(factory: &'static dyn IndexFactory, rows: usize) -> (Fixture, Vec<u8>) {
    let fixture = Fixture::clustered(ElementType::F32, Metric::Cosine, rows, 20, 31);
    let present = Bitmap::from_fn(rows, |row| row % 9 != 4);
    let bytes = bytes_of(&*build_on(2, factory, &fixture, Some(present.view())));
    (fixture, bytes)
}

/// Opens bytes; if they pass for an index, searches it, which must not leave its bounds.
fn open_and_search(factory: &'static dyn IndexFactory, fixture: &Fixture, bytes: Vec<u8>) -> Result<(), OpenError> {
    let index = factory.open(Blob::from_vec(bytes), &spec_of(factory, fixture), &OpenCx::default())?;
    assert!(index.len() <= u32::MAX as usize);
    if index.len() != fixture.len() {
        return Ok(());
    }
    let filter = Bitmap::from_fn(fixture.len(), |row| row % 4 != 1);
    let mut scratch = Scratch::new();
    for (query, filter) in [(0, None), (1, Some(filter.view()))] {
        let asked = Ask { query, k: 5, filter, range: KeyRange::ALL };
        let (answer, _) = ask(&*index, fixture, asked, &mut scratch).expect("the arguments fit");
        assert!(answer.iter().all(|found| (found.id as usize) < fixture.len()));
    }
    Ok(())
}

/// No part of the bytes opens, whether it ends at the edge of a section or anywhere else.
pub(super) fn survives_cuts(factory: &'static dyn IndexFactory) {
    let (fixture, bytes) = sample(factory, 1100);
    assert_eq!(open_and_search(factory, &fixture, bytes.clone()), Ok(()));
    let around_edges = (0..bytes.len()).filter(|len| *len < 700 || len % 64 < 2 || len % 64 > 62);
    for len in around_edges.filter(|len| *len < 4096 || len % 37 == 0 || len + 130 > bytes.len()) {
        let error = open_and_search(factory, &fixture, bytes[..len].to_vec());
        assert!(error.is_err(), "{} of {} bytes opened", len, bytes.len());
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(open_and_search(factory, &fixture, longer).is_err());
}

/// Changed bytes are refused or harmless; in the header they are refused.
pub(super) fn survives_changes(factory: &'static dyn IndexFactory) {
    let (fixture, bytes) = sample(factory, 1100);
    let mut refused = 0;
    let mut change = |at: usize, to: u8| {
        let mut changed = bytes.clone();
        if changed[at] == to {
            return false;
        }
        changed[at] = to;
        let result = open_and_search(factory, &fixture, changed);
        refused += usize::from(result.is_err());
        result.is_err()
    };
    for at in 0..bytes.len().min(640) {
        for to in [0, 1, 0x7f, 0x80, 0xff] {
            change(at, to);
        }
    }
    for at in 0..16 {
        assert!(change(at, 0xee), "a change of header byte {at} went unseen");
    }
    let mut rng = Rng::new(32);
    for _ in 0..300 {
        change(rng.below(bytes.len() as u64) as usize, rng.next_u64() as u8);
    }
    assert!(refused > 100, "only {refused} changes were refused");
    for value in [0, 1, 1 << 31, u32::MAX - 1, u32::MAX] {
        for _ in 0..60 {
            let mut changed = bytes.clone();
            let at = 4 * rng.below(bytes.len() as u64 / 4) as usize;
            changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
            // Whether it is refused depends on the place; that it does no harm is what counts here.
            drop(open_and_search(factory, &fixture, changed));
        }
    }
}

/// Bits flipped one by one.
const FLIPS: usize = 10_000;

/// Each single flipped bit is found or harmless: what opens is searched within its bounds.
pub(super) fn bears_flips(factory: &'static dyn IndexFactory) {
    let (fixture, mut bytes) = sample(factory, 300);
    let mut rng = Rng::new(33);
    for _ in 0..FLIPS {
        let (at, bit) = (rng.below(bytes.len() as u64) as usize, 1 << rng.below(8));
        bytes[at] ^= bit;
        let result = open_and_search(factory, &fixture, bytes.clone());
        assert!(at >= 16 || result.is_err(), "a change of header byte {at} went unseen");
        bytes[at] ^= bit;
    }
    assert_eq!(open_and_search(factory, &fixture, bytes), Ok(()));
}
