//! The CUDA programs on the emulator, entry point by entry point, against the processor's kernels.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(clippy::print_stdout, reason = "a test says what it leaves out")]

#[path = "../emulator/library.rs"]
mod library;
#[path = "cuda_programs/scans.rs"]
mod scans;
#[path = "cuda_programs/selection.rs"]
mod selection;
#[path = "cuda_programs/vectors.rs"]
mod vectors;

use self::library::Emulator;

/// Random shapes for each entry point.
const SHAPES: u64 = 100;

/// The emulator, or nothing where the machine cannot build it.
fn emulator() -> Option<&'static Emulator> {
    match Emulator::get() {
        Ok(emulator) => Some(emulator),
        Err(why) => {
            println!("SKIPPED: {why}");
            None
        }
    }
}
