//! The programs over codes as plain Rust, component by component.
use elanus_shaders::cuda::Entry;

use super::{View, append};
use crate::cuda::args::{CodesArgs, Terms};

/// Codes and queries that were found to be there.
struct Codes<'a> {
    args: CodesArgs,
    tiles: &'a [u8],
    queries: &'a [u8],
    terms: &'a [Terms],
}

impl Codes<'_> {
    /// The sixteen bytes of a row.
    fn chunk(&self, row: u64, place: usize) -> &[u8] {
        let tile = (row / 32) as usize * self.args.tile_bytes as usize;
        &self.tiles[tile + place * 512 + (row % 32) as usize * 16..][..16]
    }

    /// A factor, where `chunks` is how many chunks stand before.
    fn factor(&self, row: u64, chunks: usize, factor: usize) -> f32 {
        let tile = (row / 32) as usize * self.args.tile_bytes as usize;
        let at = tile + chunks * 512 + (factor * 32 + (row % 32) as usize) * 4;
        bytemuck::pod_read_unaligned(&self.tiles[at..at + 4])
    }

    fn query(&self, query: u64) -> &[u8] {
        &self.queries[query as usize * self.args.query_bytes as usize..][..self.args.query_bytes as usize]
    }

    /// A scalar code of so many bits.
    fn code(&self, row: u64, bits: u32, j: usize) -> u8 {
        match bits {
            8 => self.chunk(row, j / 16)[j % 16],
            4 => self.chunk(row, j / 32)[j % 32 / 8 * 4 + j % 4] >> (j % 8 / 4 * 4) & 15,
            _ => {
                let (unit, j) = (j / 64 * 3, j % 64);
                let lower = self.chunk(row, unit + j / 32)[j % 32 / 8 * 4 + j % 4] >> (j % 8 / 4 * 4) & 15;
                lower | (self.chunk(row, unit + 2)[j / 16 * 4 + j % 4] >> (j % 16 / 4 * 2) & 3) << 4
            }
        }
    }

    fn scalar(&self, query: u64, row: u64, bits: u32) -> f32 {
        let (own, terms) = (self.query(query), &self.terms[query as usize]);
        let sum: i32 =
            own.iter().enumerate().map(|(j, byte)| i32::from(*byte as i8) * i32::from(self.code(row, bits, j))).sum();
        let chunks = self.args.units as usize * if bits == 6 { 3 } else { 1 };
        let factor = |factor| self.factor(row, chunks, factor);
        let (min, step, square) = if self.args.factors == 3 {
            (factor(0), factor(1), factor(2))
        } else {
            (self.args.grid_min, self.args.grid_step, factor(0))
        };
        let [scale, middle, all, constant, square_weight, product_weight, cosine, _] = *terms;
        let inner = min * all + step * (scale * sum as f32 + middle);
        let key = constant + square_weight * square + product_weight * inner;
        match (cosine != 0.0, square > 0.0) {
            (false, _) => key,
            (true, true) => (key / square.sqrt()).clamp(-1.0, 1.0),
            (true, false) => 0.0,
        }
    }

    fn product(&self, query: u64, row: u64) -> f32 {
        let [bias, step, ..] = self.terms[query as usize];
        let code = |s: usize| self.chunk(row, s / 32)[s % 32 / 8 * 4 + s % 4] >> (s % 8 / 4 * 4) & 15;
        let tables = self.query(query).chunks(16).enumerate();
        let sum: u32 = tables.map(|(s, table)| u32::from(table[usize::from(code(s))])).sum();
        bias + step * sum as f32
    }

    fn signs(&self, query: u64, row: u64) -> f32 {
        let ([add, unit, ..], planes) = (self.terms[query as usize], self.args.planes as usize);
        let mut sum = 0;
        for (place, piece) in self.query(query).chunks(16).enumerate() {
            let signs = self.chunk(row, place / planes).iter().zip(piece);
            sum += signs.map(|(sign, bit)| ((sign ^ bit).count_ones() as i32) << (place % planes)).sum::<i32>();
        }
        let product = self.args.dim as i32 * ((1 << planes) - 1) - 2 * sum;
        let factor = |factor| self.factor(row, self.args.units as usize, factor);
        (factor(0) + add) + factor(1) * (unit * product as f32)
    }
}

pub(super) fn scan(kind: &str, entry: &Entry, grid: [u32; 2], args: CodesArgs, view: View<'_>) -> Result<(), String> {
    let queries = u64::from(args.query_count);
    let last = u64::from(args.first) + u64::from(args.count - 1) * u64::from(args.stride);
    let keep: Option<&[u32]> = match args.keep {
        0 => None,
        at => Some(view.read(at, last / 32 + 1, "a filter")?),
    };
    if !args.tile_bytes.is_multiple_of(128) || !args.query_bytes.is_multiple_of(16) {
        return Err("tiles or queries of broken chunks".to_owned());
    }
    let codes = Codes {
        args,
        tiles: view.read(args.tiles, (last / 32 + 1) * u64::from(args.tile_bytes), "tiles")?,
        queries: view.read(args.queries, queries * u64::from(args.query_bytes), "queries")?,
        terms: view.read(args.terms, queries, "terms")?,
    };
    let covered = u64::from(grid[1]) * u64::from(entry.query_tile);
    for query in 0..queries.min(covered) {
        for i in 0..u64::from(args.count) {
            let row = u64::from(args.first) + i * u64::from(args.stride);
            if keep.is_some_and(|keep| keep[row as usize / 32] >> (row % 32) & 1 == 0) {
                continue;
            }
            let key = match kind {
                "sq4" => codes.scalar(query, row, 4),
                "sq6" => codes.scalar(query, row, 6),
                "sq8" => codes.scalar(query, row, 8),
                "pq4" => codes.product(query, row),
                "rabitq" => codes.signs(query, row),
                _ => return Err("there is no such program".to_owned()),
            };
            append(&args, view, query, row as u32, key)?;
        }
    }
    Ok(())
}
