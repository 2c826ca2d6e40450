//! Made-up vectors by a seeded recipe: the same numbers on every machine, for any size.

mod latent;
#[cfg(test)]
mod tests;

pub use latent::Latent;

use elanus_kernels::rng::Rng;

/// Independent values from 0 to below 1: no structure at all, the hardest case for any index.
pub fn uniform(rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..rows * dim).map(|_| rng.next_f32()).collect()
}

/// Normally distributed clusters around normally distributed centres.
#[derive(Clone, Debug)]
pub struct Clusters {
    dim: usize,
    spread: f32,
    centres: Vec<f32>,
}

impl Clusters {
    /// Draws `count` centres with unit variance in each of `dim` dimensions; rows will lie around them with the
    /// standard deviation `spread`.
    ///
    /// # Panics
    /// When `count` or `dim` is zero.
    pub fn draw(count: usize, dim: usize, spread: f32, seed: u64) -> Self {
        assert!(count > 0 && dim > 0, "{count} clusters of dimension {dim}");
        let mut rng = Rng::new(seed);
        Self { dim, spread, centres: (0..count * dim).map(|_| rng.normal()).collect() }
    }

    /// How many clusters there are.
    pub fn count(&self) -> usize {
        self.centres.len() / self.dim
    }

    /// Draws rows, each from a cluster chosen at random, and says which cluster that was.
    pub fn rows(&self, rows: usize, seed: u64) -> (Vec<f32>, Vec<i64>) {
        let mut rng = Rng::new(seed);
        let mut data = Vec::with_capacity(rows * self.dim);
        let mut labels = Vec::with_capacity(rows);
        for _ in 0..rows {
            let cluster = rng.below(self.count() as u64) as usize;
            let centre = &self.centres[cluster * self.dim..(cluster + 1) * self.dim];
            data.extend(centre.iter().map(|&value| value + self.spread * rng.normal()));
            labels.push(cluster as i64);
        }
        (data, labels)
    }
}
