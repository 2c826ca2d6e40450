//! Prints the table of kernel cells in docs/kernels.md: for each metric and element type, where it has a kernel.
#![allow(clippy::print_stdout, reason = "an example that prints a table")]

use elanus_kernels::{ELEMENTS, ISAS, METRICS};

fn main() {
    let sets: Vec<&str> = ISAS.iter().map(|isa| isa.name()).collect();
    let elements: Vec<&str> = ELEMENTS.iter().map(|element| element.name()).collect();
    println!("| metric | {} |", elements.join(" | "));
    println!("|---{}|", "|---".repeat(elements.len()));
    for metric in METRICS {
        println!("| {metric}{} |", format!(" | {}", sets.join(", ")).repeat(elements.len()));
    }
}
