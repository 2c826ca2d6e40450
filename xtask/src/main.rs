//! `cargo xtask`: the project's own checks and chores, so that no shell script has to hold them.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool of the repository reads files, starts programs and takes times itself"
)]
#![allow(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod ci;
mod deps;
mod docs;
mod exec;
mod fuzz;
mod gpu;
mod header;
mod neon;
mod ptx;
mod roofline;
mod tidy;
mod tree;
mod wire;

use std::process::ExitCode;

/// What every subcommand answers: a text that says what went wrong and where.
type Fallible<T> = Result<T, String>;

struct Subcommand {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Fallible<ExitCode>,
}

/// Every subcommand, in the order in which `cargo xtask help` shows them.
static SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "ci",
        about: "every check of the project  [--skip A,B] [--only A,B] [--verbose] [--list]",
        run: ci::run,
    },
    Subcommand { name: "tidy", about: "sizes, names, marks, dead files and generated blocks", run: tidy::run },
    Subcommand { name: "deps", about: "which crate may depend on which, and the licences", run: deps::run },
    Subcommand { name: "docs", about: "rewrite the generated blocks of docs/  [--check]", run: docs::run },
    Subcommand { name: "fuzz", about: "run the fuzz targets  [--seconds N] [TARGET ..]", run: fuzz::run },
    Subcommand {
        name: "gpu",
        about: "suite and benches on a machine with a card  [--device cuda:0] [--pack DIR] [--record FILE]",
        run: gpu::run,
    },
    Subcommand { name: "header", about: "rewrite the C header of kernels-c  [--check]", run: header::run },
    Subcommand { name: "neon", about: "build and run the kernels' tests for aarch64 under qemu", run: neon::run },
    Subcommand {
        name: "ptx",
        about: "compile the CUDA programs and hold them to their registers  [--check]",
        run: ptx::run,
    },
    Subcommand {
        name: "roofline",
        about: "this machine's limits and how near each kernel comes  [--only NAME] [--dims N,..] [--help]",
        run: roofline::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("help", String::as_str);
    if matches!(name, "help" | "--help" | "-h") {
        print_help();
        return ExitCode::SUCCESS;
    }
    let Some(subcommand) = SUBCOMMANDS.iter().find(|s| s.name == name) else {
        eprintln!("error: no subcommand `{name}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    match (subcommand.run)(&args[1..]) {
        Ok(code) => code,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn print_help() {
    println!("cargo xtask <subcommand>");
    for subcommand in SUBCOMMANDS {
        println!("  {:<8} {}", subcommand.name, subcommand.about);
    }
}

/// Refuses any argument, for subcommands that take none.
fn no_arguments(args: &[String]) -> Fallible<()> {
    match args.first() {
        Some(first) => Err(format!("unexpected argument `{first}`")),
        None => Ok(()),
    }
}
