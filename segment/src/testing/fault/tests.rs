//! Faults come when they are told to, and have no effect before.

use super::*;
use crate::dir::MemDir;

fn fresh() -> (MemDir, FaultDir) {
    let files = MemDir::new();
    (files.clone(), FaultDir::new(Arc::new(files)))
}

#[test]
fn changes_fail_after_a_count() {
    for count in 0..6 {
        let (files, dir) = fresh();
        dir.fail_after(count);
        let steps = || -> io::Result<()> {
            let file = dir.create("a")?;
            file.write_at(0, b"abc")?;
            file.set_len(2)?;
            file.sync_data()?;
            dir.rename("a", "b")?;
            dir.sync_dir("")
        };
        assert!(steps().is_err());
        assert_eq!(files.exists("a"), (1..5).contains(&count));
        assert_eq!(files.exists("b"), count == 5);
        dir.heal();
        dir.remove(if count == 5 { "b" } else { "a" }).map_err(|error| error.kind()).ok();
        steps().unwrap();
    }
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (files, dir) = fresh();
    let file = dir.create("a").unwrap();
    dir.byte_budget(5);
    file.write_at(0, b"abc").unwrap();
    assert_eq!(file.write_at(3, b"def").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(files.read("a").unwrap(), b"abcde");
    assert_eq!(dir.open("a").unwrap().write_at(0, b"x").unwrap_err().kind(), ErrorKind::StorageFull);
    file.sync_all().unwrap();
    dir.heal();
    file.write_at(3, b"def").unwrap();
}

#[test]
fn syncs_fail_alone() {
    let (_, dir) = fresh();
    let file = dir.create("a").unwrap();
    dir.fail_syncs_after(2);
    file.sync_all().unwrap();
    dir.sync_dir("").unwrap();
    assert!(file.sync_data().is_err() && dir.sync_dir("").is_err());
    file.write_at(0, b"x").unwrap();
    let mut buf = [0];
    file.read_at(0, &mut buf).unwrap();
    assert_eq!((&buf, dir.len("a").unwrap()), (b"x", 1));
}
