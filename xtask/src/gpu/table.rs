//! The results of a run as Markdown.
use std::fmt::Write;

use serde_json::Value;

use crate::Fallible;

const DAY: u64 = 86_400;

/// A dated section: the device, its limits, each program as shares of them, and PyTorch beside it.
pub(super) fn render(results: &Value) -> Fallible<String> {
    let text = |name: &str| results[name].as_str().ok_or_else(|| format!("the results have no `{name}`"));
    let number = |name: &str| results[name].as_f64().ok_or_else(|| format!("the results have no `{name}`"));
    let day = date(number("seconds_since_1970")? as u64);
    let mut out = format!("### {}, {day}\n", text("device")?);
    let limits = &results["turns"]["limits"];
    let copy = limits["copy_read_bytes_per_ns"].as_f64();
    let matrix = limits["bf16_multiply_adds_per_ns"].as_f64();
    // Of a copy only half of the traffic is reading; a scan may read as much as a copy moves in all.
    let read = limits["copy_bytes_per_ns"].as_f64().unwrap_or(number("read_bytes_per_ns")?);
    add(&mut out, format_args!("`{}`, driver {}, commit {}.", text("place")?, text("driver")?, text("commit")?));
    add(
        &mut out,
        format_args!(
            "Reads {:.0} GB/s, takes in {:.1} GB/s, answers in {:.0} us at least.",
            number("read_bytes_per_ns")?,
            number("upload_bytes_per_ns")?,
            number("round_trip_us")?
        ),
    );
    if let (Some(copy), Some(matrix)) = (copy, matrix) {
        let (both, flops) = (2.0 * copy, 2.0 * matrix / 1e3);
        add(
            &mut out,
            format_args!("PyTorch copies {both:.0} GB/s (both ways) and multiplies {flops:.0} TFLOP/s of bf16."),
        );
    }
    suite(&mut out, &results["suite"]);
    sweep(&mut out, &results["sweep"], read, matrix);
    turns(&mut out, &results["turns"]);
    Ok(out)
}

fn add(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a string takes everything");
}

fn suite(out: &mut String, suite: &Value) {
    let skipped = suite["skipped"].as_array().map_or(0, Vec::len);
    add(
        out,
        format_args!("Suite: {} answers as the CPU's, {skipped} programs that it does not have.\n", suite["answers"]),
    );
}

fn sweep(out: &mut String, lines: &Value, read: f64, matrix: Option<f64>) {
    out.push_str(
        "| search | batch | us | QPS | of the read limit | of the bf16 matrix limit |\n|---|---|---|---|---|---|\n",
    );
    for line in lines.as_array().into_iter().flatten() {
        if let Some(why) = line["skipped"].as_str() {
            add(out, format_args!("| {} | - | skipped: {why} | | | |", line["case"].as_str().unwrap_or("?")));
            continue;
        }
        let figure = |name: &str| line[name].as_f64().unwrap_or(f64::NAN);
        let share = matrix.map_or_else(|| "-".to_owned(), |limit| percent(figure("multiply_adds_per_ns") / limit));
        add(
            out,
            format_args!(
                "| {} | {} | {:.1} | {:.0} | {} | {share} |",
                line["case"].as_str().unwrap_or("?"),
                line["batch"],
                figure("median_us"),
                figure("qps"),
                percent(figure("bytes_per_ns") / read),
            ),
        );
    }
}

fn turns(out: &mut String, turns: &Value) {
    if let Some(why) = turns["skipped"].as_str() {
        add(out, format_args!("\nNot compared with PyTorch: {why}."));
        return;
    }
    let version = turns["torch"].as_str().unwrap_or("of unknown version");
    add(
        out,
        format_args!("\nBeside PyTorch {version}, matmul and topk, IP over 768 components of bf16, k 10, in turns:\n"),
    );
    out.push_str("| rows | batch | us | PyTorch us | ratio | equal |\n|---|---|---|---|---|---|\n");
    for line in turns["cases"].as_array().into_iter().flatten() {
        if let Some(why) = line["skipped"].as_str() {
            add(out, format_args!("| {} | - | skipped: {why} | | | |", line["rows"]));
            continue;
        }
        let figure = |name: &str| line[name].as_f64().unwrap_or(f64::NAN);
        let (mine, theirs) = (figure("us"), figure("torch_us"));
        add(
            out,
            format_args!(
                "| {} | {} | {mine:.1} | {theirs:.1} | {:.2} | {:.4} |",
                line["rows"],
                line["batch"],
                figure("ratio"),
                figure("equal")
            ),
        );
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The day of a Unix time, by Howard Hinnant's `civil_from_days`.
pub(super) fn date(seconds: u64) -> String {
    let days = seconds / DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
