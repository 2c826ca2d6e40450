//! The software driver is told from others by its file.
use std::path::Path;

use super::{driver, is_driver};

#[test]
fn the_software_driver_is_told_from_others() {
    for (name, want) in [("lvp_icd.x86_64.json", true), ("lvp_icd.json", true), ("radeon_icd.x86_64.json", false)] {
        assert_eq!(is_driver(&Path::new("/etc/icd.d").join(name)), want, "{name}");
    }
    assert_eq!(driver(Path::new("/nowhere")), None);
}
