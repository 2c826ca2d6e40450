//! The programs as plain Rust, for an emulated device: what each is to do, said once more and slowly.
//!
//! A program looks only at what its grid covers and checks what it reads, so that a host which launches too little or
//! hands over the wrong memory does not pass.
mod codes;

use std::marker::PhantomData;
use std::slice::{from_raw_parts, from_raw_parts_mut};

use elanus_kernels::backend::pack;
use elanus_kernels::{Bf16, Binary, Element, ElementType, F16, Kernel, Metric, Vector};
use elanus_shaders::cuda::Entry;

use crate::cuda::args::{CANDIDATES, CodesArgs, NEAREST, RescoreArgs, STORE, ScanArgs, SelectArgs, SquaresArgs};

/// Whether so many bytes are there.
type There<'a> = &'a dyn Fn(u64, u64) -> bool;

/// Memory of the device.
#[derive(Clone, Copy)]
struct View<'a> {
    there: There<'a>,
}

impl<'a> View<'a> {
    fn check<T>(self, at: u64, count: u64, what: &str) -> Result<*mut T, String> {
        let bytes = count.checked_mul(size_of::<T>() as u64).ok_or("too much")?;
        if !at.is_multiple_of(align_of::<T>() as u64) || !(self.there)(at, bytes) {
            return Err(format!("{what}: {bytes} bytes at {at} are not there"));
        }
        Ok(std::ptr::with_exposed_provenance_mut(at as usize))
    }

    fn read<T>(self, at: u64, count: u64, what: &str) -> Result<&'a [T], String> {
        // SAFETY: the memory is there, any bytes are a value of the numbers that it is read as, and the driver keeps it
        // while the program runs, which is the only one of its stream.
        self.check::<T>(at, count, what).map(|memory| unsafe { from_raw_parts(memory, count as usize) })
    }

    fn write<T>(self, at: u64, count: u64, what: &str) -> Result<&'a mut [T], String> {
        // SAFETY: as above; no program has the same memory twice.
        self.check::<T>(at, count, what).map(|memory| unsafe { from_raw_parts_mut(memory, count as usize) })
    }

    /// Rows up to `last`, of `units` units, one every `row_bytes` bytes.
    fn table<E: Element>(self, rows: u64, last: u64, row_bytes: u32, units: u32) -> Result<Table<'a, E>, String> {
        if !row_bytes.is_multiple_of(16) || units as usize * size_of::<E>() > row_bytes as usize {
            return Err(format!("rows of {row_bytes} bytes for {units} units"));
        }
        let bytes: &[u8] = self.read(rows, (last + 1) * u64::from(row_bytes), "rows")?;
        // Of the first and the last one, since all are written alike.
        for row in [0, last as usize] {
            let own = &bytes[row * row_bytes as usize..][..row_bytes as usize];
            if own[units as usize * size_of::<E>()..].iter().any(|byte| *byte != 0) {
                return Err(format!("row {row} is not padded with zeros"));
            }
        }
        Ok(Table { bytes, row_bytes: row_bytes as usize, units: units as usize, of: PhantomData })
    }
}

/// Rows of units of a type.
struct Table<'a, E> {
    bytes: &'a [u8],
    row_bytes: usize,
    units: usize,
    of: PhantomData<E>,
}

impl<'a, E: Element> Table<'a, E> {
    fn row(&self, row: u64) -> &'a [E] {
        let own = &self.bytes[row as usize * self.row_bytes..][..self.row_bytes];
        // SAFETY: so many units fit in a row, as `View::table` checked; rows begin at multiples of 16 from memory that
        // is aligned to 256, and any bytes are a value of an element.
        unsafe { from_raw_parts(own.as_ptr().cast(), self.units) }
    }
}

/// Runs a program.
pub(in crate::cuda) fn run(
    entry: &'static Entry,
    grid: [u32; 2],
    args: &[u64],
    there: &dyn Fn(u64, u64) -> bool,
) -> Result<(), String> {
    let view = View { there };
    let bytes: &[u8] = bytemuck::cast_slice(args);
    let (task, element) = entry.name.rsplit_once('_').unwrap_or((entry.name, ""));
    match (task, element) {
        ("select", _) => select(grid, bytemuck::try_pod_read_unaligned(bytes).map_err(|_| "arguments")?, view),
        ("codes", kind) => {
            codes::scan(kind, entry, grid, bytemuck::try_pod_read_unaligned(bytes).map_err(|_| "arguments")?, view)
        }
        (_, "f32") => typed::<f32>(task, entry, grid, bytes, view),
        (_, "f16") => typed::<F16>(task, entry, grid, bytes, view),
        (_, "bf16") => typed::<Bf16>(task, entry, grid, bytes, view),
        (_, "i8") => typed::<i8>(task, entry, grid, bytes, view),
        (_, "binary") => typed::<Binary>(task, entry, grid, bytes, view),
        _ => Err("there is no such program".to_owned()),
    }
}

