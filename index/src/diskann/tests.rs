//! Disk indexes beyond the suite that every index passes: little memory, damaged files, failing readers, parameters.

mod damage;
mod readers;

use std::sync::Arc;

use elanus_kernels::{Bitmap, ElementType, Metric, TopK};

use self::readers::Shuffled;
use super::DiskIndex;
use super::layout::{Kind, Part};
use crate::read_at::InMemory;
use crate::testing::Fixture;
use crate::{
    Aisaq, Blob, BuildCx, Cancel, Diskann, IndexFactory, KeyRange, OpenError, Search, SearchError, Spec, SpecError,
    Stage, no_progress,
};

pub(super) fn pairs(given: &[(&str, &str)]) -> Vec<(String, String)> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn factory_of(kind: Kind) -> &'static dyn IndexFactory {
    match kind {
        Kind::Diskann => &Diskann,
        Kind::Aisaq => &Aisaq,
    }
}

pub(super) fn spec_of(kind: Kind, fixture: &Fixture, given: &[(&str, &str)]) -> Spec {
    Spec::new(factory_of(kind), fixture.element, fixture.dim, fixture.metric, pairs(given)).expect("a good spec")
}

/// The file of an index over a fixture.
pub(super) fn file_of(spec: &Spec, fixture: &Fixture) -> Vec<u8> {
    let cx = BuildCx { pool: None, seed: 3, cancel: &Cancel::new(), progress: &no_progress, device: None };
    let mut bytes = Vec::new();
    let written = match spec.factory().name() {
        "DISKANN" => Diskann.write(spec, fixture.rows(), None, &cx, &mut bytes),
        _ => Aisaq.write(spec, fixture.rows(), None, &cx, &mut bytes),
    };
    written.expect("a vector takes all bytes");
    bytes
}

/// The mean recall of all queries, each answer of which must be in order and with true keys.
pub(super) fn recall_of(index: &DiskIndex, fixture: &Fixture, given: &[(&str, &str)]) -> f64 {
    let params = crate::parse(index.spec.factory().params(), Stage::Search, &pairs(given)).expect("good parameters");
    let search = Search { k: 10, params: &params, filter: None, range: KeyRange::ALL, cancel: &Cancel::new() };
    let one = |query: usize| {
        let mut out = TopK::new(10);
        index.search_at(fixture.query(query), &search, &mut out).expect("the search succeeds");
        fixture.judge(query, 10, &out.into_sorted(), |_| true)
    };
    (0..fixture.query_count()).map(one).sum::<f64>() / fixture.query_count() as f64
}

fn opened(kind: Kind, bytes: &[u8], spec: &Spec, budget: u64) -> Result<DiskIndex, OpenError> {
    DiskIndex::open(kind, Arc::new(InMemory::new(Blob::from_vec(bytes.to_vec()))), spec, budget)
}

/// What an index cannot do without.
fn least(kind: Kind, bytes: &[u8], spec: &Spec) -> u64 {
    match opened(kind, bytes, spec, 0) {
        Err(OpenError::Memory { need, have: 0 }) => need,
        other => panic!("opened without memory: {other:?}"),
    }
}

#[test]
fn reads_in_any_order_find_what_one_at_a_time_finds() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 2000, 40, 1);
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[("max_degree", "24"), ("search_list_size", "60")]);
        let bytes = file_of(&spec, &fixture);
        let need = least(kind, &bytes, &spec);
        let plain = opened(kind, &bytes, &spec, need).expect("enough memory");
        assert!(plain.resident_bytes() <= need, "{} of {need} bytes", plain.resident_bytes());
        let list = ("search_list", "120");
        let alone = recall_of(&plain, &fixture, &[list, ("vectors_beamwidth", "1")]);
        assert!(alone >= 0.97, "{kind:?}: {alone}");
        assert_eq!(recall_of(&plain, &fixture, &[list, ("beamwidth", "1")]), alone);
        for seed in 0..3 {
            let reader = Shuffled::new(bytes.clone(), seed);
            let shuffled = DiskIndex::open(kind, Arc::new(reader), &spec, need).expect("enough memory");
            for beam in ["2", "16", "128"] {
                let found = recall_of(&shuffled, &fixture, &[list, ("vectors_beamwidth", beam)]);
                assert!(found >= alone - 0.02, "{kind:?} with {beam} in flight: {found}, alone {alone}");
            }
        }
    }
}

