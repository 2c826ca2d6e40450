//! Choice of the reader by the name.

use std::collections::HashSet;

use super::*;
use crate::file::write_whole;
use crate::hostile::gzip;

#[test]
fn every_suffix_reads_its_own_format() {
    let folder = tempfile::tempdir().unwrap();
    let rows_first = |value: &[u8]| [&[1, 0, 0, 0, 1, 0, 0, 0], value].concat();
    let length_first = |value: &[u8]| [&[1, 0, 0, 0], value].concat();
    let one = 1.0_f32.to_le_bytes();
    let npy = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1), }";
    let npy = [b"\x93NUMPY\x01\x00".as_slice(), &[npy.len() as u8, 0], npy.as_bytes(), &[1]].concat();
    let idx = vec![0, 0, 8, 1, 0, 0, 0, 1, 1];
    let files = [
        ("a.fvecs", length_first(&one)),
        ("a.bvecs", length_first(&[1])),
        ("a.ivecs", length_first(&[1, 0, 0, 0])),
        ("a.fbin", rows_first(&one)),
        ("a.f16bin", rows_first(&[0, 0x3c])),
        ("a.u8bin", rows_first(&[1])),
        ("a.i8bin", rows_first(&[1])),
        ("a.ibin", rows_first(&[1, 0, 0, 0])),
        ("a.npy", npy),
        ("a.idx", idx.clone()),
        ("a-idx1-ubyte", idx),
    ];
    assert_eq!(files.len(), FORMATS.len(), "every format has a file here");
    for ((name, bytes), format) in files.iter().zip(FORMATS) {
        assert!(
            name.ends_with(format.suffix) && !format.about.is_empty(),
            "{name} stands where {} does",
            format.suffix
        );
        let plain = folder.path().join(name);
        let packed = folder.path().join(format!("{name}.gz"));
        write_whole(&plain, bytes).unwrap();
        write_whole(&packed, &gzip(bytes)).unwrap();
        for path in [plain, packed] {
            let matrix = read_f32(&path).unwrap();
            assert_eq!((matrix.dim(), matrix.data()), (1, &[1.0][..]), "{}", path.display());
        }
    }
    assert_eq!(read_ids(&folder.path().join("a.ivecs"), 2).unwrap().data(), [1]);
    assert_eq!(read_labels(&folder.path().join("a.idx")).unwrap(), [1]);
}

#[test]
fn suffixes_tell_formats_apart() {
    let suffixes: HashSet<_> = FORMATS.iter().map(|format| format.suffix).collect();
    assert_eq!(suffixes.len(), FORMATS.len());
}

#[test]
fn unknown_names_are_refused_with_the_list() {
    for name in ["a.csv", "fbin", "", "a.gz", "a.fbin.zip", "a.FBIN"] {
        let text = read_values(Path::new(name)).unwrap_err().to_string();
        assert!(text.contains("expected one of .fvecs, .bvecs"), "{name}: {text}");
    }
    let error = read_values(Path::new("missing.fbin")).unwrap_err();
    assert!(matches!(error.problem, Problem::Io(_)), "{error}");
}