fn typed<E: Element>(task: &str, entry: &Entry, grid: [u32; 2], args: &[u8], view: View<'_>) -> Result<(), String> {
    let wrong = |_| "arguments of another size".to_owned();
    match task {
        "scan_few" => scan::<E>(entry, grid, false, bytemuck::try_pod_read_unaligned(args).map_err(wrong)?, view),
        "scan_many" => scan::<E>(entry, grid, true, bytemuck::try_pod_read_unaligned(args).map_err(wrong)?, view),
        "squares" => squares::<E>(entry, grid, bytemuck::try_pod_read_unaligned(args).map_err(wrong)?, view),
        "rescore" => rescore::<E>(entry, grid, bytemuck::try_pod_read_unaligned(args).map_err(wrong)?, view),
        _ => Err("there is no such program".to_owned()),
    }
}

fn kernel<E: Element>(number: u32) -> Result<(Metric, Kernel<E>), String> {
    let metrics = [Metric::L2, Metric::Ip, Metric::Cosine, Metric::Hamming, Metric::Jaccard];
    let metric = *metrics.get(number as usize).ok_or("no such metric")?;
    Ok((metric, Kernel::new(metric).map_err(|error| error.to_string())?))
}

/// A squared length as it is stored.
fn stored_square<E: Element>(row: &[E]) -> Result<u32, String> {
    match Vector::from(row) {
        Vector::I8(row) => Ok(row.iter().map(|byte| i32::from(*byte).pow(2)).sum::<i32>() as u32),
        Vector::Binary(row) => Ok(row.iter().map(|byte| byte.0.count_ones()).sum()),
        Vector::F32(_) | Vector::F16(_) | Vector::Bf16(_) => Ok((0.0 - kernel::<E>(1)?.1.pair(row, row)).to_bits()),
        Vector::U8(_) | Vector::U4(_) => Err("no such vectors".to_owned()),
    }
}

fn squares<E: Element>(entry: &Entry, grid: [u32; 2], args: SquaresArgs, view: View<'_>) -> Result<(), String> {
    let covered = u64::from(grid[0]) * u64::from(grid[1]) * u64::from(entry.threads / 32);
    let squares: &mut [u32] = view.write(args.squares, args.count, "squares")?;
    let rows = view.table::<E>(args.rows, args.count - 1, args.row_bytes, args.units)?;
    for (row, square) in squares.iter_mut().enumerate().take(covered as usize) {
        *square = stored_square(rows.row(row as u64))?;
    }
    Ok(())
}

fn scan<E: Element>(entry: &Entry, grid: [u32; 2], many: bool, args: ScanArgs, view: View<'_>) -> Result<(), String> {
    let (metric, kernel) = kernel::<E>(args.metric)?;
    let queries = u64::from(args.query_count);
    // Also the rows of zeros up to a multiple of 128.
    let own = view.table::<E>(args.queries, queries.next_multiple_of(128) - 1, args.row_bytes, args.units)?;
    if queries % 128 != 0 && own.row(queries).iter().any(|unit| *unit != E::default()) {
        return Err("queries are not followed by zeros".to_owned());
    }
    let last = u64::from(args.first) + u64::from(args.count - 1) * u64::from(args.stride);
    let keep: Option<&[u32]> = match args.keep {
        0 => None,
        at => Some(view.read(at, last / 32 + 1, "a filter")?),
    };
    let dense = matches!(metric, Metric::L2 | Metric::Cosine | Metric::Jaccard);
    let squares = if dense {
        let rows: &[f32] = view.read(args.row_squares, last + 1, "squares of rows")?;
        Some((rows, view.read::<f32>(args.query_squares, queries, "squares of queries")?))
    } else {
        None
    };
    let table = view.table::<E>(args.rows, last, args.row_bytes, args.units)?;
    let covered = u64::from(grid[1]) * u64::from(entry.query_tile);
    let rows = if many { u64::from(grid[0]) * u64::from(entry.row_tile) } else { u64::MAX };
    for query in 0..queries.min(covered) {
        let own = own.row(query);
        let bound = if args.mode == STORE { u64::MAX } else { view.read(args.bound + query * 8, 1, "bounds")?[0] };
        for i in 0..u64::from(args.count).min(rows) {
            let row = u64::from(args.first) + i * u64::from(args.stride);
            let kept = keep.is_none_or(|keep| keep[row as usize / 32] >> (row % 32) & 1 == 1);
            if args.mode != STORE && !kept {
                continue;
            }
            let mut key = kernel.pair(own, table.row(row));
            if let (Some((rows, queries)), Metric::L2) = (squares, metric)
                && !matches!(E::TYPE, ElementType::I8 | ElementType::Binary)
            {
                // From products, so that it is rounded as a device rounds it.
                let (a, b) = (queries[query as usize], rows[row as usize]);
                let product = (a + b - key) / 2.0;
                key = (a + b - 2.0 * product).max(0.0);
            }
            // What is above the bound from before is above that of now.
            if args.mode == STORE || pack(key, 0) < bound {
                offer(&args, view, query, i, row as u32, key)?;
            }
        }
    }
    Ok(())
}

