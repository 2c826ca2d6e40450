//! Paths against all sums of centroids, and the choice of steps against sorting.

use elanus_kernels::rng::Rng;

use super::*;

fn made(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal()).collect()
}

fn error(books: &[&Book<'_>], codes: &[u32], part: &[f32]) -> f64 {
    let mut left = part.to_vec();
    for (book, code) in books.iter().zip(codes) {
        left.iter_mut().zip(book.centroid(*code as usize)).for_each(|(left, value)| *left -= value);
    }
    left.iter().map(|value| f64::from(*value).powi(2)).sum()
}

#[test]
fn as_many_centroids_as_paths_give_the_best_sum() {
    let (first, second) = (made(5 * 3, 1), made(5 * 3, 2));
    let books = [Book::new(&first, 3).unwrap(), Book::new(&second, 3).unwrap()];
    let books: Vec<&Book<'_>> = books.iter().collect();
    let mut beam = Beam::default();
    for part in made(100 * 3, 3).chunks(3) {
        let (codes, left) = beam.encode(&books, part);
        let all = (0..25).map(|i| error(&books, &[i / 5, i % 5], part));
        let best = all.fold(f64::INFINITY, f64::min);
        let found = error(&books, codes, part);
        assert!(found <= best + 1e-5, "{found} for {best}");
        let left: f64 = left.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((left - found).abs() < 1e-5);
    }
}

#[test]
fn paths_lose_less_than_the_nearest_of_each_level() {
    let values = made(4 * 300 * 4, 4);
    // Columns and rows of centroids.
    for centroids in [20, 300] {
        let books: Vec<Book<'_>> =
            values.chunks_exact(300 * 4).map(|book| Book::new(&book[..centroids * 4], 4).unwrap()).collect();
        let books: Vec<&Book<'_>> = books.iter().collect();
        let (mut beam, mut by_paths, mut by_nearest) = (Beam::default(), 0.0, 0.0);
        for part in made(200 * 4, 5).chunks(4) {
            by_paths += error(&books, beam.encode(&books, part).0, part);
            let (mut codes, mut left) = (Vec::new(), part.to_vec());
            for book in &books {
                codes.push(beam.encode(&[*book], &left).0[0]);
                let centroid = book.centroid(codes[codes.len() - 1] as usize);
                left.iter_mut().zip(centroid).for_each(|(left, value)| *left -= value);
            }
            by_nearest += error(&books, &codes, part);
        }
        assert!(by_paths < 0.8 * by_nearest, "{centroids}: {by_paths} and {by_nearest}");
    }
}

#[test]
fn steps_are_the_least_keys_in_order() {
    let mut rng = Rng::new(6);
    for (count, width) in [(1, 1), (1, 5), (3, 5), (16, 5), (40, 1), (100, 5), (100, 3)] {
        // Few different keys, so that many are equal.
        let keys: Vec<Vec<f32>> = (0..3)
            .map(|_| {
                (0..count)
                    .map(|_| [rng.below(9) as f32, f32::NAN, f32::INFINITY][rng.below(12).saturating_sub(9) as usize])
                    .collect()
            })
            .collect();
        let mut steps = Vec::new();
        keys.iter().enumerate().for_each(|(path, keys)| keep_least(keys, path, width, &mut steps));
        let mut all: Vec<(f32, usize, u32)> = Vec::new();
        for (path, keys) in keys.iter().enumerate() {
            all.extend(
                keys.iter().enumerate().filter(|(_, key)| key.is_finite()).map(|(i, key)| (*key, path, i as u32)),
            );
        }
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.truncate(width);
        let got: Vec<(f32, usize, u32)> = steps.iter().map(|step| (step.key, step.path, step.code)).collect();
        assert_eq!(got, all, "{count} keys, {width} steps");
    }
}

#[test]
fn a_part_at_no_finite_distance_has_codes() {
    let values = made(20 * 2, 7);
    let books = [Book::new(&values, 2).unwrap(), Book::new(&values, 2).unwrap()];
    let mut beam = Beam::default();
    let (codes, _) = beam.encode(&books.iter().collect::<Vec<_>>(), &[1e30, 0.0]);
    assert_eq!(codes, [0, 0]);
}
