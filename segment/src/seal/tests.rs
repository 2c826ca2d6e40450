//! What sealing refuses, and that a writer's failure comes back.

use super::*;
use crate::sample;
use crate::{Growing, Sealed};
use elanus_index::Blob;
use elanus_kernels::rng::Rng;
use std::io::{self, ErrorKind};

fn growing() -> Growing {
    let schema = sample::schema(DataType::Int64);
    let growing = Growing::new(Arc::clone(&schema));
    growing.append(sample::batch(&schema, &(0..100).collect::<Vec<_>>(), &mut Rng::new(1)), 1);
    growing
}

/// A disk with little room.
struct Full {
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        self.left -= count;
        if count == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let growing = growing();
    let size = write(&growing.view(), growing.schema(), &mut io::sink()).unwrap().size_bytes as usize;
    for left in [0, 10, size / 2, size - 1] {
        let error = write(&growing.view(), growing.schema(), &mut Full { left }).unwrap_err();
        assert!(matches!(&error, SealError::Io(error) if error.kind() == ErrorKind::StorageFull), "{error}");
    }
    write(&growing.view(), growing.schema(), &mut Full { left: size }).unwrap();
}

#[test]
fn rows_of_another_schema_are_refused() {
    let growing = growing();
    let refused = |change: &dyn Fn(&mut Schema)| {
        let mut schema = (**growing.schema()).clone();
        change(&mut schema);
        let mut out = Vec::new();
        let error = write(&growing.view(), &schema, &mut out).unwrap_err().to_string();
        assert!(out.is_empty(), "nothing is written of what is refused");
        error
    };
    assert_eq!(refused(&|schema| schema.fields.swap(4, 5)), "field long is Int64, its column is Int32");
    assert_eq!(refused(&|schema| schema.fields[9].dim = 4), "field v has dim 4, its column has dim 3");
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let growing = growing();
    let bytes = || {
        let mut out = Vec::new();
        write(&growing.view(), growing.schema(), &mut out).unwrap();
        out
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn sections_larger_than_the_buffer_are_whole() {
    let schema = sample::schema(DataType::VarChar);
    let growing = Growing::new(Arc::clone(&schema));
    let keys: Vec<i64> = (0..12_000).rev().collect();
    growing.append(sample::batch(&schema, &keys, &mut Rng::new(2)), 1);
    growing.append(sample::batch(&schema, &keys[..100], &mut Rng::new(3)), 2);
    let mut out = Vec::new();
    write(&growing.view(), &schema, &mut out).unwrap();
    let sealed = Sealed::open(Blob::from_vec(out)).unwrap();
    let (before, after) = (growing.view(), sealed.view());
    for row in (0..12_100).step_by(7) {
        assert_eq!(sample::row_of(&before, &schema, row), sample::row_of(&after, &schema, row));
    }
    for (place, key) in sample::keys(&schema, &keys).iter().enumerate().step_by(50) {
        let want: &[u32] = if place < 100 { &[12_000 + place as u32, place as u32] } else { &[place as u32] };
        assert_eq!(after.lookup(key, 2), want);
    }
}
