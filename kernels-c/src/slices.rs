//! From pointers and sizes to slices, with every check that can be made.
use crate::error::Failure;

/// `count` values at `from`, named `what` in the refusal.
///
/// # Safety
/// As many values are readable there, if `from` is neither null nor misaligned.
pub(crate) unsafe fn read<'a, T>(from: *const T, count: usize, what: &str) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check(from, count, what)?;
    // SAFETY: not null, aligned and of a length that memory can have; the rest is the caller's duty.
    Ok(unsafe { std::slice::from_raw_parts(from, count) })
}

/// As [`read`], to be written to.
///
/// # Safety
/// As many values are writable there, and nothing else refers to them.
pub(crate) unsafe fn write<'a, T>(to: *mut T, count: usize, what: &str) -> Result<&'a mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(to, count, what)?;
    // SAFETY: as in `read`.
    Ok(unsafe { std::slice::from_raw_parts_mut(to, count) })
}

/// One place to write a result to.
///
/// # Safety
/// As [`write`].
pub(crate) unsafe fn place<'a, T>(to: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    check(to, 1, what)?;
    // SAFETY: as in `read`.
    Ok(unsafe { &mut *to })
}

fn check<T>(from: *const T, count: usize, what: &str) -> Result<(), Failure> {
    if from.is_null() {
        return Err(Failure::invalid(format!("{what} is null")));
    }
    if !from.is_aligned() {
        return Err(Failure::invalid(format!("{what} is not aligned to {} bytes", align_of::<T>())));
    }
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        Some(_) | None => Err(Failure::invalid(format!("{what}: {count} values are more than memory can hold"))),
    }
}

/// The product of two sizes, named `what` in the refusal.
pub(crate) fn product(a: usize, b: usize, what: &str) -> Result<usize, Failure> {
    a.checked_mul(b).ok_or_else(|| Failure::invalid(format!("{what}: {a} times {b} overflows")))
}
