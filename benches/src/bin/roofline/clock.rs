//! Timing in turns: the least of many short samples, so that what else the machine does falls out.
use std::time::{Duration, Instant};

/// How long one sample is. Short enough to fall between two interruptions, long enough for the clock.
const SAMPLE: Duration = Duration::from_micros(20);

/// The least nanoseconds of one call of each function, which are called in turns for about `budget` each.
pub(crate) fn least(calls: &mut [&mut dyn FnMut()], budget: Duration) -> Vec<f64> {
    let repeats: Vec<u32> = calls.iter_mut().map(|call| repeats(call)).collect();
    let mut best = vec![f64::INFINITY; calls.len()];
    let started = Instant::now();
    let (mut round, total) = (0, budget * calls.len() as u32);
    while round < 5 || started.elapsed() < total {
        for ((call, repeats), best) in calls.iter_mut().zip(&repeats).zip(&mut best) {
            *best = best.min(sample(call, *repeats));
        }
        round += 1;
    }
    best
}

/// So many calls fill a sample; also warms the caches up.
fn repeats(call: &mut dyn FnMut()) -> u32 {
    let mut repeats = 1;
    loop {
        let nanoseconds = sample(call, repeats) * f64::from(repeats);
        if nanoseconds >= SAMPLE.as_nanos() as f64 || repeats >= 1 << 24 {
            return repeats;
        }
        repeats *= 2;
    }
}

fn sample(call: &mut dyn FnMut(), repeats: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(repeats)
}
