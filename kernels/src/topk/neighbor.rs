//! A found row, its total order, and the same order in one integer.
use std::cmp::Ordering;

/// A row and the key it was found at.
///
/// The order is by key, then by id, and a NaN key comes after every number; it is total, and equality follows it.
#[derive(Clone, Copy, Debug)]
pub struct Neighbor {
    /// What is minimised.
    pub key: f32,
    /// The row.
    pub id: u32,
}

impl Ord for Neighbor {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match self.key.partial_cmp(&other.key) {
            Some(order) => order,
            None => self.key.is_nan().cmp(&other.key.is_nan()),
        };
        by_key.then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Neighbor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Neighbor {}

const SIGN: u32 = 1 << 31;

/// A neighbor as an integer: the key above, the id below. Where no key is NaN, integers are ordered as neighbors are.
///
/// The bits of a float are ordered as its magnitude is; turning all of them over where the sign is set, and else the
/// sign alone, orders them as the value. The sum with 0 makes 0 of -0, as the two are one key.
#[inline(always)]
pub fn pack(key: f32, id: u32) -> u64 {
    let bits = (key + 0.0).to_bits();
    let flip = ((bits as i32) >> 31) as u32 | SIGN;
    u64::from(bits ^ flip) << 32 | u64::from(id)
}

/// Undoes [`pack`], but for the sign of a zero.
#[inline(always)]
pub fn unpack(packed: u64) -> Neighbor {
    let ordered = (packed >> 32) as u32;
    let flip = if ordered & SIGN == 0 { u32::MAX } else { SIGN };
    Neighbor { key: f32::from_bits(ordered ^ flip), id: packed as u32 }
}
