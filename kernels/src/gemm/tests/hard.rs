//! Searches that are hard by their dimension, their selection, or where the queries come from.
use super::*;

#[test]
fn hard_data_of_many_dimensions_is_searched() {
    let mut rng = Rng::new(13);
    // Offset, of two sizes, tiny, with one large component, and of all sizes.
    for kind in [3, 4, 5, 8, 9] {
        for (dim, count) in [(768, 40), (4100, 24)] {
            let values = data(kind, count, dim, &mut rng);
            let rows = Rows::new(&values, dim).unwrap();
            everywhere::<f32>(|gemm| {
                for format in 0..FORMATS.len() {
                    check(gemm, rows.slice(0..13), rows, Case { format, ..PLAIN }, &format!("kind {kind}"));
                }
            });
        }
    }
}

#[test]
fn lower_bounds_hold_in_many_dimensions() {
    let mut rng = Rng::new(14);
    for kind in [3, 5, 8, 9] {
        for dim in [768, 4100] {
            let values = data(kind, 40, dim, &mut rng);
            let rows = Rows::new(&values, dim).unwrap();
            everywhere::<f32>(|gemm| {
                for format in 0..FORMATS.len() {
                    bounds_hold(gemm, format, rows.slice(0..14), rows.slice(10..40), kind);
                }
            });
        }
    }
}

#[test]
fn selections_of_any_size_are_filled() {
    let mut rng = Rng::new(15);
    let values = data(0, 1200, 6, &mut rng);
    let rows = Rows::new(&values, 6).unwrap();
    for k in [1 << 61, 1 << 62, 1 << 63, usize::MAX] {
        everywhere::<f32>(|gemm| {
            check(gemm, rows.slice(0..13), rows, Case { k, ..PLAIN }, "huge k");
        });
    }
}

/// A [`Gemm`] whose kernel is coarser than the bounds must not use the formats that another one packed for.
#[test]
fn queries_that_another_set_packed_are_searched_in_common_formats() {
    let mut rng = Rng::new(16);
    let values = data(0, 300, 24, &mut rng);
    let rows = Rows::new(&values, 24).unwrap();
    let (one, many) = (Case { k: 1, ..PLAIN }, rows.slice(0..20));
    everywhere::<f32>(|packer| {
        let packed = packer.pack(many);
        let coarse = Gemm { codes: [None; 3], ..*packer };
        let last = Gemm { codes: [None, None, packer.codes[2]], ..*packer };
        for (gemm, format) in
            [(coarse, 3), (last, 2), (*packer, packer.codes.iter().position(Option::is_some).unwrap())]
        {
            let mut out = vec![TopK::new(one.k); many.len()];
            let ended = gemm.sweep(0, &packed, rows, 0, None, &mut Scratch::default(), &mut out);
            assert_eq!(ended, format, "{}", packer.isa());
            for (query, found) in many.iter().zip(out) {
                assert_eq!(bits(&found.into_sorted()), plain(&gemm, query, rows, 0, None, one.k));
            }
            let (mut keys, mut want) = (vec![0.0; 20 * 300], vec![0.0; 20 * 300]);
            gemm.scores(&packed, rows, &mut Scratch::default(), &mut keys);
            gemm.kernel().tile(many, rows, &mut want);
            assert_eq!(keys == want, format == 3, "only the kernel's keys are the kernel's: {}", gemm.isa());
        }
    });
}
