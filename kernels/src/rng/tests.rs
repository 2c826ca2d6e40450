//! The streams are pinned; the distributions are roughly right.
use super::{Rng, ln, splitmix64};

#[test]
fn generators_match_their_published_sequences() {
    let mut counter = 1_234_567;
    let mixed = [(); 3].map(|()| splitmix64(&mut counter));
    assert_eq!(mixed, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    let mut rng = Rng { state: [1, 2, 3, 4] };
    let stream = [(); 6].map(|()| rng.next_u64());
    let published = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
    assert_eq!(stream[..4], published);
}

#[test]
fn seeded_streams_are_pinned() {
    let mut rng = Rng::new(42);
    assert_eq!([(); 2].map(|()| rng.next_u64()), [15_021_278_609_987_233_951, 5_881_210_131_331_364_753]);
    assert_eq!([(); 2].map(|()| rng.next_f32().to_bits()), [0x3f7b_e07c, 0x3f33_7d9f]);
    assert_eq!([(); 3].map(|()| rng.below(1000)), [793, 588, 125]);
    assert_eq!([(); 4].map(|()| rng.normal().to_bits()), [0x3eef_1dbb, 0x3f39_7bb4, 0x3f5e_b806, 0xbf30_99bb]);
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
    rng.shuffle(&mut items);
    assert_eq!(items, [7, 3, 5, 6, 2, 0, 1, 4]);
    rng.seed(42);
    assert_eq!(rng, Rng::new(42));
    assert_ne!(Rng::new(1).next_u64(), Rng::new(2).next_u64());
}

#[test]
fn uniform_numbers_fill_their_range() {
    let mut rng = Rng::new(1);
    let mut counts = [0; 7];
    let mut sum = 0.0;
    for _ in 0..70_000 {
        counts[rng.below(7) as usize] += 1;
        let x = rng.next_f32();
        assert!((0.0..1.0).contains(&x));
        assert!((0.0..1.0).contains(&rng.next_f64()));
        sum += f64::from(x);
    }
    assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    assert!((sum / 70_000.0 - 0.5).abs() < 0.005);
    assert_eq!(rng.below(1), 0);
    assert!(rng.below(u64::MAX) < u64::MAX);
}

#[test]
fn normal_numbers_have_the_right_moments() {
    let mut rng = Rng::new(2);
    let draws: Vec<f64> = (0..100_000).map(|_| f64::from(rng.normal())).collect();
    let moment = |power| draws.iter().map(|x| x.powi(power)).sum::<f64>() / draws.len() as f64;
    let near = |value: f64, want: f64, slack: f64| assert!((value - want).abs() < slack, "{value} for {want}");
    near(moment(1), 0.0, 0.015);
    near(moment(2), 1.0, 0.02);
    near(moment(3), 0.0, 0.05);
    near(moment(4), 3.0, 0.12);
}

#[test]
fn logarithm_is_near_the_platform_one() {
    let mut rng = Rng::new(3);
    for _ in 0..10_000 {
        let x = rng.next_f64() * 2f64.powi(rng.below(60) as i32 - 50) + f64::MIN_POSITIVE;
        assert!((ln(x) - x.ln()).abs() <= 2e-15 * x.ln().abs().max(1.0), "{x}");
    }
    assert_eq!(ln(1.0), 0.0);
}

#[test]
#[should_panic = "no number is below 0"]
fn nothing_is_below_zero() {
    Rng::new(1).below(0);
}
