//! Tests of what an error says.

use super::*;

/// A cause, with its own cause; `tells` is whether its text holds that of its cause.
#[derive(Debug)]
struct Cause {
    text: &'static str,
    tells: bool,
    cause: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) if self.tells => write!(f, "{}: {cause}", self.text),
            Some(_) | None => f.write_str(self.text),
        }
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| -> &(dyn StdError + 'static) { cause })
    }
}

#[test]
fn the_whole_chain_is_told_once() {
    for tells in [false, true] {
        let last = Cause { text: "disk on fire", tells, cause: None };
        let middle = Cause { text: "file x", tells, cause: Some(Box::new(last)) };
        let error = Error::internal("cannot read").with_source(middle);
        assert_eq!(error.to_string(), "cannot read: file x: disk on fire");
        assert_eq!(error.twin().to_string(), error.to_string());
        let outer = Error::unavailable("cannot open").with_source(error);
        assert_eq!(outer.to_string(), "cannot open: cannot read: file x: disk on fire");
    }
    assert_eq!(Error::internal("alone").to_string(), "alone");
}
