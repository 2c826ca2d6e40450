//! Suites of the object store.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use elanus_kernels::rng::Rng;
use elanus_segment::dir::{CrashDir, Dir};

use super::{History, bytes, each_image};
use crate::store::{MAX_NAME_BYTES, MAX_PART_BYTES, Store, StoreError};

type Model = BTreeMap<String, Vec<u8>>;

fn put(store: &dyn Store, name: &str, content: &[u8]) -> Result<u64, StoreError> {
    store.put(name, &mut |out| {
        // In pieces of changing length, as real writers do.
        let mut rest = content;
        let mut piece = 1;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            out.write_all(now)?;
            (rest, piece) = (later, piece * 3);
        }
        Ok(())
    })
}

fn everything(store: &dyn Store) -> Model {
    let names = store.list("").expect("the objects can be listed");
    let read = |(name, len): (String, u64)| {
        let blob = store.open(&name).expect("a listed object can be opened");
        assert_eq!(blob.len() as u64, len, "{name}");
        (name, blob.as_slice().to_vec())
    };
    names.into_iter().map(read).collect()
}

/// Checks an object store; `make` gives an empty one.
///
/// # Panics
/// Where the store departs from [`Store`].
pub fn store_suite(make: &dyn Fn() -> Arc<dyn Store>) {
    objects_are_kept(&*make());
    a_name_is_given_once(&*make());
    a_failed_object_is_not_there(&*make());
    names_are_checked(&*make());
    lists_keep_to_their_prefix(&*make());
    one_of_many_wins(&*make());
    a_folder_goes_with_its_last_object(&*make());
    objects_come_and_go_beside_each_other(&*make());
}

fn objects_are_kept(store: &dyn Store) {
    let mut rng = Rng::new(21);
    let mut model = Model::new();
    for (place, len) in [0, 1, 511, 4096, 1 << 20, (3 << 20) + 7].into_iter().enumerate() {
        let (name, content) = (format!("c/{place}/data"), bytes(&mut rng, len));
        assert_eq!(put(store, &name, &content).expect("an object can be put"), len);
        model.insert(name, content);
    }
    assert!(everything(store) == model);
    let blob = store.open("c/3/data").expect("the object is there");
    store.delete("c/3/data").expect("an object can be deleted");
    store.delete("c/3/data").expect("a missing object can be deleted");
    assert_eq!(blob.as_slice(), model["c/3/data"], "an open object keeps its bytes");
    assert!(matches!(store.open("c/3/data"), Err(StoreError::NotFound { name }) if name == "c/3/data"));
    model.remove("c/3/data");
    assert!(everything(store) == model);
    // The name is free again.
    put(store, "c/3/data", b"again").expect("an object can be put");
    assert_eq!(store.open("c/3/data").expect("the object is there").as_slice(), b"again");
}

fn a_name_is_given_once(store: &dyn Store) {
    put(store, "a/b", b"first").expect("an object can be put");
    // The same name, a folder that would be in its place, and an object where it has a folder.
    for (name, taken) in [("a/b", "a/b"), ("a/b/c", "a/b"), ("a", "a/b")] {
        match put(store, name, b"second") {
            Err(StoreError::Exists { name }) => assert!(taken.starts_with(&name), "{name}"),
            other => panic!("{name} gave {other:?}"),
        }
    }
    assert!(everything(store) == Model::from([("a/b".to_owned(), b"first".to_vec())]));
}

fn a_failed_object_is_not_there(store: &dyn Store) {
    let failed = store.put("x", &mut |out| {
        out.write_all(&[1; 3 << 20])?;
        Err(io::Error::other("out of luck"))
    });
    match failed {
        Err(StoreError::Io { name, source, .. }) => {
            assert_eq!((name.as_str(), source.to_string()), ("x", "out of luck".to_owned()))
        }
        other => panic!("{other:?}"),
    }
    assert!(everything(store).is_empty());
    put(store, "x", b"now").expect("an object can be put");
}

fn names_are_checked(store: &dyn Store) {
    let long_part = "p".repeat(MAX_PART_BYTES);
    let long_name = [long_part.as_str(); 4].join("/");
    let too_long = format!("{}/{long_part}", vec!["q"; MAX_NAME_BYTES / 2].join("/"));
    let bad = [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "a/../b",
        ".a",
        "a/.b",
        "A",
        "a b",
        "a\\b",
        "a~1",
        "a:b",
        "\u{e9}",
        "a\0",
        &format!("{long_part}p"),
        &too_long,
    ];
    for name in bad {
        let all = [put(store, name, b"").map(drop), store.open(name).map(drop), store.delete(name)];
        for refused in all {
            assert!(
                matches!(&refused, Err(StoreError::BadName { name: named }) if named == name),
                "{name:?} {refused:?}"
            );
        }
    }
    assert!(everything(store).is_empty());
    for name in ["a-b_c.0", &"r".repeat(MAX_PART_BYTES), &long_name[..MAX_NAME_BYTES]] {
        put(store, name, b"good").unwrap_or_else(|error| panic!("{error}"));
    }
}

