//! Queries over codes: pieces for each unit, and the numbers that keys are made of.
use std::ops::Range;

use elanus_kernels::backend::{BackendError, Find, Queries, checks};
use elanus_kernels::codes::{pq4, rabitq, sq};

use super::{Codes, Form};
use crate::cuda::args::{CodesArgs, Terms};
use crate::cuda::batch::{List, PerQuery, grid};
use crate::cuda::corpus::Stored;
use crate::cuda::lane::{Lane, Plan};
use crate::cuda::search::{Answers, Asked};
use crate::passes::Pass;

/// Queries that fit the codes.
#[derive(Clone, Copy, Debug)]
enum Fitting<'a> {
    Sq(&'a [sq::SqQuery]),
    Pq4(&'a [&'a pq4::Pq4Tables]),
    RaBitQ(&'a [(rabitq::Query, rabitq::Term)]),
}

/// The queries of a call.
#[derive(Debug)]
pub(in crate::cuda) struct Queried<'a> {
    codes: &'a Codes,
    stored: &'a Stored,
    queries: Fitting<'a>,
    /// Where pieces and terms are planned to be in the arena.
    places: [u64; 2],
    arena: u64,
    /// Planes of the queries that were sent last; 1 where there are none.
    planes: usize,
}

impl<'a> Queried<'a> {
    /// Checks the queries.
    pub(in crate::cuda) fn new(
        codes: &'a Codes,
        stored: &'a Stored,
        queries: Queries<'a>,
    ) -> Result<Self, BackendError> {
        let kind = || BackendError::Kind { corpus: codes.form.kind(), queries: checks::name(queries) };
        let fits = |want: usize, got: usize| if want == got { Ok(()) } else { Err(BackendError::Dim { want, got }) };
        let queries = match (&codes.form, queries) {
            (Form::Sq { dim, .. }, Queries::Sq(all)) => {
                for query in all {
                    fits(*dim, query.form().ok_or_else(kind)?.bytes.len())?;
                }
                Fitting::Sq(all)
            }
            (Form::Pq4 { m }, Queries::Pq4(all)) => {
                all.iter().try_for_each(|tables| fits(*m, tables.m()))?;
                Fitting::Pq4(all)
            }
            (Form::RaBitQ { codec }, Queries::RaBitQ(all)) => {
                for (query, _) in all {
                    fits(codec.dim(), query.codec().dim())?;
                    if query.codec() != codec {
                        return Err(kind());
                    }
                }
                Fitting::RaBitQ(all)
            }
            _ => return Err(kind()),
        };
        Ok(Self { codes, stored, queries, places: [0; 2], arena: 0, planes: 1 })
    }

    /// Bytes of the pieces of a query, which has so many planes.
    fn bytes(&self, planes: usize) -> usize {
        let piece = match self.codes.form {
            Form::Sq { bits: 4, .. } => 32,
            Form::Sq { bits: 6, .. } => 64,
            Form::Sq { .. } => 16,
            Form::Pq4 { .. } => 512,
            Form::RaBitQ { .. } => 16 * planes,
        };
        self.codes.tiling.units * piece
    }

    /// The most planes that a query has.
    fn most_planes(&self) -> usize {
        match self.queries {
            Fitting::Sq(_) | Fitting::Pq4(_) => 1,
            Fitting::RaBitQ(all) => all.iter().map(|(query, _)| usize::from(query.bits())).max().unwrap_or(1),
        }
    }

