//! Kernels: a metric over an element type, bound to an instruction set.
use std::{
    error::Error,
    ffi::{CStr, CString, c_char, c_void},
};

use elanus_kernels::{Bf16, Binary, Element, F16, IsaError, IsaInfo, Kernel, KernelError, Metric, Rows, U4, dispatch};

use crate::{
    error::{ElanusStatus, Failure, guarded},
    slices::{place, product, read, write},
};

/// The stored type of a vector. Dimensions count stored units.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElanusElement {
    /// IEEE 754 binary32.
    F32 = 0,
    /// IEEE 754 binary16.
    F16 = 1,
    /// The upper half of binary32.
    Bf16 = 2,
    /// Signed bytes.
    I8 = 3,
    /// Unsigned bytes.
    U8 = 4,
    /// Two unsigned numbers of four bits in a byte, the first in the low half.
    U4 = 5,
    /// Eight bits in a byte, the first one lowest.
    Binary = 6,
}

/// How near two vectors are.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElanusMetric {
    /// Squared Euclidean distance.
    L2 = 0,
    /// Inner product.
    Ip = 1,
    /// Cosine of the angle.
    Cosine = 2,
    /// The number of bits that differ.
    Hamming = 3,
    /// Jaccard distance of the sets of one bits.
    Jaccard = 4,
    /// Tanimoto similarity of fingerprints.
    Tanimoto = 5,
    /// 0 if every one bit of the row is one in the query, else 1.
    Substructure = 6,
    /// 0 if every one bit of the query is one in the row, else 1.
    Superstructure = 7,
    /// The share of 32-bit hashes that differ.
    MhJaccard = 8,
}

/// A metric over an element type, bound to an instruction set. Several threads may use one at once.
#[derive(Debug)]
pub struct ElanusKernel {
    isa: CString,
    /// The best set that may be used, which the kernel's own may be below.
    pub(crate) limit: &'static IsaInfo,
    pub(crate) typed: Typed,
}

/// The kernel of whichever element type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    F32(Kernel<f32>),
    F16(Kernel<F16>),
    Bf16(Kernel<Bf16>),
    I8(Kernel<i8>),
    U8(Kernel<u8>),
    U4(Kernel<U4>),
    Binary(Kernel<Binary>),
}

/// Runs `$body` with `$kernel` bound to the typed kernel.
macro_rules! with_kernel {
    ($typed:expr, $kernel:ident => $body:expr) => {
        match $typed {
            $crate::kernel::Typed::F32($kernel) => $body,
            $crate::kernel::Typed::F16($kernel) => $body,
            $crate::kernel::Typed::Bf16($kernel) => $body,
            $crate::kernel::Typed::I8($kernel) => $body,
            $crate::kernel::Typed::U8($kernel) => $body,
            $crate::kernel::Typed::U4($kernel) => $body,
            $crate::kernel::Typed::Binary($kernel) => $body,
        }
    };
}
pub(crate) use with_kernel;

pub(crate) fn metric(number: u32) -> Result<Metric, Failure> {
    let metric = elanus_kernels::METRICS.get(number as usize);
    metric.copied().ok_or_else(|| Failure::invalid(format!("metric {number} is not known")))
}

/// A name that is not known is the caller's mistake; what this machine lacks is not.
fn refusal(error: KernelError) -> Failure {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let unknown = matches!(error, KernelError::Isa(IsaError::Unknown { .. }));
    if unknown { Failure::invalid(text) } else { Failure::unsupported(text) }
}

/// Makes a kernel: `element` is one of `ElanusElement`, `metric` one of `ElanusMetric`. `isa` names the best instruction
/// set that may be used, such as "avx2"; null is the best that the variable ELANUS_ISA allows, or this CPU has. The
/// kernel is stored in `*kernel` and is freed by `elanus_kernel_free`.
///
/// # Safety
/// `isa` is null or a string that ends with a NUL, and `kernel` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_new(
    element: u32,
    metric: u32,
    isa: *const c_char,
    kernel: *mut *mut ElanusKernel,
) -> ElanusStatus {
    guarded(|| {
        // SAFETY: the caller's duty.
        let to = unsafe { place(kernel, "kernel") }?;
        let metric = self::metric(metric)?;
        // SAFETY: not null; the caller's duty.
        let name = (!isa.is_null()).then(|| unsafe { CStr::from_ptr(isa) }.to_string_lossy());
        let limit = name.as_deref().map_or_else(dispatch::choice, dispatch::find);
        let limit = limit.map_err(|error| refusal(error.into()))?;
        let typed = match element {
            0 => Kernel::on(limit, metric).map(Typed::F32),
            1 => Kernel::on(limit, metric).map(Typed::F16),
            2 => Kernel::on(limit, metric).map(Typed::Bf16),
            3 => Kernel::on(limit, metric).map(Typed::I8),
            4 => Kernel::on(limit, metric).map(Typed::U8),
            5 => Kernel::on(limit, metric).map(Typed::U4),
            6 => Kernel::on(limit, metric).map(Typed::Binary),
            _ => return Err(Failure::invalid(format!("element {element} is not known"))),
        };
        let typed = typed.map_err(refusal)?;
        let isa = CString::new(with_kernel!(typed, kernel => kernel.isa())).unwrap_or_default();
        *to = Box::into_raw(Box::new(ElanusKernel { isa, limit, typed }));
        Ok(())
    })
}

/// Frees a kernel; null is ignored.
///
/// # Safety
/// `kernel` is null or came from `elanus_kernel_new` and has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_free(kernel: *mut ElanusKernel) {
    if !kernel.is_null() {
        // SAFETY: the caller's duty.
        drop(unsafe { Box::from_raw(kernel) });
    }
}