#[test]
fn memory_is_taken_within_its_budget_and_saves_reads() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::Ip, 800, 600, 2);
    let spec = spec_of(
        Kind::Diskann,
        &fixture,
        &[("MaxDegree", "16"), ("SearchCacheBudgetGBRatio", "0.2"), ("PQCodeBudgetGBRatio", "0.25")],
    );
    let bytes = file_of(&spec, &fixture);
    let need = least(Kind::Diskann, &bytes, &spec);
    assert!(opened(Kind::Diskann, &bytes, &spec, need - 1).is_err());
    let mut reads = Vec::new();
    for budget in [need, need + 800 * 16 * 2, need + 800 * 16 * 4, u64::MAX] {
        let reader = Arc::new(Shuffled::new(bytes.clone(), 1));
        let index = DiskIndex::open(Kind::Diskann, reader.clone(), &spec, budget).expect("enough memory");
        assert!(index.resident_bytes() <= budget);
        reader.count();
        assert!(recall_of(&index, &fixture, &[("search_list", "150")]) >= 0.97);
        reads.push(reader.count());
    }
    assert!(reads.is_sorted_by(|a, b| a > b), "reads of searches, with ever more memory: {reads:?}");
}

#[test]
fn codes_may_lie_beside_their_neighbours_or_apart() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::Cosine, 1500, 70, 3);
    let mut reads = Vec::new();
    for (inline, rearrange, cache, entries) in
        [("-1", "true", "0", "100"), ("0", "true", "100000", "100"), ("9", "true", "0", "1"), ("0", "false", "0", "0")]
    {
        let given = [
            ("max_degree", "20"),
            ("inline_pq", inline),
            ("rearrange", rearrange),
            ("pq_cache_size", cache),
            ("num_entry_points", entries),
        ];
        let spec = spec_of(Kind::Aisaq, &fixture, &given);
        let bytes = file_of(&spec, &fixture);
        for seed in 0..2 {
            let reader = Arc::new(Shuffled::new(bytes.clone(), seed));
            let index = DiskIndex::open(Kind::Aisaq, reader.clone(), &spec, u64::MAX).expect("a sound file");
            let inlined = if inline == "-1" { 20 } else { inline.parse().expect("a number") };
            assert_eq!(index.header.inlined, inlined);
            assert_eq!(index.header.entries, entries.parse::<usize>().expect("a number") + 1);
            reader.count();
            let found = recall_of(&index, &fixture, &[("search_list", "130")]);
            assert!(found >= 0.97, "{given:?}: {found}");
            reads.push(reader.count());
        }
    }
    assert!(reads[0] < reads[2] && reads[2] < reads[6], "reads of codes apart: {reads:?}");
}

#[test]
fn nodes_of_all_sizes_fit_their_pages() {
    for (element, dim, degree, per_unit) in [
        (ElementType::F32, 1, "4", 170),
        (ElementType::Bf16, 7, "3", 127),
        (ElementType::F16, 600, "40", 3),
        (ElementType::F32, 1023, "8", 1),
        (ElementType::F32, 1500, "30", 1),
    ] {
        let fixture = Fixture::clustered(element, Metric::L2, 230, dim, 4);
        for kind in [Kind::Diskann, Kind::Aisaq] {
            let spec = spec_of(kind, &fixture, &[("max_degree", degree)]);
            let bytes = file_of(&spec, &fixture);
            let index = opened(kind, &bytes, &spec, u64::MAX).expect("a sound file");
            let packing = index.layout.section(Part::Nodes).packing;
            assert!(packing.item <= packing.unit - 4 && packing.per_unit * packing.item <= packing.unit - 4);
            if kind == Kind::Diskann {
                assert_eq!(packing.per_unit, per_unit, "{element} {dim} {degree}");
            }
            assert!(recall_of(&index, &fixture, &[("search_list", "200")]) >= 0.97, "{kind:?} {element} {dim}");
        }
    }
}

#[test]
fn a_file_written_in_one_go_is_the_saved_index() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 300, 9, 5);
    for kind in [Kind::Diskann, Kind::Aisaq] {
        let spec = spec_of(kind, &fixture, &[]);
        let cx = BuildCx { pool: None, seed: 3, cancel: &Cancel::new(), progress: &no_progress, device: None };
        let built = spec.factory().build(&spec, fixture.rows(), None, &cx).expect("the build succeeds");
        let (mut saved, written) = (Vec::new(), file_of(&spec, &fixture));
        built.save(&mut saved).expect("a vector takes all bytes");
        assert!(saved == written);
        let mut small = [0; 9000];
        let result =
            Diskann.write(&spec_of(Kind::Diskann, &fixture, &[]), fixture.rows(), None, &cx, &mut &mut small[..]);
        assert!(matches!(result, Err(super::WriteError::Io(_))), "{result:?}");
    }
}