fn lists_keep_to_their_prefix(store: &dyn Store) {
    let names = ["a", "b/1/x", "b/1/y", "b/10/x", "b/2", "b-2/z", "c"];
    for name in names {
        put(store, name, name.as_bytes()).expect("an object can be put");
    }
    for prefix in ["", "a", "b", "b/", "b/1", "b/1/", "b/1/x", "b/3", "d", "/", "b//", "..", "../", "B", "~"] {
        let mut expected: Vec<(String, u64)> = names
            .iter()
            .filter(|name| name.starts_with(prefix))
            .map(|name| ((*name).to_owned(), name.len() as u64))
            .collect();
        expected.sort();
        assert_eq!(store.list(prefix).expect("the objects can be listed"), expected, "{prefix:?}");
    }
}

fn one_of_many_wins(store: &dyn Store) {
    let won: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|writer| {
                scope.spawn(move || match put(store, "race/one", &[writer; 5000]) {
                    Ok(_) => Some(u64::from(writer)),
                    Err(StoreError::Exists { .. }) => None,
                    Err(other) => panic!("a put failed: {other}"),
                })
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().expect("no writer panics")).collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    let blob = store.open("race/one").expect("the object is there");
    assert_eq!(blob.as_slice(), [won[0] as u8; 5000]);
    assert_eq!(store.list("").expect("the objects can be listed").len(), 1);
}

/// A name can be an object when the objects are gone for which it was a folder.
fn a_folder_goes_with_its_last_object(store: &dyn Store) {
    put(store, "f/g/one", b"1").expect("an object can be put");
    put(store, "f/g/two", b"2").expect("an object can be put");
    store.delete("f/g/one").expect("an object can be deleted");
    assert!(matches!(put(store, "f", b""), Err(StoreError::Exists { .. })));
    assert_eq!(everything(store), Model::from([("f/g/two".to_owned(), b"2".to_vec())]));
    store.delete("f/g/two").expect("an object can be deleted");
    put(store, "f", b"3").expect("the name is free");
    store.delete("f").expect("an object can be deleted");
    put(store, "f/g", b"4").expect("the name is free");
    assert_eq!(everything(store), Model::from([("f/g".to_owned(), b"4".to_vec())]));
}

/// Puts succeed while deletes empty the folder they put into.
fn objects_come_and_go_beside_each_other(store: &dyn Store) {
    std::thread::scope(|scope| {
        for worker in 0..4_u8 {
            scope.spawn(move || {
                let name = format!("busy/place/{worker}");
                for round in 0..15 {
                    put(store, &name, &[worker; 100]).unwrap_or_else(|error| panic!("round {round}: {error}"));
                    assert_eq!(store.open(&name).expect("the object is there").as_slice(), [worker; 100]);
                    store.delete(&name).expect("an object can be deleted");
                }
            });
        }
    });
    assert!(everything(store).is_empty());
    put(store, "busy", b"").expect("no folder is left in its place");
}

/// Stops the machine at every moment of a run and checks that the store that is opened then has every object whose put
/// had returned and that was not deleted, each as it was put, and of the change under way all or nothing.
///
/// # Panics
/// Where the store loses or invents something.
pub fn store_crash_suite(open: &dyn Fn(Arc<dyn Dir>) -> Arc<dyn Store>) {
    let dir = CrashDir::new();
    let mut rng = Rng::new(22);
    let mut model = Model::new();
    let mut history = History::starting_with(model.clone());
    {
        let store = open(Arc::new(dir.clone()));
        for round in 0..20 {
            let began = dir.op_count();
            let name = format!("c/{}/{}", rng.below(3), rng.below(4));
            if model.remove(&name).is_some() {
                store.delete(&name).expect("an object can be deleted");
            } else {
                let len = if round == 7 { (2 << 20) + 5 } else { rng.below(3000) };
                let content = bytes(&mut rng, len);
                put(&*store, &name, &content).expect("an object can be put");
                model.insert(name, content);
            }
            history.step(&dir, began, model.clone());
        }
    }
    each_image(&dir, &mut |op_count, seed, image| {
        let at = format!("crash after {op_count} operations, seed {seed}");
        let (promised, under_way) = history.around(op_count);
        let store = open(Arc::new(image.clone()));
        let found = everything(&*store);
        assert!(&found == promised || Some(&found) == under_way, "{at}: the objects are neither before nor after");
        let paths = image.paths();
        assert_eq!(paths.len(), found.len(), "{at}: something unfinished was left");
        for folder in image.folders().into_iter().filter(|folder| folder.contains('/')) {
            let inner = format!("{folder}/");
            assert!(paths.iter().any(|path| path.starts_with(&inner)), "{at}: the empty folder {folder} was left");
        }
        put(&*store, "after/the/crash", b"1").expect("an object can be put");
        assert_eq!(
            everything(&*open(Arc::new(image.clone()))).len(),
            found.len() + 1,
            "{at}: the store does not go on"
        );
    });
}
