//! Damaged and forged files, and readers that fail.

use std::sync::Arc;

use elanus_kernels::rng::Rng;
use elanus_kernels::{Bitmap, ElementType, Metric, TopK};

use super::readers::Shuffled;
use super::{file_of, recall_of, spec_of};
use crate::diskann::DiskIndex;
use crate::diskann::layout::{Kind, Layout, Part, Section};
use crate::read_at::{InMemory, PAGE, ReadFault};
use crate::testing::Fixture;
use crate::{Blob, Cancel, KeyRange, OpenCx, ParamSet, Search, SearchError, Spec};

fn fixture() -> Fixture {
    Fixture::clustered(ElementType::F32, Metric::L2, 400, 20, 11)
}

/// Opens a file with little memory and searches it in each way; whatever it holds, that ends.
fn search_all(kind: Kind, bytes: Vec<u8>, spec: &Spec, fixture: &Fixture) -> Result<(), String> {
    let reader = Arc::new(InMemory::new(Blob::from_vec(bytes)));
    for budget in [64_000, u64::MAX] {
        let index = DiskIndex::open(kind, reader.clone(), spec, budget).map_err(|error| error.to_string())?;
        if index.header.rows != fixture.len() {
            return Ok(());
        }
        let filter = Bitmap::from_fn(fixture.len(), |row| row % 2 == 0);
        let far = KeyRange { lower: 10.0, upper: 40.0 };
        for (filter, range) in [(None, KeyRange::ALL), (Some(filter.view()), KeyRange::ALL), (None, far)] {
            let search = Search { k: 5, params: &ParamSet::empty(), filter, range, cancel: &Cancel::new() };
            let mut out = TopK::new(5);
            index.search_at(fixture.query(0), &search, &mut out).map_err(|error| error.to_string())?;
            assert!(out.into_sorted().iter().all(|found| (found.id as usize) < fixture.len()));
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_is_found_or_harmless() {
    let fixture = fixture();
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[("max_degree", "10")]);
        let bytes = file_of(&spec, &fixture);
        assert_eq!(search_all(kind, bytes.clone(), &spec, &fixture), Ok(()));
        let mut rng = Rng::new(12);
        for _ in 0..150 {
            let mut changed = bytes.clone();
            let at = rng.below(bytes.len() as u64) as usize;
            changed[at] ^= 1 << rng.below(8);
            let whole = spec.factory().open(Blob::from_vec(changed.clone()), &spec, &OpenCx::default());
            assert!(whole.is_err(), "a change of byte {at} went unseen");
            // Where no search looks, nobody sees it.
            drop(search_all(kind, changed, &spec, &fixture));
        }
    }
}

/// Makes the checksum of the unit that begins at `offset` right again.
fn seal(bytes: &mut [u8], section: &Section, unit: u64) {
    let unit_bytes = &mut bytes[section.unit_offset(unit) as usize..][..section.packing.unit];
    let sum = section.sum(unit, unit_bytes);
    unit_bytes[section.packing.unit - 4..].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn forged_numbers_of_the_superblock_are_refused_or_harmless() {
    let fixture = fixture();
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[("max_degree", "10")]);
        let bytes = file_of(&spec, &fixture);
        let mut refused = 0;
        for number in 0..15 {
            let at = 16 + 8 * number;
            let now = u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"));
            for value in [0, 1, now.wrapping_sub(1), now + 1, 2 * now, 65_536, 1 << 31, 1 << 40, u64::MAX] {
                let mut changed = bytes.clone();
                changed[at..at + 8].copy_from_slice(&value.to_le_bytes());
                let sum = crc32c::crc32c(&changed[..PAGE - 4]);
                changed[PAGE - 4..PAGE].copy_from_slice(&sum.to_le_bytes());
                refused += usize::from(search_all(kind, changed, &spec, &fixture).is_err());
            }
        }
        assert!(refused >= 80, "only {refused} were refused");
    }
}

#[test]
fn forged_units_with_right_sums_do_no_harm() {
    let fixture = fixture();
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[("max_degree", "10"), ("search_cache_budget_gb_ratio", "0.2")]);
        let bytes = file_of(&spec, &fixture);
        let (mut rng, mut refused) = (Rng::new(13), 0);
        let layout: Layout = {
            let reader = Arc::new(InMemory::new(Blob::from_vec(bytes.clone())));
            DiskIndex::open(kind, reader, &spec, u64::MAX).expect("a sound file").layout
        };
        for part in [Part::Rows, Part::Entries, Part::Centre, Part::Signs, Part::Fine, Part::Links, Part::Nodes] {
            let section = layout.section(part);
            for value in [0, 399, 400, 1 << 31, u32::MAX - 1, u32::MAX, 0x7f80_0000, 0x7fc0_0000] {
                if section.units() == 0 {
                    continue;
                }
                let mut changed = bytes.clone();
                for unit in 0..section.units() {
                    let start = section.unit_offset(unit) as usize;
                    for _ in 0..200 {
                        let at = start + 4 * rng.below(section.packing.unit as u64 / 4 - 1) as usize;
                        changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
                    }
                    seal(&mut changed, section, unit);
                }
                refused += usize::from(search_all(kind, changed, &spec, &fixture).is_err());
            }
        }
        assert!(refused > 5, "only {refused} were refused");
    }
}

#[test]
fn a_failing_reader_is_an_error_of_that_search_alone() {
    let fixture = fixture();
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[("max_degree", "10")]);
        let reader = Arc::new(Shuffled::new(file_of(&spec, &fixture), 5));
        let index = DiskIndex::open(kind, reader.clone(), &spec, 60_000).expect("a sound file");
        let search =
            Search { k: 5, params: &ParamSet::empty(), filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
        for reads in [0, 1, 7] {
            reader.fail_after(reads);
            let result = index.search_at(fixture.query(1), &search, &mut TopK::new(5));
            let Err(SearchError::Read(error)) = result else { panic!("after {reads} reads: {result:?}") };
            assert!(matches!(error.fault, ReadFault::Device { .. }), "{error}");
            assert_eq!(recall_of(&index, &fixture, &[("search_list", "200")]), 1.0);
        }
    }
}
