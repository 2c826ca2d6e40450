//! Packed panels: vectors side by side, and their terms.
use super::{
    bounds::{Frame, Terms},
    pack::{Code, Source, Sums, Transpose},
    tile::Format,
};

/// Words on a line of the cache, so that a load of a whole line does not straddle two.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
struct Line([u32; 16]);

/// Words between two vectors that are about to be transposed, beyond their length: keeps them in different sets of the
/// cache.
const APART: usize = 16;

/// Room for packing vectors, used again.
#[derive(Clone, Default, Debug)]
pub(super) struct Room {
    moved: Vec<f32>,
    words: Vec<u32>,
    /// Where values that are not `f32` are widened.
    pub(super) values: Vec<f32>,
}

/// Which side of the product the vectors of some panels are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Queries,
    Rows,
}

/// Vectors of one side, packed for one [`Code`]. Arrays are padded to whole panels, with rows that are infinitely far.
#[derive(Clone, Default, Debug)]
pub(super) struct Panels {
    words: Vec<Line>,
    width: usize,
    steps: usize,
    count: usize,
    pub(super) scale: Vec<f32>,
    pub(super) norm: Vec<f32>,
    pub(super) error: Vec<f32>,
    /// A row's term.
    pub(super) base: Vec<f32>,
    /// A query's term.
    pub(super) term: Vec<f64>,
    /// A query's term, not moved to the safe side.
    pub(super) plain: Vec<f64>,
    /// What a query's sums begin with.
    pub(super) bias: Vec<i32>,
    /// Vectors that are not bounded.
    pub(super) apart: Vec<u32>,
    /// Whether rounding to the format changed a vector.
    pub(super) lossy: bool,
}

/// What vectors are packed with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pub(super) code: &'a Code,
    pub(super) side: Side,
    pub(super) frame: &'a Frame,
    pub(super) centre: &'a [f32],
    /// Whether the terms are those of lower bounds, or of keys as near as can be.
    pub(super) bounds: bool,
}

/// The vectors to pack: one by one, as `f32`.
pub(super) trait Vectors {
    fn vector<'a>(&'a self, index: usize, room: &'a mut [f32]) -> &'a [f32];
}

impl Panels {
    /// How many panels there are.
    pub(super) fn len(&self) -> usize {
        self.count.div_ceil(self.width.max(1))
    }

    /// How many vectors there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    /// The words of a panel.
    pub(super) fn panel(&self, index: usize) -> &[u32] {
        let size = self.width * self.steps;
        &self.flat()[index * size..][..size]
    }

    fn flat(&self) -> &[u32] {
        // SAFETY: a `Line` is sixteen words, without padding.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.words.len() * 16) }
    }

    fn flat_mut(&mut self) -> &mut [u32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.words.len() * 16) }
    }

    /// Forgets what was packed and packs the vectors of `ids` instead, in that order.
    pub(super) fn pack(
        &mut self,
        plan: Plan<'_>,
        vectors: &dyn Vectors,
        ids: impl ExactSizeIterator<Item = usize>,
        room: &mut Room,
    ) {
        let Plan { code, side, frame, centre, .. } = plan;
        let (dim, count) = (centre.len(), ids.len());
        let width = if side == Side::Queries { code.queries } else { code.rows };
        self.reset(width, dim.div_ceil(code.format.components()), count);
        let padded = dim.next_multiple_of(32);
        room.moved.resize(padded, 0.0);
        room.values.resize(dim, 0.0);
        let stride = padded / code.format.components() + APART;
        room.words.clear();
        room.words.resize(width * stride, 0);
        let flip = if side == Side::Rows { code.flip } else { 0 };
        for (position, id) in ids.enumerate() {
            let lane = position % width;
            let words = &mut room.words[lane * stride..][..stride - APART];
            let values = vectors.vector(id, &mut room.values);
            let unit = frame.unit();
            let mut source = Source { values, centre, unit, moved: &mut room.moved, words: &mut *words };
            // SAFETY: a `Code` is handed out only where its instruction set is available.
            let sums = unsafe { (code.prepare)(&mut source) };
            if !self.enter(plan, position, &sums) {
                words.fill(0);
            }
            if lane + 1 == width || position + 1 == count {
                room.words[(lane + 1) * stride..].fill(0);
                let steps = self.steps;
                let to = &mut self.flat_mut()[position / width * width * steps..][..width * steps];
                let from = Transpose { words: &room.words, stride, width, steps, flip };
                // SAFETY: as above.
                unsafe { (code.transpose)(&from, to) };
            }
        }
    }

    /// Makes room for `count` vectors, all of them padding.
    fn reset(&mut self, width: usize, steps: usize, count: usize) {
        (self.width, self.steps, self.count) = (width, steps, count);
        let places = count.next_multiple_of(width);
        self.words.resize((places * steps).div_ceil(16), Line([0; 16]));
        for terms in [&mut self.scale, &mut self.norm, &mut self.error] {
            terms.clear();
            terms.resize(places, 0.0);
        }
        self.base.clear();
        self.base.resize(places, f32::INFINITY);
        for terms in [&mut self.term, &mut self.plain] {
            terms.clear();
            terms.resize(places, 0.0);
        }
        self.lossy = false;
        self.bias.clear();
        self.bias.resize(places, 0);
        self.apart.clear();
    }

    /// Writes down the terms of a vector, and says whether it is bounded. A row that is not is below every limit.
    fn enter(&mut self, plan: Plan<'_>, position: usize, sums: &Sums) -> bool {
        let Plan { code, side, frame, bounds, .. } = plan;
        if !frame.bounded(sums) {
            self.apart.push(position as u32);
            self.base[position] = f32::NEG_INFINITY;
            return false;
        }
        let Terms { scale, norm, error, base, plain } =
            if side == Side::Queries { frame.query(sums) } else { frame.row(code.format, sums) };
        self.scale[position] = scale;
        if bounds {
            self.norm[position] = norm;
            self.error[position] = error;
        }
        let base = if bounds { base } else { plain };
        self.base[position] = base as f32;
        self.term[position] = base;
        self.plain[position] = plain;
        self.lossy |= sums.residual != 0.0;
        if code.format == Format::I8 && code.flip != 0 {
            self.bias[position] = -128 * sums.bytes;
        }
        true
    }
}
