//! Vectors that are about as hard to search as embeddings of text: few directions carry most of the variance, groups
//! differ in size and width, and everything lies on the unit sphere.

use std::num::NonZeroUsize;
use std::thread;

use elanus_kernels::rng::Rng;

/// Rows that share a stream of random numbers, so that threads can draw different ones and any number of rows begins
/// like a larger one.
const ROWS_A_STREAM: usize = 1 << 10;

/// Directions in which groups lie apart; the standard deviation of the i-th is `1 / sqrt(i + 1)`.
const LATENT: usize = 64;

/// Width of a group beside the distance of groups from each other: between these, by chance.
const WIDTH: [f32; 2] = [0.25, 0.75];

/// Length of the noise in all directions beside that of everything else, which is about 1.
const NOISE: f32 = 0.5;

/// Groups in few dimensions, mapped without distortion into many, with noise in all of these, scaled to length 1.
///
/// Group `g` of `n` has a share that falls as `1 / sqrt(g + 1)`: of 20,000 groups the first has 1 row of 141, half of
/// all rows are in the first quarter of the groups, and the last groups have 1 row of 40,000 each.
#[derive(Clone, Debug)]
pub struct Latent {
    dim: usize,
    /// `LATENT` values for each group.
    centres: Vec<f32>,
    /// One for each group.
    widths: Vec<f32>,
    /// Standard deviation in each latent direction, of variance 1 together.
    scales: [f32; LATENT],
    /// `LATENT` rows of `dim` values, of length 1 and at right angles to each other.
    map: Vec<f32>,
}

impl Latent {
    /// Draws `groups` groups in vectors of dimension `dim`.
    ///
    /// # Panics
    /// When `groups` is zero or `dim` is below 64.
    pub fn draw(groups: usize, dim: usize, seed: u64) -> Self {
        assert!(groups > 0 && dim >= LATENT, "{groups} groups of dimension {dim}");
        let mut rng = Rng::new(seed);
        let mut scales: [f32; LATENT] = std::array::from_fn(|i| 1.0 / ((i + 1) as f32).sqrt());
        let length = scales.iter().map(|scale| scale * scale).sum::<f32>().sqrt();
        scales.iter_mut().for_each(|scale| *scale /= length);
        let map = orthonormal(dim, &mut rng);
        let centres = (0..groups * LATENT).map(|i| scales[i % LATENT] * rng.normal()).collect();
        let widths = (0..groups).map(|_| WIDTH[0] + (WIDTH[1] - WIDTH[0]) * rng.next_f32()).collect();
        Self { dim, centres, widths, scales, map }
    }

    #[cfg(test)]
    pub(super) fn map_rows(&self) -> impl Iterator<Item = &[f32]> {
        self.map.chunks_exact(self.dim)
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.widths.len()
    }

    /// Draws rows, each of length 1 and from a group chosen at random, and says which group that was. The result is the
    /// same for any number of threads.
    pub fn rows(&self, rows: usize, seed: u64, threads: NonZeroUsize) -> (Vec<f32>, Vec<i64>) {
        let mut data = vec![0.0; rows * self.dim];
        let mut labels = vec![0; rows];
        let streams = rows.div_ceil(ROWS_A_STREAM);
        let streams_a_thread = streams.div_ceil(threads.get()).max(1);
        let rows_a_thread = streams_a_thread * ROWS_A_STREAM;
        thread::scope(|scope| {
            let parts = data.chunks_mut(rows_a_thread * self.dim).zip(labels.chunks_mut(rows_a_thread));
            for (part, (data, labels)) in parts.enumerate() {
                scope.spawn(move || {
                    let pieces = data.chunks_mut(ROWS_A_STREAM * self.dim).zip(labels.chunks_mut(ROWS_A_STREAM));
                    for (piece, (data, labels)) in pieces.enumerate() {
                        let stream = (part * streams_a_thread + piece) as u64;
                        let mut rng = Rng::new(seed.wrapping_add(stream << 32));
                        for (row, label) in data.chunks_exact_mut(self.dim).zip(labels) {
                            *label = self.row(row, &mut rng) as i64;
                        }
                    }
                });
            }
        });
        (data, labels)
    }

    /// Draws one row and returns its group.
    fn row(&self, row: &mut [f32], rng: &mut Rng) -> usize {
        let groups = self.groups();
        let chance = rng.next_f64();
        // The square has the density 1 / sqrt.
        let group = ((chance * chance * groups as f64) as usize).min(groups - 1);
        let noise = NOISE / (self.dim as f32).sqrt();
        row.iter_mut().for_each(|value| *value = noise * rng.normal());
        let centre = &self.centres[group * LATENT..(group + 1) * LATENT];
        for ((direction, &middle), scale) in self.map.chunks_exact(self.dim).zip(centre).zip(self.scales) {
            let along = middle + self.widths[group] * scale * rng.normal();
            row.iter_mut().zip(direction).for_each(|(value, &part)| *value += along * part);
        }
        scale_to_one(row);
        group
    }
}

/// `LATENT` random rows of `dim` values, orthonormal by Gram and Schmidt's method, done twice against rounding.
fn orthonormal(dim: usize, rng: &mut Rng) -> Vec<f32> {
    let mut map: Vec<f32> = (0..LATENT * dim).map(|_| rng.normal()).collect();
    for i in 0..LATENT {
        let (before, rest) = map.split_at_mut(i * dim);
        let row = &mut rest[..dim];
        for _ in 0..2 {
            for other in before.chunks_exact(dim) {
                let along: f32 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(value, &part)| *value -= along * part);
            }
        }
        scale_to_one(row);
    }
    map
}

fn scale_to_one(row: &mut [f32]) {
    let length = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt() as f32;
    if length > 0.0 {
        row.iter_mut().for_each(|value| *value /= length);
    }
}