    /// Writes the pieces of a query to zeros, and returns its terms; none where it cannot be, which was checked.
    fn write(&self, query: usize, to: &mut [u8]) -> Option<Terms> {
        match self.queries {
            Fitting::Sq(all) => {
                let form = all[query].form()?;
                to[..form.bytes.len()].copy_from_slice(bytemuck::cast_slice(form.bytes));
                let cosine = f32::from(u8::from(form.cosine));
                let weights = [form.constant, form.square_weight, form.product_weight, cosine];
                Some([form.scale, form.middle, form.sum, weights[0], weights[1], weights[2], weights[3], 0.0])
            }
            Fitting::Pq4(all) => {
                let tables = all[query].luts().as_flattened();
                to[..tables.len()].copy_from_slice(tables);
                Some([all[query].bias(), all[query].step(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            }
            Fitting::RaBitQ(all) => {
                let (prepared, term) = &all[query];
                let words = prepared.codec().dim() / 64;
                for (plane, all) in prepared.planes().chunks_exact(words).enumerate() {
                    for (at, word) in all.iter().enumerate() {
                        let unit = at / 2 * usize::from(prepared.bits()) + plane;
                        to[unit * 16 + at % 2 * 8..][..8].copy_from_slice(&word.to_le_bytes());
                    }
                }
                Some([term.add(), prepared.unit_half(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            }
        }
    }
}

impl Asked for Queried<'_> {
    fn queries(&self) -> usize {
        match self.queries {
            Fitting::Sq(all) => all.len(),
            Fitting::Pq4(all) => all.len(),
            Fitting::RaBitQ(all) => all.len(),
        }
    }

    fn rows(&self) -> u32 {
        self.codes.len
    }

    fn rescored(&self) -> bool {
        false
    }

    fn margin(&self, _: &Find<'_>) -> f32 {
        // Keys are those of the CPU.
        0.0
    }

    fn batch(&self, each: PerQuery, arena_bytes: u64, incoming_bytes: usize) -> usize {
        let device = each.device + self.bytes(self.most_planes()) + size_of::<Terms>();
        PerQuery { device, ..each }.batch(self.queries(), arena_bytes, incoming_bytes)
    }

    fn end(&self, first: usize) -> usize {
        match self.queries {
            Fitting::Sq(_) | Fitting::Pq4(_) => self.queries(),
            // The program takes as many planes of all queries.
            Fitting::RaBitQ(all) => {
                let other = |(query, _): &(rabitq::Query, _)| query.bits() != all[first].0.bits();
                all[first..].iter().position(other).map_or(all.len(), |some| first + some)
            }
        }
    }

    fn plan(&mut self, plan: &mut Plan, batch: usize) {
        let bytes = self.bytes(self.most_planes());
        self.places = [plan.room(batch, bytes), plan.room(batch, size_of::<Terms>())];
    }

    fn send(&mut self, lane: &mut Lane, arena: u64, some: Range<usize>) -> Result<(), BackendError> {
        self.arena = arena;
        self.planes = match self.queries {
            Fitting::Sq(_) | Fitting::Pq4(_) => 1,
            Fitting::RaBitQ(all) => usize::from(all[some.start].0.bits()),
        };
        let bytes = self.bytes(self.planes);
        let [pieces, terms] = self.places;
        let (mut buffer, mut all) = (vec![0; bytes], Vec::with_capacity(some.len()));
        for (place, query) in some.enumerate() {
            buffer.fill(0);
            let unfit = || BackendError::Failed { reason: "a query that is not for blocks".to_owned() };
            all.push(self.write(query, &mut buffer).ok_or_else(unfit)?);
            lane.send_bytes(arena + pieces + (place * bytes) as u64, &buffer)?;
        }
        lane.send_bytes(arena + terms, bytemuck::cast_slice(&all))
    }

    unsafe fn scan(&self, lane: &mut Lane, answers: &Answers, pass: &Pass) -> Result<(), BackendError> {
        if pass.count == 0 || answers.queries == 0 {
            return Ok(());
        }
        let (tiling, [pieces, terms]) = (&self.codes.tiling, self.places);
        let (dim, grid_min, grid_step) = match self.codes.form {
            Form::Sq { dim, grid, .. } => (dim, grid.map_or(0.0, |grid| grid.min), grid.map_or(0.0, |grid| grid.step)),
            Form::Pq4 { m } => (m, 0.0, 0.0),
            Form::RaBitQ { codec } => (codec.dim(), 0.0, 0.0),
        };
        let args = CodesArgs {
            tiles: self.stored.rows.address(),
            queries: self.arena + pieces,
            terms: self.arena + terms,
            keep: answers.keep,
            lower: answers.lower,
            bound: answers.bound,
            candidates: answers.candidates,
            counts: answers.counts,
            query_count: answers.queries,
            first: pass.first,
            stride: pass.stride,
            count: pass.count,
            units: tiling.units as u32,
            tile_bytes: tiling.tile_bytes() as u32,
            factors: tiling.factors as u32,
            query_bytes: self.bytes(self.planes) as u32,
            capacity: answers.capacity,
            dim: dim as u32,
            planes: self.planes as u32,
            grid_min,
            grid_step,
            unused: 0,
        };
        let grid = grid(lane, self.codes.program, true, answers.queries, pass.count)?;
        // SAFETY: the places are those of the arena as planned, the codes are held longer than the lane's lease, and the
        // answers are the caller's duty.
        unsafe { lane.launch(self.codes.program, grid, &args) }
    }

    fn rescore(&self, _: &mut Lane, _: &List) -> Result<(), BackendError> {
        Ok(())
    }
}
