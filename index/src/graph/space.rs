//! The vectors that a graph is built over: whatever the metric, their squared Euclidean distance orders them as it
//! does.

use elanus_kernels::{AnyRows, Metric, Rows, Vector};

use crate::tier::source::{unit, widen};

/// Rows as vectors of f32 whose squared Euclidean distance orders them as the metric does, or nearly.
pub(crate) trait Space: Sync {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Components of a vector.
    fn dim(&self) -> usize;

    /// The vector of a row, borrowed from the rows or written to the buffer.
    fn vector<'a>(&'a self, row: u32, buffer: &'a mut Vec<f32>) -> &'a [f32];

    /// All vectors, where they lie in memory as they are wanted.
    fn plain(&self) -> Option<Rows<'_, f32>> {
        None
    }

    /// Whether the last component was added so that all vectors are of one length, and the others' inner product is
    /// what counts.
    fn is_level(&self) -> bool {
        false
    }
}

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// They are widened to f32.
    Plain,
    /// They are scaled to unit length; the zero vector stays as it is.
    Unit,
    /// They get one more component, by which all are of one length, so that the largest inner product with a vector is
    /// the least distance from it (Bachrach and others, "Speeding up the Xbox recommender system", RecSys 2014).
    Level {
        /// The square of that length.
        square: f64,
    },
}

/// Rows in a form for the metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shaped<'a> {
    rows: AnyRows<'a>,
    form: Form,
}

impl<'a> Shaped<'a> {
    /// The space of `rows` under `metric`. Of the rows, only those that `nodes` yields will be asked for.
    ///
    /// L2 takes rows as they are, HAMMING as vectors of zeros and ones, which is exact. COSINE scales to unit length,
    /// IP makes all one length by one more component. The metrics of sets scale bits to unit length: the cosine of two
    /// sets orders them nearly as their overlap does.
    pub(crate) fn new(metric: Metric, rows: AnyRows<'a>, nodes: impl Iterator<Item = u32>) -> Self {
        let form = match metric {
            Metric::L2 | Metric::Hamming | Metric::MhJaccard => Form::Plain,
            Metric::Cosine | Metric::Jaccard | Metric::Tanimoto | Metric::Substructure | Metric::Superstructure => {
                Form::Unit
            }
            Metric::Ip => {
                let plain = Self { rows, form: Form::Plain };
                let mut buffer = Vec::new();
                let squares = nodes.map(|row| square(plain.vector(row, &mut buffer)));
                Form::Level { square: squares.fold(0.0, f64::max) }
            }
        };
        Self { rows, form }
    }

    /// Components that are stored.
    fn stored(&self) -> usize {
        self.rows.dim() * self.rows.element().components()
    }
}

impl Space for Shaped<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn dim(&self) -> usize {
        self.stored() + usize::from(matches!(self.form, Form::Level { .. }))
    }

    fn vector<'a>(&'a self, row: u32, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        if let Some(rows) = self.plain() {
            return rows.row(row as usize);
        }
        buffer.clear();
        buffer.resize(self.stored(), 0.0);
        let vector = self.rows.row(row as usize);
        match vector {
            Vector::F32(_) | Vector::F16(_) | Vector::Bf16(_) | Vector::I8(_) | Vector::U8(_) => widen(vector, buffer),
            Vector::U4(units) => spread(units.iter().map(|unit| unit.0), 4, buffer),
            Vector::Binary(units) => spread(units.iter().map(|unit| unit.0), 1, buffer),
        }
        match self.form {
            Form::Plain => {}
            Form::Unit => unit(buffer),
            Form::Level { square: all } => buffer.push((all - square(buffer)).max(0.0).sqrt() as f32),
        }
        buffer
    }

    fn is_level(&self) -> bool {
        matches!(self.form, Form::Level { .. })
    }

    fn plain(&self) -> Option<Rows<'_, f32>> {
        self.rows.typed::<f32>().filter(|_| self.form == Form::Plain)
    }
}

fn square(vector: &[f32]) -> f64 {
    vector.iter().map(|value| f64::from(*value) * f64::from(*value)).sum()
}

/// Writes the components of bytes that hold several of them, the lowest bits first.
fn spread(bytes: impl Iterator<Item = u8>, bits: usize, to: &mut [f32]) {
    for (to, byte) in to.chunks_exact_mut(8 / bits).zip(bytes) {
        for (i, to) in to.iter_mut().enumerate() {
            *to = f32::from(byte >> (i * bits) & (u8::MAX >> (8 - bits)));
        }
    }
}

#[cfg(test)]
mod tests;
