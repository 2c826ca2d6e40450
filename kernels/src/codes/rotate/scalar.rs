//! Plain Rust: the oracle of the forward transform, and the only code of the backward one.
use super::{Round, rounds};

/// See [`super::Run`].
///
/// # Safety
/// `padded` values at `data` and `rounds(padded) * padded / 64` words at `signs` belong to the caller.
pub(super) unsafe fn forward(signs: *const u64, data: *mut f32, padded: usize) {
    // SAFETY: the caller's duty.
    let (signs, data) = unsafe {
        (std::slice::from_raw_parts(signs, rounds(padded) * padded / 64), std::slice::from_raw_parts_mut(data, padded))
    };
    for (r, signs) in signs.chunks_exact(padded / 64).enumerate() {
        let round = Round::new(r, padded);
        flip(&round, signs, data);
        hadamard(&mut data[round.start..][..round.len]);
        if round.mixes {
            butterflies(data, padded / 2);
        }
    }
}

/// The transform of the transposed matrix: every step in the opposite order, each of which is its own transpose.
pub(super) fn backward(signs: &[u64], data: &mut [f32]) {
    let padded = data.len();
    for (r, signs) in signs.chunks_exact(padded / 64).enumerate().rev() {
        let round = Round::new(r, padded);
        if round.mixes {
            butterflies(data, padded / 2);
        }
        hadamard(&mut data[round.start..][..round.len]);
        flip(&round, signs, data);
    }
}

fn flip(round: &Round, signs: &[u64], data: &mut [f32]) {
    for (chunk, (values, word)) in data.chunks_exact_mut(64).zip(signs).enumerate() {
        let factor = round.factor(64 * chunk);
        for (j, value) in values.iter_mut().enumerate() {
            let sign = ((word >> j) as u32 & 1) << 31;
            *value = f32::from_bits((*value * factor).to_bits() ^ sign);
        }
    }
}

fn hadamard(block: &mut [f32]) {
    let mut distance = 1;
    while distance < block.len() {
        butterflies(block, distance);
        distance *= 2;
    }
}

fn butterflies(data: &mut [f32], distance: usize) {
    for pair in data.chunks_exact_mut(2 * distance) {
        let (low, high) = pair.split_at_mut(distance);
        for (a, b) in low.iter_mut().zip(high) {
            (*a, *b) = (*a + *b, *a - *b);
        }
    }
}
