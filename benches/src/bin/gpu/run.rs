//! Everything that a machine with a card is asked for, within some minutes, into one file.
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use elanus_gpu::testing::{self, Extent};
use serde_json::{Value, json};

use super::{Failure, devices, sweep};

/// Shapes for each program, larger than those of the ordinary tests.
const EXTENT: Extent = Extent { shapes: 100, work: 20_000_000, seed: 7 };

pub(crate) fn run(device: Option<&str>, turns: &Path, out: &Path, commit: &str, minutes: u64) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let name = match device {
        Some(name) => name.to_owned(),
        None => devices::first_card().ok_or("no card was found; `elanus-gpu devices` lists what there is")?,
    };
    let backend = devices::open(&name)?;
    let caps = backend.caps().clone();
    eprintln!("{name}: {}, driver {}", caps.name, caps.driver);
    let mut result = json!({
        "device": caps.name,
        "place": name,
        "driver": caps.driver,
        "commit": commit,
        "seconds_since_1970": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    });
    let speed = backend.measure(&devices::clock())?;
    result["read_bytes_per_ns"] = json!(speed.read_bytes_per_ns);
    result["upload_bytes_per_ns"] = json!(speed.upload_bytes_per_ns);
    result["round_trip_us"] = json!(speed.round_trip_ns / 1e3);
    save(out, &result)?;

    eprintln!("suite ...");
    let report = testing::run(backend.as_ref(), &EXTENT, &[]);
    eprint!("{report}");
    result["suite"] = json!({ "answers": report.count(), "skipped": report.skipped });
    save(out, &result)?;

    eprintln!("sweep ...");
    let left = end.saturating_duration_since(Instant::now());
    let args = sweep::Args {
        device: name.clone(),
        rows: vec![100_000, 1_000_000, 10_000_000],
        dim: 768,
        elements: ["bf16", "f32", "f16", "i8", "binary"]
            .map(super::corpus::element)
            .into_iter()
            .collect::<Result<_, _>>()?,
        batches: sweep::BATCHES.to_vec(),
        k: 10,
        budget_ms: 200,
        seconds: left.as_secs() / 2,
    };
    result["sweep"] = json!(sweep::sweep(backend.as_ref(), &args)?);
    save(out, &result)?;
    drop(backend);

    eprintln!("turns ...");
    result["turns"] = compare(&name, turns, end.saturating_duration_since(Instant::now()));
    save(out, &result)
}

fn save(out: &Path, result: &Value) -> Result<(), Failure> {
    Ok(std::fs::write(out, serde_json::to_string_pretty(result)?)?)
}

/// What the script prints as JSON; why there is none otherwise.
fn compare(device: &str, turns: &Path, left: Duration) -> Value {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return json!({ "skipped": error.to_string() }),
    };
    let mut command = Command::new("python3");
    command.arg(turns).arg("--program").arg(program).args(["--device", device]);
    command.args(["--seconds", &left.as_secs().to_string()]);
    match command.stdin(Stdio::null()).stderr(Stdio::inherit()).output() {
        Ok(done) if done.status.success() => match serde_json::from_slice(&done.stdout) {
            Ok(value) => value,
            Err(error) => json!({ "skipped": format!("the script printed no JSON: {error}") }),
        },
        Ok(done) => json!({ "skipped": format!("the script ended with {}", done.status) }),
        Err(error) => json!({ "skipped": format!("python3 cannot be started: {error}") }),
    }
}
