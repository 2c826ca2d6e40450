//! Lists hold the best of what was offered, in whatever order that was.

use elanus_kernels::rng::Rng;

use super::*;

#[test]
fn the_order_of_offers_does_not_show() {
    let mut rng = Rng::new(3);
    let mut offers: Vec<Vec<Candidate>> = Vec::new();
    for _ in 0..20 {
        // A key follows from the node, as all that compare two nodes get the same.
        let nodes = (0..1 + rng.below(9)).map(|_| rng.below(40) as u32);
        let mut offer: Vec<Candidate> = nodes.map(|node| Candidate::new((node % 13) as f32, node)).collect();
        offer.sort_unstable();
        offers.push(offer);
    }
    let mut want = offers.concat();
    want.sort_unstable();
    want.dedup();
    want.truncate(10);
    for _ in 0..5 {
        let mut lists = Lists::new(3, 10);
        rng.shuffle(&mut offers);
        let mut spare = Vec::new();
        for (_, mut part) in lists.parts(2).into_iter().take(1) {
            offers.iter().for_each(|offer| part[1].merge(offer, &mut spare));
        }
        assert_eq!(lists.of(1), want);
        assert!(lists.of(0).is_empty() && lists.of(2).is_empty());
    }
}

#[test]
fn parts_cover_all_lists_once() {
    let mut lists = Lists::new(7, 2);
    for (first, part) in lists.parts(3) {
        for (i, mut list) in part.into_iter().enumerate() {
            let node = first + i as u32;
            list.set(&[Candidate::new(0.0, node), Candidate::new(1.0, node), Candidate::new(2.0, node)]);
        }
    }
    for node in 0..7 {
        assert_eq!(lists.of(node), [Candidate::new(0.0, node), Candidate::new(1.0, node)]);
    }
    assert!(Lists::new(0, 5).parts(3).is_empty());
}
