//! What becomes of functions, enumerations and structures, and what is refused.

use super::{render, screaming};

fn header(source: &str) -> Result<String, String> {
    render(&[("made_up.rs".to_owned(), source.to_owned())])
}

#[test]
fn functions_types_and_comments_are_carried_over() {
    let text = header(
        r#"
/// A thing.
pub struct ElanusThing { inner: u8 }

/// A kind.
#[repr(C)]
pub enum ElanusKind {
    /// The first.
    OneTwo = 0,
}

/// Does it.
///
/// # Safety
/// All is well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elanus_do(a: *const c_void, out: *mut *mut ElanusThing, n: usize) -> ElanusStatus { todo() }

#[unsafe(no_mangle)]
pub extern "C" fn elanus_name() -> *const c_char { todo() }

fn inner() {}
"#,
    )
    .unwrap();
    for part in [
        "/* A thing. */\ntypedef struct ElanusThing ElanusThing;\n",
        "typedef enum {\n  /* The first. */\n  ELANUS_KIND_ONE_TWO = 0,\n} ElanusKind;\n",
        "/* Does it.\n   The caller sees to it that: All is well. */\n",
        "ElanusStatus elanus_do(const void *a, ElanusThing **out, size_t n);\n",
        "const char *elanus_name(void);\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(!text.contains("inner"));
}

#[test]
fn what_c_cannot_say_is_refused() {
    let refused = |source: &str| header(source).unwrap_err();
    let strange = "#[unsafe(no_mangle)] pub extern \"C\" fn f(a: String) {}";
    assert_eq!(refused(strange), "kernels-c/src/made_up.rs: f: type String has no counterpart in C");
    assert!(refused("extern \"C\" fn f() {}").ends_with("f is neither public nor free of mangling"));
    assert!(refused("#[repr(C)] pub enum E { A }").ends_with("E::A has no number"));
    assert!(refused("fn (").contains("made_up.rs"));
}

#[test]
fn names_of_constants() {
    assert_eq!(screaming("MhJaccard"), "MH_JACCARD");
    assert_eq!(screaming("ElanusStatus"), "ELANUS_STATUS");
    assert_eq!(screaming("L2"), "L2");
}
