//! Tests of the choice of packages.

use super::versioned;

#[test]
fn versions_in_package_names_are_taken_from_apt() {
    let answer = "rustc-web\n  Depends: libc6\n  Depends: libllvm22\n  Depends: libstd-rust-web-1.96\n  \
                  Depends: libstd-rust-web-dev\nlibstd-rust-web-dev:arm64\nlibllvm14:arm64\n";
    let names = versioned(answer).expect("both are there");
    assert_eq!(names, ["libllvm22", "libstd-rust-web-1.96", "libstd-rust-web-dev", "libstd-rust-web-dev:arm64"]);
    assert!(versioned("rustc-web\n libllvm22\n").is_err_and(|e| e.contains("libstd-rust-web")));
    assert!(versioned("libstd-rust-web-1.97").is_err_and(|e| e.contains("libllvm")));
}
