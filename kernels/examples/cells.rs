//! Prints the table of kernel cells in docs/kernels.md: for each metric and element type, the instruction sets that have a
//! kernel of their own, best first.
#![allow(clippy::print_stdout, reason = "an example that prints a table")]

use elanus_kernels::{Bf16, Binary, Element, F16, Kernel, METRICS, Metric, U4};

fn row<E: Element>(metric: Metric) {
    let sets: Vec<&str> = Kernel::<E>::sets(metric).map(|isa| isa.name()).collect();
    if !sets.is_empty() {
        println!("| {metric} | {} | {} |", E::TYPE, sets.join(", "));
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
}
