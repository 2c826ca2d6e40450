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

/// Room for a result: plain numbers and pointers, for which all bytes zero are a value.
pub(crate) trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for u32 {}
impl Plain for usize {}
impl<T> Plain for *mut T {}

/// As [`read`], to be written to; what was there is cleared, since C may hand in memory that was never written.
///
/// # Safety
/// As many values are writable there, and nothing else refers to them.
pub(crate) unsafe fn write<'a, T: Plain>(to: *mut T, count: usize, what: &str) -> Result<&'a mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(to, count, what)?;
    // SAFETY: as in `read`; zeros are a value of every plain type.
    Ok(unsafe {
        to.write_bytes(0, count);
        std::slice::from_raw_parts_mut(to, count)
    })
}

/// One place to write a result to.
///
/// # Safety
/// As [`write`].
pub(crate) unsafe fn place<'a, T: Plain>(to: *mut T, what: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: passed on to the caller.
    let one = unsafe { write(to, 1, what) }?;
    one.first_mut().ok_or_else(|| Failure::invalid(what))
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
