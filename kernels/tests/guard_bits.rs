//! No kernel over bits, signatures or sparse vectors reads past its input: buffers that end at, or begin after, a page
//! without access.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::{ffi::c_void, ptr::null_mut};

use elanus_kernels::{
    Binary, Kernel, METRICS, Rows,
    minhash::{HashWidth, MinHash},
    rng::Rng,
    sparse::{SparseIp, SparseQuery, SparseRows, SparseVector},
};

const PROT_NONE: i32 = 0;
const PROT_READ_WRITE: i32 = 3;
const MAP_PRIVATE_ANONYMOUS: i32 = 0x22;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, len: usize, protection: i32) -> i32;
    fn munmap(address: *mut c_void, len: usize) -> i32;
}

/// A page of memory between two that fault, large enough for every page size in use.
struct Guarded {
    start: *mut u8,
}

impl Guarded {
    const PAGE: usize = 64 << 10;

    fn new() -> Self {
        // SAFETY: a fresh anonymous mapping, of which the middle is opened.
        unsafe {
            let start = mmap(null_mut(), 3 * Self::PAGE, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
            assert_ne!(start as isize, -1, "mmap");
            assert_eq!(mprotect(start.byte_add(Self::PAGE), Self::PAGE, PROT_READ_WRITE), 0, "mprotect");
            Self { start: start.cast() }
        }
    }

    /// The last values before the far guard page, or the first after the near one.
    fn place<T: Copy>(&self, values: &[T], at_end: bool) -> &[T] {
        let offset = if at_end { Self::PAGE - size_of_val(values) } else { 0 };
        // SAFETY: within the open page and aligned, since both are multiples of the size; the tests hold one placement
        // of each mapping at a time.
        unsafe {
            let to = self.start.add(Self::PAGE + offset).cast::<T>();
            to.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts(to, values.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`.
        unsafe { munmap(self.start.cast(), 3 * Self::PAGE) };
    }
}

/// More rows than any block, and not a multiple.
const ROWS: usize = 19;

#[test]
fn bits_are_read_inside() {
    let mut rng = Rng::new(51);
    let (left, right) = (Guarded::new(), Guarded::new());
    for bytes in (1..=140).chain([192, 256, 384, 1000, 1990]) {
        let query: Vec<Binary> = (0..bytes).map(|_| Binary(rng.next_u64() as u8)).collect();
        // Nearly the query, so that the containments look at the end too.
        let base: Vec<Binary> = query.iter().cycle().take(ROWS * bytes).copied().collect();
        let mut backward: Vec<u32> = (0..ROWS as u32).collect();
        backward.reverse();
        for kernel in METRICS.iter().flat_map(|metric| Kernel::<Binary>::all(*metric)) {
            let mut want = [0.0; ROWS];
            kernel.rows(&query, Rows::new(&base, bytes).unwrap(), &mut want);
            for at_end in [false, true] {
                let (q, rows) = (left.place(&query, at_end), Rows::new(right.place(&base, at_end), bytes).unwrap());
                let mut keys = [f32::NAN; ROWS];
                kernel.rows(q, rows, &mut keys);
                assert_eq!(keys, want);
                kernel.gather(q, rows, &backward, &mut keys);
                assert_eq!(keys, want);
                kernel.tile(Rows::new(q, bytes).unwrap(), rows, &mut keys);
                assert_eq!(keys, want);
                assert_eq!(kernel.pair(q, rows.row(ROWS - 1)), want[ROWS - 1]);
                assert_eq!(kernel.norm(q), kernel.norm(&query));
            }
        }
    }
}

#[test]
fn signatures_are_read_inside() {
    let (left, right) = (Guarded::new(), Guarded::new());
    for width in HashWidth::ALL {
        for hashes in (1..=40).chain([128, 200]) {
            let signature = vec![Binary(7); hashes * width.bytes()];
            for run in MinHash::all(width) {
                for at_end in [false, true] {
                    let (a, b) = (left.place(&signature, at_end), right.place(&signature, at_end));
                    assert_eq!((run.equal(a, b), run.distance(a, b)), (hashes, 0.0));
                }
            }
        }
    }
}

/// The key by the definition; all products are exact in `f64`.
fn sparse_key(a: SparseVector<'_>, b: SparseVector<'_>) -> f32 {
    let mut sum = 0.0;
    for (index, value) in a.indices().iter().zip(a.values()) {
        if let Ok(at) = b.indices().binary_search(index) {
            sum += f64::from(*value) * f64::from(b.values()[at]);
        }
    }
    0.0 - sum as f32
}

/// The query, and rows of which the first begins at a guard page or the last one ends there, of lengths that fill no
/// register of 8 or 16 indices and that do.
#[test]
fn sparse_vectors_are_read_inside() {
    let mut rng = Rng::new(52);
    let guards = [Guarded::new(), Guarded::new(), Guarded::new(), Guarded::new()];
    for len in (0..=70).chain([255, 256, 257, 271, 300, 528]) {
        let indices: Vec<u32> = (0..len as u32).map(|i| 3 * i + rng.below(3) as u32).collect();
        let values: Vec<f32> = (0..len).map(|_| rng.normal()).collect();
        for cut in [0, len as u32 / 2, (len as u32).saturating_sub(9), len as u32] {
            for at_end in [false, true] {
                let (a, b) = (guards[0].place(&indices, at_end), guards[1].place(&values, at_end));
                let vector = SparseVector::new(a, b).unwrap();
                let (c, d) = (guards[2].place(&indices, at_end), guards[3].place(&values, at_end));
                let offsets = [0, cut, len as u32];
                let rows = SparseRows::new(&offsets, c, d).unwrap();
                let want = [0, 1].map(|row| sparse_key(vector, rows.row(row)));
                let whole = SparseVector::new(c, d).unwrap();
                for run in SparseIp::all() {
                    assert_eq!([0, 1].map(|row| run.pair(vector, rows.row(row))), want, "{}", run.isa());
                    assert_eq!(run.pair(vector, whole), sparse_key(vector, whole), "{}", run.isa());
                    assert_eq!(run.pair(rows.row(1), vector), want[1], "{}", run.isa());
                }
                for query in SparseQuery::all(vector) {
                    let mut keys = [f32::NAN; 2];
                    query.rows(rows, &mut keys);
                    assert_eq!(keys, want, "{}", query.isa());
                    query.gather(rows, &[1, 0], &mut keys);
                    assert_eq!(keys, [want[1], want[0]], "{}", query.isa());
                }
                // A few components against all, which is searched and not walked through.
                let few = SparseVector::new(&a[..len.min(2)], &b[..len.min(2)]).unwrap();
                for run in SparseIp::all() {
                    assert_eq!(run.pair(few, whole), sparse_key(few, whole), "{}", run.isa());
                }
            }
        }
    }
}