fn offer(args: &ScanArgs, view: View<'_>, query: u64, i: u64, row: u32, key: f32) -> Result<(), String> {
    if args.mode == STORE {
        let keys: &mut [f32] = view.write(args.keys + (query * args.key_stride + i) * 4, 1, "keys")?;
        keys[0] = key;
        return Ok(());
    }
    let packed = pack(key, row);
    let lower: &[u64] = view.read(args.lower + query * 8, 1, "lower")?;
    let bound: &mut [u64] = view.write(args.bound + query * 8, 1, "bounds")?;
    if key.is_nan() || packed < lower[0] || packed >= bound[0] {
        return Ok(());
    }
    match args.mode {
        NEAREST => bound[0] = packed,
        CANDIDATES => {
            let count: &mut [u32] = view.write(args.counts + query * 4, 1, "counts")?;
            if count[0] < args.capacity {
                let at = args.candidates + (query * u64::from(args.capacity) + u64::from(count[0])) * 8;
                let candidate: &mut [u64] = view.write(at, 1, "candidates")?;
                candidate[0] = packed;
            }
            count[0] += 1;
        }
        _ => return Err("no such mode".to_owned()),
    }
    Ok(())
}

/// Offers the key of a row of codes.
fn append(args: &CodesArgs, view: View<'_>, query: u64, row: u32, key: f32) -> Result<(), String> {
    let scan = ScanArgs {
        lower: args.lower,
        bound: args.bound,
        candidates: args.candidates,
        counts: args.counts,
        capacity: args.capacity,
        mode: CANDIDATES,
        ..ScanArgs::default()
    };
    offer(&scan, view, query, 0, row, key)
}

fn select(grid: [u32; 2], args: SelectArgs, view: View<'_>) -> Result<(), String> {
    let (queries, capacity) = (u64::from(args.query_count), u64::from(args.capacity));
    if args.k == 0 || u64::from(args.k) > capacity {
        return Err(format!("{} of {capacity} candidates", args.k));
    }
    let candidates: &mut [u64] = view.write(args.candidates, queries * capacity, "candidates")?;
    let counts: &mut [u32] = view.write(args.counts, queries, "counts")?;
    let bound: &mut [u64] = view.write(args.bound, queries, "bounds")?;
    let overflowed: &mut [u32] = view.write(args.overflowed, queries, "overflows")?;
    for query in 0..(queries as usize).min(grid[0] as usize) {
        let own = &mut candidates[query * capacity as usize..][..capacity as usize];
        let there = counts[query].min(args.capacity);
        let own = &mut own[..there as usize];
        own.sort_unstable();
        if args.sample == 0 && counts[query] > args.capacity {
            overflowed[query] = 1;
        }
        if there >= args.k {
            bound[query] = bound[query].min(own[args.k as usize - 1] + u64::from(args.sample != 0));
        }
        counts[query] = if args.sample != 0 { 0 } else { there.min(args.k) };
    }
    Ok(())
}

fn rescore<E: Element>(entry: &Entry, grid: [u32; 2], args: RescoreArgs, view: View<'_>) -> Result<(), String> {
    let (_, kernel) = kernel::<E>(args.metric)?;
    let counts: &[u32] = view.read(args.counts, u64::from(args.query_count), "counts")?;
    let queries = view.table::<E>(args.queries, u64::from(args.query_count) - 1, args.row_bytes, args.units)?;
    for query in 0..u64::from(args.query_count.min(grid[1])) {
        let own = queries.row(query);
        let count = counts[query as usize].min(args.capacity).min(grid[0] * (entry.threads / 32));
        for place in 0..u64::from(count) {
            let at = args.candidates + (query * u64::from(args.capacity) + place) * 8;
            let packed: &[u64] = view.read(at, 1, "candidates")?;
            let row = args.rows + (packed[0] & u64::from(u32::MAX)) * u64::from(args.row_bytes);
            let row = view.table::<E>(row, 0, args.row_bytes, args.units)?.row(0);
            let keys: &mut [f32] = view.write(args.keys + (query * args.key_stride + place) * 4, 1, "keys")?;
            keys[0] = kernel.pair(own, row);
        }
    }
    Ok(())
}
