//! How a call ended, and the text that says why.
use std::{
    cell::RefCell,
    ffi::{CString, c_char},
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

/// How a call ended.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElanusStatus {
    /// As asked.
    Ok = 0,
    /// A pointer is null or misaligned, a dimension is zero, a size overflows, or a value or name is not one of those that
    /// are known.
    Invalid = 1,
    /// This machine or this build cannot do it: an instruction set it lacks, a metric that is not defined over the element.
    Unsupported = 2,
    /// A defect of the library; nothing was written that can be relied on.
    Internal = 3,
}

/// Why a call did not end well.
pub(crate) struct Failure {
    pub(crate) status: ElanusStatus,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self { status: ElanusStatus::Invalid, text: text.into() }
    }

    pub(crate) fn unsupported(error: impl Display) -> Self {
        Self { status: ElanusStatus::Unsupported, text: error.to_string() }
    }
}

thread_local! {
    static LAST: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Runs the body of a call: remembers the text of a failure, and stops a panic before it reaches the caller.
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Failure>) -> ElanusStatus {
    let ended = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure { status: ElanusStatus::Internal, text: text.unwrap_or("a panic without a text").to_owned() })
    });
    match ended {
        Ok(()) => ElanusStatus::Ok,
        Err(Failure { status, text }) => {
            // A text comes from this library and from names the caller gave as C strings: there is no NUL in it.
            LAST.with(|last| *last.borrow_mut() = CString::new(text).ok());
            status
        }
    }
}

/// Why the last call of this thread that failed did so, or null when none has. The text lives until the next call that
/// fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn elanus_last_error() -> *const c_char {
    LAST.with(|last| last.borrow().as_ref().map_or(ptr::null(), |text| text.as_ptr()))
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::{ElanusStatus, elanus_last_error, guarded};

    #[test]
    fn a_panic_ends_at_the_border() {
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(guarded(|| panic!("a {}", "defect")), ElanusStatus::Internal);
        let _ = std::panic::take_hook();
        // SAFETY: set by the call above.
        assert_eq!(unsafe { CStr::from_ptr(elanus_last_error()) }.to_str(), Ok("a defect"));
    }
}
