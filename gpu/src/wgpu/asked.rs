//! Queries for codes as words that the programs take.
use elanus_kernels::backend::{BackendError, CorpusKind, Queries, checks};
use elanus_kernels::codes::{pq4, rabitq, sq};
use elanus_shaders::wgsl::{Codes, HEAD_WORDS};

use super::codes::Shape;

/// Queries whose tables lie together.
const QUAD: usize = 4;

/// Product codes that a word has.
const PLACES: usize = 8;

/// Bits of a component that a query over signs has at most.
const PLANES_MOST: usize = 8;

/// What a key needs of a query beside the sum.
type Head = [u32; HEAD_WORDS];

/// Queries of one batch.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) shape: Shape,
    /// How many there are.
    pub(super) count: usize,
    /// Words of a query, or of four queries that lie together.
    pub(super) query_words: usize,
    /// Bits of a component, where they lie in planes; else 1.
    pub(super) planes: u32,
    pub(super) words: Vec<u32>,
    pub(super) heads: Vec<Head>,
}

/// Whether the queries fit codes of a shape.
///
/// # Errors
/// When one of them does not.
pub(super) fn check(shape: &Shape, kind: CorpusKind, queries: Queries<'_>) -> Result<(), BackendError> {
    let other = || BackendError::Kind { corpus: kind, queries: checks::name(queries) };
    let fits = |got: usize| {
        let want = shape.dim;
        if got == want { Ok(()) } else { Err(BackendError::Dim { want, got }) }
    };
    match queries {
        Queries::Rows(_) => Err(other()),
        Queries::Sq(queries) => queries.iter().try_for_each(|query| {
            let form = query.form().filter(|form| form.cosine == shape.cosine).ok_or_else(other)?;
            fits(form.bytes.len())
        }),
        Queries::Pq4(tables) => tables.iter().try_for_each(|tables| fits(tables.m())),
        Queries::RaBitQ(queries) => queries.iter().try_for_each(|(query, _)| {
            fits(query.codec().dim())?;
            if Some(query.codec().metric()) == shape.signs.map(|codec| codec.metric()) { Ok(()) } else { Err(other()) }
        }),
    }
}

/// How many of the queries from `first` on one program takes: those over signs must have as many planes.
pub(super) fn alike(queries: Queries<'_>, first: usize, most: usize) -> usize {
    let most = most.min(queries.len() - first);
    let Queries::RaBitQ(queries) = queries else { return most };
    let rest = &queries[first..first + most];
    let other = rest.iter().position(|(query, _)| query.bits() != rest[0].0.bits());
    other.unwrap_or(most)
}

/// Words of a query, or of four queries that lie together, in so many planes.
const fn query_words(shape: &Shape, planes: usize) -> usize {
    match shape.codes {
        Codes::Sq8 => shape.words(),
        Codes::Sq6 => shape.words() / 3 * 4,
        Codes::Sq4 => shape.words() * 2,
        Codes::Pq4 => shape.words() * PLACES * pq4::CENTROIDS,
        Codes::RaBitQ => shape.words() * planes,
    }
}

/// Bytes of the words and of the head of a query at most.
pub(super) fn query_bytes(shape: &Shape) -> usize {
    let together = if shape.codes == Codes::Pq4 { QUAD } else { 1 };
    4 * (query_words(shape, PLANES_MOST) / together + HEAD_WORDS)
}

impl Asked {
    /// Queries `first..first + count`, which [`check`] has seen and which are [`alike`].
    pub(super) fn new(shape: &Shape, queries: Queries<'_>, first: usize, count: usize) -> Self {
        let mut asked = Self { shape: *shape, count, query_words: 0, planes: 1, words: Vec::new(), heads: Vec::new() };
        let range = first..first + count;
        match queries {
            Queries::Rows(_) => {}
            Queries::Sq(queries) => queries[range].iter().for_each(|query| asked.scalar(query)),
            Queries::Pq4(tables) => tables[range].chunks(QUAD).for_each(|four| asked.tables(four)),
            Queries::RaBitQ(queries) => queries[range].iter().for_each(|(query, term)| asked.signs(query, *term)),
        }
        asked
    }

    fn scalar(&mut self, query: &sq::SqQuery) {
        let Some(form) = query.form() else { return };
        self.query_words = query_words(&self.shape, 1);
        let filled = self.words.len() + self.query_words;
        let byte = |four: &[i8], at: usize| four.get(at).map_or(0, |byte| *byte as u8);
        let words = form.bytes.chunks(4).map(|four| u32::from_le_bytes(std::array::from_fn(|at| byte(four, at))));
        self.words.extend(words);
        self.words.resize(filled, 0);
        // Codes of eight bits are multiplied less 128.
        let less = if self.shape.codes == Codes::Sq8 { 128 } else { 0 };
        let lacks: i32 = form.bytes.iter().map(|byte| less * i32::from(*byte)).sum();
        let grid = self.shape.range.unwrap_or(sq::SqRange { min: 0.0, step: 0.0 });
        let terms = [form.scale, form.middle, form.sum, form.constant, form.square_weight, form.product_weight];
        let [a, b, c, d, e, f] = terms.map(f32::to_bits);
        let (min, step) = (grid.min.to_bits(), grid.step.to_bits());
        self.heads.push([a, b, c, d, e, f, u32::from(form.cosine), min, step, lacks as u32, 0, 0]);
    }

    /// Up to four queries.
    fn tables(&mut self, four: &[&pq4::Pq4Tables]) {
        self.query_words = query_words(&self.shape, 1);
        for group in 0..self.shape.words() {
            for place in 0..PLACES {
                // From the lowest bits of a word: the lower half of a byte has a code of the first four.
                let sub = PLACES * group + place % 2 * QUAD + place / 2;
                let luts: [Option<&[u8; pq4::CENTROIDS]>; QUAD] =
                    std::array::from_fn(|query| four.get(query).and_then(|tables| tables.luts().get(sub)));
                let entry = |code: usize| luts.map(|lut| lut.map_or(0, |lut| lut[code]));
                self.words.extend((0..pq4::CENTROIDS).map(|code| u32::from_le_bytes(entry(code))));
            }
        }
        for tables in four {
            let mut head = [0; HEAD_WORDS];
            (head[0], head[1]) = (tables.bias().to_bits(), tables.step().to_bits());
            self.heads.push(head);
        }
    }

    fn signs(&mut self, query: &rabitq::Query, term: rabitq::Term) {
        let (planes, bits, words) = (query.planes(), usize::from(query.bits()), self.shape.words());
        self.planes = u32::from(query.bits());
        self.query_words = query_words(&self.shape, bits);
        for word in 0..words {
            let of_plane = |plane: usize| planes[plane * words / 2 + word / 2] >> (32 * (word % 2));
            self.words.extend((0..bits).map(|plane| of_plane(plane) as u32));
        }
        let most = self.shape.dim as i32 * ((1 << bits) - 1);
        let mut head = [0; HEAD_WORDS];
        (head[0], head[1], head[2]) = (query.unit_half().to_bits(), term.add().to_bits(), most as u32);
        self.heads.push(head);
    }
}
