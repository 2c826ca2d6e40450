//! Opening, unpacking and whole-file writing.

use super::*;
use crate::hostile::gzip;

#[test]
fn what_is_not_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Input::open(folder.path()).unwrap_err();
    assert!(matches!(error.problem, Problem::NotAFile), "{error}");
    let missing = folder.path().join("missing.fbin");
    let error = Input::open(&missing).unwrap_err();
    assert_eq!(error.file, missing.display().to_string());
    assert!(matches!(&error.problem, Problem::Io(error) if error.kind() == io::ErrorKind::NotFound), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert!(!is_file(folder.path()) && !is_file(&missing));
}

#[test]
fn gzip_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let text = "some words, ".repeat(10_000);
    let members = [gzip(&text.as_bytes()[..7]), gzip(&text.as_bytes()[7..])].concat();
    for (name, bytes) in [("plain.gz", text.as_bytes().to_vec()), ("packed", gzip(text.as_bytes())), ("two", members)] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(Input::open(&path).unwrap().text(1 << 20).unwrap(), text, "{name}");
        let error = Input::open(&path).unwrap().text(100).unwrap_err();
        assert!(matches!(error.problem, Problem::TooLong { most: 100 }), "{error}");
    }
}

#[test]
fn bytes_after_a_packed_member_are_refused() {
    let packed = [gzip(b"abc"), b"left over from elsewhere".to_vec()].concat();
    let error = Input::bytes("t", &packed).unwrap().text(100).unwrap_err();
    assert!(matches!(error.problem, Problem::Io(_)), "{error}");
    assert_eq!(error.offset, Some(3));
}

#[test]
fn offsets_count_unpacked_bytes() {
    let packed = gzip(&[1; 100]);
    let mut input = Input::bytes("t", &packed).unwrap();
    input.fill(&mut [0; 60]).unwrap();
    let error = input.fill(&mut [0; 60]).unwrap_err();
    assert_eq!(error.to_string(), "t at byte 100: the file ends here, expected 20 more bytes");
}

#[test]
fn many_blocks_of_values() {
    let values: Vec<i64> = (0..50_000).map(|i| i * 7 - 100_000).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    for bytes in [gzip(&bytes), bytes] {
        let matrix = Input::bytes("t", &bytes).unwrap().rows::<i64>(5_000, 10, ByteOrder::Little).unwrap();
        assert_eq!(matrix.data(), values);
    }
}

#[test]
fn writing_replaces_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_whole(&path, b"first").unwrap();
    write_whole(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left behind");
    let error = write_whole(&folder.path().join("missing/file"), b"x").unwrap_err();
    assert!(error.file.ends_with("missing/file"), "{error}");
}

#[test]
fn text_is_utf8() {
    let error = Input::bytes("t", b"ab\xff").unwrap().text(100).unwrap_err();
    assert_eq!(error.to_string(), "t at byte 2: malformed, expected UTF-8 text");
}
