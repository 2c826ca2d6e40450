//! A query over blocks as plain numbers, for devices that compute the keys themselves.
use super::{SqQuery, query::Bytes};

/// What a device needs of a query: with the codes `c` of a row and its factors `min`, `step` and `square`,
///
/// ```text
/// w     = sum_j c_j * bytes_j                               an integer, exactly
/// inner = min * sum + step * (scale * w + middle)
/// key   = constant + square_weight * square + product_weight * inner
/// ```
///
/// and for COSINE `key / sqrt(square)`, cut to -1 and 1, or 0 where `square` is 0. Each operation is rounded to f32 by
/// itself, in the order in which it is written; no product and sum are fused.
#[derive(Clone, Copy, Debug)]
pub struct SqForm<'a> {
    /// The query in bytes, in the order of the components.
    pub bytes: &'a [i8],
    /// What a unit of `w` stands for.
    pub scale: f32,
    /// What rounding the query does to the middle of the grid.
    pub middle: f32,
    /// The sum of the query's components.
    pub sum: f32,
    /// The part of the key that all rows share.
    pub constant: f32,
    /// By what the square of a row counts.
    pub square_weight: f32,
    /// By what the product counts.
    pub product_weight: f32,
    /// Whether the key is a cosine.
    pub cosine: bool,
}

impl SqQuery {
    /// The query as plain numbers; `None` for a wide query, or one that was made ready for rows.
    pub fn form(&self) -> Option<SqForm<'_>> {
        let Bytes::Narrow(bytes) = &self.bytes else { return None };
        let terms = &self.terms;
        Some(SqForm {
            bytes: bytes.components()?,
            scale: terms.high_scale,
            middle: terms.middle,
            sum: terms.sum,
            constant: terms.constant,
            square_weight: terms.square_weight,
            product_weight: terms.product_weight,
            cosine: terms.cosine,
        })
    }
}
