//! Saved indexes of every type whose bytes were changed: refused, or searched without harm.
//!
//! The variable `ELANUS_FUZZ_INDEX` names one type to stay with; `lists` is what AUTOINDEX takes for many rows.
#![no_main]
use std::sync::OnceLock;

use elanus_fuzz::Source;
use elanus_index::testing::{Fixture, build_on};
use elanus_index::{Blob, Cancel, INDEXES, IndexFactory, KeyRange, OpenCx, Scratch, Search, Spec, Stage, find, parse};
use elanus_kernels::{ElementType, Metric, TopK};
use libfuzzer_sys::fuzz_target;

/// An index as its bytes, and what it was built over.
struct Saved {
    factory: &'static dyn IndexFactory,
    fixture: Fixture,
    spec: Spec,
    bytes: Vec<u8>,
}

fn saved() -> &'static [Saved] {
    static SAVED: OnceLock<Vec<Saved>> = OnceLock::new();
    SAVED.get_or_init(|| {
        let metrics = [Metric::L2, Metric::Cosine];
        let only = std::env::var("ELANUS_FUZZ_INDEX").ok();
        let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
        let kinds = INDEXES.iter().filter(|factory| wanted(factory.name()));
        let kinds = kinds.flat_map(|factory| metrics.map(|metric| (*factory, metric)));
        let kinds = kinds.filter(|(factory, metric)| factory.supports(ElementType::F32, *metric));
        let mut all: Vec<Saved> = kinds.map(|(factory, metric)| made(factory, metric, 1100, 20)).collect();
        if wanted("lists") {
            let auto = find("AUTOINDEX").expect("it is in the list");
            all.push(made(auto, Metric::L2, 20_000, 8));
        }
        assert!(!all.is_empty(), "ELANUS_FUZZ_INDEX names no index type");
        all
    })
}

fn made(factory: &'static dyn IndexFactory, metric: Metric, rows: usize, dim: usize) -> Saved {
    let fixture = Fixture::clustered(ElementType::F32, metric, rows, dim, 3);
    let index = build_on(0, factory, &fixture, None);
    let mut bytes = Vec::new();
    index.save(&mut bytes).expect("memory takes all");
    Saved { factory, spec: index.spec().clone(), fixture, bytes }
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let all = saved();
    let Saved { factory, fixture, spec, bytes } = &all[source.below(all.len())];
    let mut changed = bytes.clone();
    for _ in 0..1 + source.below(8) {
        // Half of the changes go to the first kilobyte, where the numbers stand by which the rest is read.
        let end = if source.byte() & 1 == 0 { changed.len().min(1024) } else { changed.len() };
        let at = source.u32() as usize % end.max(1);
        let count = 1 + source.below(8);
        let new = source.bytes(count);
        for (to, from) in changed.iter_mut().skip(at).zip(new) {
            *to = from;
        }
    }
    if source.byte() & 7 == 0 {
        changed.truncate(source.u32() as usize % (changed.len() + 1));
    }
    let Ok(index) = factory.open(Blob::from_vec(changed), spec, &OpenCx::default()) else { return };
    if index.len() != fixture.len() {
        return;
    }
    let params = parse(factory.params(), Stage::Search, &[]).expect("defaults are taken");
    let cancel = Cancel::new();
    let search = Search { k: 5, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let mut scratch = Scratch::new();
    for query in 0..2 {
        let mut out = TopK::new(5);
        drop(index.search(fixture.rows(), fixture.query(query), &search, &mut scratch, &mut out));
        assert!(out.into_sorted().iter().all(|found| (found.id as usize) < fixture.len()));
    }
});
