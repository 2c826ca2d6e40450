//! The forward transform over registers, written once for every instruction set.
#![expect(clippy::needless_range_loop, reason = "iterators may be compiled without the instruction set")]
use super::{Round, rounds};

/// A register of `f32` lanes.
pub(super) trait Lane: Copy {
    /// How many; divides 64.
    const LANES: usize;

    /// # Safety
    /// The instruction set is available and `LANES` values are readable at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// The instruction set is available and `LANES` values are writable at `to`.
    unsafe fn store(self, to: *mut f32);

    /// Lane by lane.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn add(self, other: Self) -> Self;

    /// Lane by lane.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn sub(self, other: Self) -> Self;

    /// Times `factor`, then with the sign of lane `i` flipped where bit `i` of `signs` is set.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn flip(self, factor: f32, signs: u64) -> Self;

    /// The butterflies within the register, at distances 1 to `LANES / 2`.
    ///
    /// # Safety
    /// The instruction set is available.
    unsafe fn inner(self) -> Self;
}

/// See [`super::Run`]. `C` registers of `L` hold 64 values.
///
/// # Safety
/// The instruction set of `L` is available; `padded` values at `data` and `rounds(padded) * padded / 64` words at
/// `signs` belong to the caller; `padded` is a multiple of 64 and not 0.
#[inline(always)]
pub(super) unsafe fn forward<L: Lane, const C: usize>(signs: *const u64, data: *mut f32, padded: usize) {
    // SAFETY: the caller's duty; the block and the halves lie within the vector.
    unsafe {
        for r in 0..rounds(padded) {
            let round = Round::new(r, padded);
            for chunk in 0..padded / 64 {
                let word = *signs.add(r * (padded / 64) + chunk);
                let at = 64 * chunk;
                enter::<L, C>(data.add(at), word, round.factor(at), round.holds(at));
            }
            let block = data.add(round.start);
            let mut distance = 64;
            while distance * 8 <= round.len {
                pass::<L, 8>(block, round.len, distance);
                distance *= 8;
            }
            match round.len / distance {
                4 => pass::<L, 4>(block, round.len, distance),
                2 => pass::<L, 2>(block, round.len, distance),
                _ => {}
            }
            if round.mixes {
                pass::<L, 2>(data, padded, padded / 2);
            }
        }
    }
}

/// Flips the signs of 64 values and, within the block, goes through the butterflies at distances 1 to 32.
///
/// # Safety
/// The instruction set is available and 64 values at `data` belong to the caller.
#[inline(always)]
unsafe fn enter<L: Lane, const C: usize>(data: *mut f32, signs: u64, factor: f32, within: bool) {
    // SAFETY: the caller's duty; `C * LANES` is 64.
    unsafe {
        let mut chunk = [L::load(data); C];
        for i in 0..C {
            chunk[i] = L::load(data.add(i * L::LANES)).flip(factor, signs >> (i * L::LANES));
        }
        if within {
            for i in 0..C {
                chunk[i] = chunk[i].inner();
            }
            across(&mut chunk);
        }
        for i in 0..C {
            chunk[i].store(data.add(i * L::LANES));
        }
    }
}

/// The butterflies between the registers of an array, at distances 1 to half its length.
///
/// # Safety
/// The instruction set is available.
#[inline(always)]
unsafe fn across<L: Lane, const C: usize>(registers: &mut [L; C]) {
    let mut distance = 1;
    while distance < C {
        let mut i = 0;
        while i < C {
            if i & distance == 0 {
                let (a, b) = (registers[i], registers[i + distance]);
                // SAFETY: the caller's duty.
                unsafe {
                    registers[i] = a.add(b);
                    registers[i + distance] = a.sub(b);
                }
            }
            i += 1;
        }
        distance *= 2;
    }
}

/// The butterflies at distances `distance` to `distance * R / 2` over `len` values.
///
/// # Safety
/// The instruction set is available; `len` values at `data` belong to the caller; `len` is a multiple of
/// `R * distance`, and `distance` of `LANES`.
#[inline(always)]
unsafe fn pass<L: Lane, const R: usize>(data: *mut f32, len: usize, distance: usize) {
    let mut group = 0;
    while group < len {
        let mut at = 0;
        while at < distance {
            // SAFETY: the caller's duty.
            unsafe {
                let first = data.add(group + at);
                let mut registers = [L::load(first); R];
                for i in 1..R {
                    registers[i] = L::load(first.add(i * distance));
                }
                across(&mut registers);
                for i in 0..R {
                    registers[i].store(first.add(i * distance));
                }
            }
            at += L::LANES;
        }
        group += R * distance;
    }
}
