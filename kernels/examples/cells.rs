//! Prints the tables of docs/kernels.md: for each metric and element type, and for each scan over codes, the instruction
//! sets that have code of their own, best first.
#![allow(clippy::print_stdout, reason = "an example that prints a table")]

use elanus_kernels::{
    Bf16, Binary, Element, F16, IsaInfo, Kernel, METRICS, Metric, TopK, U4,
    codes::{
        pq4::{Layout, Pq4},
        rabitq::Estimator,
        rotate::Rotation,
    },
    gemm::Gemm,
    minhash::{HashWidth, MinHash},
    sparse::{SparseIp, SparseQuery},
};

fn names(sets: impl Iterator<Item = &'static IsaInfo>) -> String {
    sets.map(|isa| isa.name()).collect::<Vec<_>>().join(", ")
}

fn row<E: Element>(metric: Metric) {
    let sets = names(Kernel::<E>::sets(metric));
    if !sets.is_empty() {
        println!("| {metric} | {} | {sets} |", E::TYPE);
    }
}

fn main() {
    println!("| metric | element | instruction sets |");
    println!("|---|---|---|");
    for metric in METRICS {
        row::<f32>(*metric);
        row::<F16>(*metric);
        row::<Bf16>(*metric);
        row::<i8>(*metric);
        row::<u8>(*metric);
        row::<U4>(*metric);
        row::<Binary>(*metric);
    }
    println!();
    println!("| beyond pairs of vectors | instruction sets |");
    println!("|---|---|");
    println!("| selection | {} |", names(TopK::sets()));
    println!("| products of matrices | {} |", names(Gemm::<f32>::sets()));
    for layout in Layout::ALL {
        println!("| 4-bit product codes, {} | {} |", layout.name(), names(Pq4::sets(layout)));
    }
    println!("| rotation | {} |", names(Rotation::sets()));
    println!("| RaBitQ | {} |", names(Estimator::sets()));
    println!("| MinHash, 32 bits | {} |", names(MinHash::sets(HashWidth::W32)));
    println!("| sparse pair | {} |", names(SparseIp::sets()));
    println!("| sparse query, many rows | {} |", names(SparseQuery::sets()));
}