/// The name of the kernel's instruction set, which lives as long as the kernel; null for a null kernel.
///
/// # Safety
/// `kernel` is null or a living kernel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_isa(kernel: *const ElanusKernel) -> *const c_char {
    // SAFETY: the caller's duty.
    unsafe { kernel.as_ref() }.map_or(std::ptr::null(), |kernel| kernel.isa.as_ptr())
}

/// The score that a key stands for, as users are shown it; a key where smaller is nearer is what every other function
/// returns. NaN for an unknown metric.
#[unsafe(no_mangle)]
pub extern "C" fn elanus_score(metric: u32, key: f32) -> f32 {
    self::metric(metric).map_or(f32::NAN, |metric| metric.score(key))
}

/// # Safety
/// `kernel` is null or a living kernel.
pub(crate) unsafe fn living<'a>(kernel: *const ElanusKernel) -> Result<&'a ElanusKernel, Failure> {
    // SAFETY: the caller's duty.
    unsafe { kernel.as_ref() }.ok_or_else(|| Failure::invalid("kernel is null"))
}

/// `count` rows of `dim` units at `from`.
///
/// # Safety
/// As many units are readable there.
pub(crate) unsafe fn rows<'a, E: Element>(
    from: *const c_void,
    count: usize,
    dim: usize,
    what: &str,
) -> Result<Rows<'a, E>, Failure> {
    // SAFETY: the caller's duty.
    let data = unsafe { read(from.cast::<E>(), product(count, dim, what)?, what) }?;
    Rows::new(data, dim).map_err(|error| Failure::invalid(format!("{what}: {error}")))
}

/// The key of two vectors of `dim` units.
///
/// # Safety
/// `a` and `b` have `dim` units, and `key` is writable.
/// What is written overlaps nothing that is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_pair(
    kernel: *const ElanusKernel,
    a: *const c_void,
    b: *const c_void,
    dim: usize,
    key: *mut f32,
) -> ElanusStatus {
    guarded(|| {
        // SAFETY: the caller's duty.
        let (kernel, key) = unsafe { (living(kernel)?, place(key, "key")?) };
        if dim == 0 {
            return Err(Failure::invalid("dim is 0"));
        }
        // SAFETY: as above.
        *key = with_kernel!(kernel.typed, kernel => unsafe { kernel.pair(read(a.cast(), dim, "a")?, read(b.cast(), dim, "b")?) });
        Ok(())
    })
}

/// The keys of a query with `count` rows that lie one after another.
///
/// # Safety
/// `query` has `dim` units, `base` `count` times as many, and `keys` room for `count`.
/// What is written overlaps nothing that is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_rows(
    kernel: *const ElanusKernel,
    query: *const c_void,
    base: *const c_void,
    dim: usize,
    count: usize,
    keys: *mut f32,
) -> ElanusStatus {
    guarded(|| {
        // SAFETY: the caller's duty.
        let (kernel, keys) = unsafe { (living(kernel)?, write(keys, count, "keys")?) };
        with_kernel!(kernel.typed, kernel => {
            // SAFETY: as above.
            let (query, base) = unsafe { (read(query.cast(), dim, "query")?, rows(base, count, dim, "base")?) };
            kernel.rows(query, base, keys);
        });
        Ok(())
    })
}

/// The keys of a query with the `id_count` rows that `ids` names, of `row_count` rows that lie one after another.
///
/// # Safety
/// `query` has `dim` units, `base` `row_count` times as many, `ids` has `id_count` values and `keys` room for as many.
/// What is written overlaps nothing that is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_gather(
    kernel: *const ElanusKernel,
    query: *const c_void,
    base: *const c_void,
    dim: usize,
    row_count: usize,
    ids: *const u32,
    id_count: usize,
    keys: *mut f32,
) -> ElanusStatus {
    guarded(|| {
        // SAFETY: the caller's duty.
        let (kernel, ids, keys) =
            unsafe { (living(kernel)?, read(ids, id_count, "ids")?, write(keys, id_count, "keys")?) };
        if let Some(id) = ids.iter().find(|id| **id as usize >= row_count) {
            return Err(Failure::invalid(format!("ids: row {id} of {row_count}")));
        }
        with_kernel!(kernel.typed, kernel => {
            // SAFETY: as above.
            let (query, base) = unsafe { (read(query.cast(), dim, "query")?, rows(base, row_count, dim, "base")?) };
            kernel.gather(query, base, ids, keys);
        });
        Ok(())
    })
}

/// The keys of every query with every row: query `q` and row `r` at `keys[q * row_count + r]`.
///
/// # Safety
/// `queries` has `query_count` times `dim` units, `base` `row_count` times as many, and `keys` room for the product of
/// the counts.
/// What is written overlaps nothing that is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_kernel_tile(
    kernel: *const ElanusKernel,
    queries: *const c_void,
    query_count: usize,
    base: *const c_void,
    row_count: usize,
    dim: usize,
    keys: *mut f32,
) -> ElanusStatus {
    guarded(|| {
        // SAFETY: the caller's duty.
        let (kernel, keys) =
            unsafe { (living(kernel)?, write(keys, product(query_count, row_count, "keys")?, "keys")?) };
        with_kernel!(kernel.typed, kernel => {
            // SAFETY: as above.
            let (queries, base) =
                unsafe { (rows(queries, query_count, dim, "queries")?, rows(base, row_count, dim, "base")?) };
            kernel.tile(queries, base, keys);
        });
        Ok(())
    })
}