#[test]
fn parameters_have_the_names_that_clients_send() {
    let spec = |factory, given: &[(&str, &str)]| Spec::new(factory, ElementType::F32, 8, Metric::L2, pairs(given));
    let both = ["max_degree", "MaxDegree", "search_list_size", "SearchListSize", "pq_code_budget_gb_ratio"];
    let both =
        both.into_iter().chain(["PQCodeBudgetGBRatio", "SearchCacheBudgetGBRatio", "search_cache_budget_gb_ratio"]);
    for name in both {
        let value = if name.contains("atio") { "0.2" } else { "20" };
        for factory in [&Diskann as &'static dyn IndexFactory, &Aisaq] {
            assert!(spec(factory, &[(name, value)]).is_ok(), "{name} of {}", factory.name());
        }
    }
    assert!(spec(&Diskann, &[("beam_width_ratio", "8"), ("BeamWidthRatio", "8")]).is_ok());
    for name in ["inline_pq", "rearrange", "num_entry_points", "disk_pq_code_budget_gb_ratio", "pq_cache_size"] {
        assert!(matches!(spec(&Diskann, &[(name, "1")]), Err(SpecError::Param(_))), "{name} is AISAQ's");
    }
    let inlined = |codes| spec(&Aisaq, &[("max_degree", "30"), ("inline_pq", codes)]);
    assert!(inlined("30").is_ok() && inlined("31").is_err(), "no more codes than links");
    for (name, value) in [
        ("max_degree", "513"),
        ("max_degree", "0"),
        ("inline_pq", "-2"),
        ("num_entry_points", "1001"),
        ("disk_pq_code_budget_gb_ratio", "0.26"),
        ("pq_code_budget_gb_ratio", "0"),
        ("search_cache_budget_gb_ratio", "0.31"),
        ("pq_cache_size", "1073741825"),
        ("rearrange", "perhaps"),
    ] {
        assert!(matches!(spec(&Aisaq, &[(name, value)]), Err(SpecError::Param(_))), "{name} {value}");
    }
}

#[test]
fn budgets_decide_the_bits_of_codes() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 40, 256, 6);
    for (share, bits) in [("0.01", 1), ("0.05", 1), ("0.09", 2), ("0.125", 3), ("0.2", 4)] {
        let spec = spec_of(Kind::Diskann, &fixture, &[("PQCodeBudgetGBRatio", share)]);
        let index = opened(Kind::Diskann, &file_of(&spec, &fixture), &spec, u64::MAX).expect("a sound file");
        assert_eq!(index.header.bits, bits, "{share}");
        assert_eq!(recall_of(&index, &fixture, &[]), 1.0);
    }
}

#[test]
fn searches_that_do_not_fit_are_refused() {
    let fixture = Fixture::clustered(ElementType::F32, Metric::L2, 500, 8, 7);
    let spec = spec_of(Kind::Diskann, &fixture, &[]);
    let index = opened(Kind::Diskann, &file_of(&spec, &fixture), &spec, u64::MAX).expect("a sound file");
    let params =
        crate::parse(Diskann.params(), Stage::Search, &pairs(&[("search_list", "7")])).expect("good parameters");
    let cancel = Cancel::new();
    let search = Search { k: 8, params: &params, filter: None, range: KeyRange::ALL, cancel: &cancel };
    let refused =
        |query, search: &Search<'_>, k| index.search_at(query, search, &mut TopK::new(k)).expect_err("refused");
    let below = SearchError::BelowK { name: "search_list", value: 7, k: 8 };
    assert_eq!(refused(fixture.query(0), &search, 8), below);
    assert_eq!(refused(fixture.query(0), &search, 3), SearchError::Holder { want: 8, got: 3 });
    let short = Bitmap::full(3);
    let filtered = Search { filter: Some(short.view()), ..search };
    assert_eq!(refused(fixture.query(0), &filtered, 8), SearchError::Filter { want: 500, got: 3 });
    cancel.cancel();
    let search = Search { k: 5, ..search };
    assert_eq!(refused(fixture.query(0), &search, 5), SearchError::Cancelled);
}
