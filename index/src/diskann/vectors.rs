//! Vectors in the file's bytes, in 32-bit floats, and exact keys of them.

use std::cell::RefCell;

use elanus_kernels::{Bf16, ElementType, F16, Kernel, KernelError, Metric, Number, Vector};

use crate::SearchError;

/// Leaves in `out` the vector as floats, divided by its length for cosine. Zero stays zero.
pub(super) fn floats(vector: Vector<'_>, metric: Metric, out: &mut Vec<f32>) {
    fn copy<E: Number>(from: &[E], out: &mut Vec<f32>) {
        out.extend(from.iter().map(|value| value.to_f32()));
    }
    out.clear();
    match vector {
        Vector::F32(values) => out.extend_from_slice(values),
        Vector::F16(values) => copy(values, out),
        Vector::Bf16(values) => copy(values, out),
        // No index here takes them.
        Vector::I8(_) | Vector::U8(_) | Vector::U4(_) | Vector::Binary(_) => {}
    }
    if metric == Metric::Cosine {
        let square: f64 = out.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
        let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        out.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    }
}

/// Writes the vector's bytes as the file holds them.
pub(super) fn write(vector: Vector<'_>, out: &mut [u8]) {
    match vector {
        Vector::F32(values) => out.copy_from_slice(bytemuck::cast_slice(values)),
        Vector::F16(values) => halves(values.iter().map(|value| value.0), out),
        Vector::Bf16(values) => halves(values.iter().map(|value| value.0), out),
        Vector::I8(_) | Vector::U8(_) | Vector::U4(_) | Vector::Binary(_) => {}
    }
}

fn halves(values: impl Iterator<Item = u16>, out: &mut [u8]) {
    for (to, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

/// Whether disk indexes take vectors of that type.
pub(super) fn takes(element: ElementType) -> bool {
    matches!(element, ElementType::F32 | ElementType::F16 | ElementType::Bf16)
}

/// A query that is compared with vectors as the file holds them. Keys are those of [`Kernel::pair`].
#[derive(Debug)]
pub(super) enum Exact<'a> {
    F32(Kernel<f32>, &'a [f32], RefCell<Vec<f32>>),
    F16(Kernel<F16>, &'a [F16], RefCell<Vec<F16>>),
    Bf16(Kernel<Bf16>, &'a [Bf16], RefCell<Vec<Bf16>>),
}

impl<'a> Exact<'a> {
    pub(super) fn new(query: Vector<'a>, metric: Metric) -> Result<Self, SearchError> {
        match query {
            Vector::F32(values) => Ok(Self::F32(Kernel::new(metric)?, values, RefCell::default())),
            Vector::F16(values) => Ok(Self::F16(Kernel::new(metric)?, values, RefCell::default())),
            Vector::Bf16(values) => Ok(Self::Bf16(Kernel::new(metric)?, values, RefCell::default())),
            Vector::I8(_) | Vector::U8(_) | Vector::U4(_) | Vector::Binary(_) => {
                Err(KernelError::Unsupported { metric, element: query.element() }.into())
            }
        }
    }

    /// The key of the vector that `bytes` hold; there are as many as its values take.
    pub(super) fn key(&self, bytes: &[u8]) -> f32 {
        match self {
            Self::F32(kernel, query, copy) => match bytemuck::try_cast_slice(bytes) {
                Ok(values) => kernel.pair(query, values),
                Err(_) => {
                    let mut copy = copy.borrow_mut();
                    copy.clear();
                    copy.extend(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)));
                    kernel.pair(query, &copy)
                }
            },
            Self::F16(kernel, query, copy) => {
                let mut copy = copy.borrow_mut();
                copy.clear();
                copy.extend(bytes.as_chunks::<2>().0.iter().map(|two| F16(u16::from_le_bytes(*two))));
                kernel.pair(query, &copy)
            }
            Self::Bf16(kernel, query, copy) => {
                let mut copy = copy.borrow_mut();
                copy.clear();
                copy.extend(bytes.as_chunks::<2>().0.iter().map(|two| Bf16(u16::from_le_bytes(*two))));
                kernel.pair(query, &copy)
            }
        }
    }
}
