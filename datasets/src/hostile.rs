//! What every reader has to bear: files cut off anywhere and files with any bit changed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::ReadError;
use crate::file::Input;
use crate::matrix::Values;

type Read = fn(&mut Input<'_>) -> Result<Values, ReadError>;

pub(crate) fn read(bytes: &[u8], read: Read) -> Result<Values, ReadError> {
    read(&mut Input::bytes("some.file", bytes)?)
}

/// The error's text, which has to begin with the file and a byte.
pub(crate) fn refusal(bytes: &[u8], reader: Read) -> String {
    let error = read(bytes, reader).expect_err("the file is broken");
    assert_eq!(error.file, "some.file", "the error names the file: {error}");
    let offset = error.offset.expect("the error names a byte");
    assert!(error.to_string().starts_with(&format!("some.file at byte {offset}: ")), "{error}");
    error.to_string()
}

/// A file cut off anywhere is refused, at a byte it has; `whole` says which shorter files are whole again.
pub(crate) fn cut_anywhere(bytes: &[u8], reader: Read, whole: impl Fn(usize) -> bool) {
    for len in 0..bytes.len() {
        match read(&bytes[..len], reader) {
            Ok(_) => assert!(whole(len), "{len} of {} bytes were taken for a file", bytes.len()),
            Err(error) => {
                assert!(!whole(len), "{len} bytes are a file, yet: {error}");
                assert!(error.offset.is_some_and(|offset| offset <= len as u64), "{error} after {len} bytes");
            }
        }
    }
    let packed = gzip(bytes);
    for len in 0..packed.len() {
        assert!(read(&packed[..len], reader).is_err(), "{len} of {} packed bytes were taken", packed.len());
    }
}

/// A changed bit is an error or other values, never more values than there are bytes for, never a panic; under gzip
/// it is an error or changes nothing.
pub(crate) fn change_any_bit(bytes: &[u8], reader: Read) {
    let whole = read(bytes, reader).expect("the unchanged file is good");
    for (packed, source) in [(false, bytes.to_vec()), (true, gzip(bytes))] {
        for at in 0..source.len() {
            for bit in 0..8 {
                let mut changed = source.clone();
                changed[at] ^= 1 << bit;
                match read(&changed, reader) {
                    Ok(values) if packed => assert_eq!(values, whole, "bit {bit} of packed byte {at}"),
                    Ok(values) => assert!(values.rows() * values.dim() <= source.len(), "bit {bit} of byte {at}"),
                    Err(error) => assert_eq!(error.file, "some.file", "bit {bit} of byte {at}"),
                }
            }
        }
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}
