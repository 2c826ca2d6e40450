//! Signatures of every width, on every instruction set, against a comparison hash by hash.
use super::{HashWidth, MinHash};
use crate::{Binary, ISAS, Kernel, Metric, Rows, rng::Rng};

/// Runs `check` on every set that this CPU can run; the others are named, so that a skipped one is seen.
fn every_set(width: HashWidth, mut check: impl FnMut(&MinHash)) {
    for isa in MinHash::sets(width).filter(|isa| !isa.is_available()) {
        println!("SKIPPED: minhash {width:?} on {} (needs {})", isa.name(), isa.summary());
    }
    assert_eq!(MinHash::all(width).last().unwrap().isa(), "scalar");
    MinHash::all(width).for_each(|run| check(&run));
}

/// A signature of which about half the hashes are those of `like`; the others differ in one bit somewhere.
fn signature(rng: &mut Rng, like: &[u8], width: usize) -> Vec<u8> {
    let mut made = like.to_vec();
    for hash in made.chunks_mut(width) {
        if rng.below(2) == 0 {
            hash[rng.below(width as u64) as usize] ^= 1 << rng.below(8);
        }
    }
    made
}

#[test]
fn equal_hashes_are_counted_at_every_length() {
    let mut rng = Rng::new(21);
    for width in HashWidth::ALL {
        let lengths = (0..=70).chain([96, 100, 128, 200, 256, 257, 1024]);
        for hashes in lengths {
            let bytes = hashes * width.bytes();
            let query: Vec<u8> = (0..bytes).map(|_| rng.next_u64() as u8).collect();
            let data: Vec<u8> = (0..11).flat_map(|_| signature(&mut rng, &query, width.bytes())).collect();
            let a = Binary::from_bytes_slice(&query);
            every_set(width, |run| {
                assert_eq!((run.equal(a, a), run.distance(a, a)), (hashes, 0.0));
                if hashes == 0 {
                    return;
                }
                let base = Rows::new(Binary::from_bytes_slice(&data), bytes).unwrap();
                let mut keys = [f32::NAN; 11];
                run.rows(a, base, &mut keys);
                let mut tile = [f32::NAN; 121];
                run.tile(base, base, &mut tile);
                for (i, row) in data.chunks(bytes).enumerate() {
                    let pairs = query.chunks(width.bytes()).zip(row.chunks(width.bytes()));
                    let equal = pairs.filter(|(a, b)| a == b).count();
                    let distance = (hashes - equal) as f32 / hashes as f32;
                    let b = Binary::from_bytes_slice(row);
                    assert_eq!(run.equal(a, b), equal, "{} {width:?} of {hashes}", run.isa());
                    assert_eq!((run.distance(a, b), keys[i]), (distance, distance), "{} {width:?}", run.isa());
                    assert_eq!((tile[12 * i], tile[i]), (0.0, run.distance(base.row(0), b)));
                }
                let mut named = [f32::NAN; 3];
                run.gather(a, base, &[10, 0, 10], &mut named);
                assert_eq!(named, [keys[10], keys[0], keys[10]]);
            });
        }
    }
}

#[test]
fn no_count_overflows_in_long_signatures() {
    for width in HashWidth::ALL {
        for bytes in [255 * 64 + 8, (1 << 21) + 64] {
            let (zeros, ones) = (vec![0u8; bytes], vec![1u8; bytes]);
            let (a, b) = (Binary::from_bytes_slice(&zeros), Binary::from_bytes_slice(&ones));
            every_set(width, |run| {
                assert_eq!((run.equal(a, b), run.distance(a, b)), (0, 1.0), "{} {width:?} {bytes}", run.isa());
                assert_eq!(run.equal(a, a), bytes / width.bytes());
            });
        }
    }
}

#[test]
fn the_metric_is_the_one_of_32_bits() {
    let mut rng = Rng::new(22);
    let a: Vec<u8> = (0..512).map(|_| rng.next_u64() as u8).collect();
    let b = signature(&mut rng, &a, 4);
    let (a, b) = (Binary::from_bytes_slice(&a), Binary::from_bytes_slice(&b));
    let kernel = Kernel::<Binary>::new(Metric::MhJaccard).unwrap();
    let run = MinHash::new(HashWidth::W32).unwrap();
    assert_eq!(kernel.pair(a, b), run.distance(a, b));
    assert_eq!(1.0 - run.equal(a, b) as f32 / 128.0, run.distance(a, b));
}

#[test]
fn widths_and_sets_are_found_by_name_or_refused() {
    for width in HashWidth::ALL {
        assert_eq!(HashWidth::from_bits(8 * width.bytes() as u32), Some(width));
        for isa in ISAS {
            assert_eq!(MinHash::on(isa, width).is_ok(), isa.is_available(), "{}", isa.name());
        }
        assert_eq!(MinHash::new(width).unwrap().width(), width);
    }
    assert_eq!(HashWidth::from_bits(24), None);
}

#[test]
#[should_panic(expected = "6 bytes are not whole hashes of 4 bytes")]
fn part_of_a_hash_is_refused() {
    let bytes = [Binary(0); 6];
    MinHash::new(HashWidth::W32).unwrap().distance(&bytes, &bytes);
}

#[test]
#[should_panic(expected = "signatures of different length")]
fn signatures_of_different_length_are_refused() {
    MinHash::new(HashWidth::W8).unwrap().equal(&[Binary(0); 4], &[Binary(0); 5]);
}
