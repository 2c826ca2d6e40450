//! What is printed, with and without devices.

use super::*;
use elanus::gpu::DeviceKind;

fn text(families: &[&str], devices: &[(Caps, Result<Speed, String>)]) -> String {
    let mut out = Vec::new();
    print(&mut out, families, devices).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn nothing_found_is_said_plainly() {
    assert_eq!(text(&["cuda", "wgpu"], &[]), "no device found (looked for cuda, wgpu); the CPU does the work\n");
    assert!(text(&[], &[]).contains("this build has no backend"));
    assert_eq!(run().map_err(|error| error.to_string()), Ok(()));
}

#[test]
fn a_device_is_told_with_its_limits_and_speeds() {
    let caps = Caps {
        kind: DeviceKind::Wgpu,
        ordinal: 1,
        name: "Card 7".to_owned(),
        driver: "Driver 5".to_owned(),
        memory_bytes: 8 << 30,
        budget_bytes: 6 << 30,
        pass_k: 64,
        limits: vec![("type", "cpu".to_owned())],
        cells: vec![],
    };
    let speed = Speed { read_bytes_per_ns: 100.25, upload_bytes_per_ns: 12.0, round_trip_ns: 55_000.0 };
    let told = text(&["wgpu"], &[(caps.clone(), Ok(speed)), (caps, Err("too old".to_owned()))]);
    for line in ["wgpu:1    Card 7", "memory         8192 MiB", "for rows       6144 MiB", "reads          100.2 GB/s"]
    {
        assert!(told.contains(line), "{line}: {told}");
    }
    for line in ["uploads        12.0 GB/s", "there and back 55 us", "cannot be used too old", "software"] {
        assert!(told.contains(line), "{line}: {told}");
    }
}
