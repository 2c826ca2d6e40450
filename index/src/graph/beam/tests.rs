//! Candidates are ordered as their keys, and both beams keep what a sorted list would.

use elanus_kernels::rng::Rng;

use super::*;

#[test]
fn candidates_are_ordered_by_key_then_node() {
    let keys = [f32::NEG_INFINITY, -2.5, -1e-40, 0.0, 1e-40, 1.0, 1.5, f32::MAX, f32::INFINITY];
    for (i, key) in keys.iter().enumerate() {
        let candidate = Candidate::new(*key, MAX_NODE);
        assert_eq!((candidate.key(), candidate.node()), (*key, MAX_NODE));
        for later in &keys[i + 1..] {
            assert!(candidate < Candidate::new(*later, 0));
        }
        assert!(Candidate::new(*key, 3) < Candidate::new(*key, 4));
    }
    assert_eq!(Candidate::new(-0.0, 1), Candidate::new(0.0, 1));
    for nan in [f32::NAN, -f32::NAN] {
        assert!(Candidate::new(nan, 0) > Candidate::new(f32::INFINITY, 9));
        assert!(Candidate::new(nan, 0).key().is_nan());
    }
}

/// Offers and takes as a walk does and compares with a list that is sorted each time.
fn agrees_with_a_sorted_list(mut beam: impl Beam, width: usize) {
    let mut rng = Rng::new(width as u64);
    for _ in 0..30 {
        beam.start(width);
        let mut kept: Vec<(Candidate, bool)> = Vec::new();
        for node in 0..200 {
            let offered = Candidate::new((rng.below(50) as f32) - 25.0, node);
            let leads = beam.offer(offered);
            kept.push((offered, false));
            kept.sort();
            kept.truncate(width);
            let first = kept.iter().find(|(_, is_taken)| !is_taken);
            assert!(!leads || first.is_some_and(|(first, _)| *first == offered), "{offered:?} does not lead");
            if rng.below(3) == 0 {
                let best = kept.iter_mut().find(|(_, is_taken)| !is_taken);
                let next = best.map(|(candidate, is_taken)| {
                    *is_taken = true;
                    *candidate
                });
                assert_eq!(next.map(|_| beam.peek()), next.map(Some));
                assert_eq!(beam.next(), next);
            }
        }
        let mut out = vec![Candidate::new(1e9, 7)];
        beam.drain(&mut out);
        assert_eq!(out[1..], kept.iter().map(|(candidate, _)| *candidate).collect::<Vec<_>>());
        assert_eq!(beam.next(), None);
    }
}

#[test]
fn beams_keep_the_best() {
    for width in [1, 2, 7, 64, 500] {
        agrees_with_a_sorted_list(Sorted::default(), width);
        agrees_with_a_sorted_list(Heaps::default(), width);
    }
}

#[test]
fn heaps_say_what_they_would_keep() {
    let mut heaps = Heaps::default();
    heaps.start(2);
    assert!(heaps.keep(Candidate::new(1.0, 1)) && heaps.takes(Candidate::new(9.0, 9)));
    assert!(heaps.keep(Candidate::new(2.0, 2)) && heaps.is_full());
    assert!(!heaps.takes(Candidate::new(2.0, 2)) && !heaps.is_beyond(Candidate::new(2.0, 2)));
    assert!(heaps.is_beyond(Candidate::new(2.0, 3)) && !heaps.keep(Candidate::new(2.0, 3)));
    assert_eq!(heaps.next(), None);
}
