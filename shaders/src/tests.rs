//! Every program parses, validates, keeps to the limits every device grants, and has the entry points listed.

use naga::front::wgsl;
use naga::proc::Layouter;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Literal, Module, ShaderStage};

use super::{PROGRAMS, SCAN_TILE, find};

/// What WebGPU lets any device have: invocations in a workgroup, bytes of workgroup memory.
const INVOCATIONS_MAX: u32 = 256;
const WORKGROUP_BYTES_MAX: u32 = 16_384;

fn parse(source: &str) -> Result<Module, String> {
    let module = wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok(module)
}

#[test]
fn programs_are_valid_and_have_the_listed_entry_points() {
    assert!(!PROGRAMS.is_empty());
    for program in PROGRAMS {
        let module = parse(program.source).unwrap_or_else(|e| panic!("{}: {e}", program.name));
        let names: Vec<&str> = module.entry_points.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, program.entry_points, "{}", program.name);
        for entry in &module.entry_points {
            assert_eq!(entry.stage, ShaderStage::Compute, "{}", entry.name);
            let invocations: u32 = entry.workgroup_size.iter().product();
            assert!(invocations <= INVOCATIONS_MAX, "{}: {invocations} invocations", entry.name);
        }
    }
}

#[test]
fn workgroup_memory_is_bounded() {
    for program in PROGRAMS {
        let module = parse(program.source).expect("valid");
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).expect("valid");
        let shared = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, v)| layouter[v.ty].size).sum();
        assert!(bytes <= WORKGROUP_BYTES_MAX, "{}: {bytes} bytes", program.name);
    }
}

#[test]
fn the_tile_of_scan_is_the_one_in_its_text() {
    let module = parse(find("scan").expect("listed").source).expect("valid");
    let (_, tile) = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some("TILE")).expect("a constant TILE");
    assert_eq!(module.global_expressions[tile.init], Expression::Literal(Literal::U32(SCAN_TILE)));
}

#[test]
fn names_are_distinct_and_found() {
    for (index, program) in PROGRAMS.iter().enumerate() {
        assert!(PROGRAMS[..index].iter().all(|p| p.name != program.name), "{}", program.name);
        assert_eq!(find(program.name), Some(program));
    }
    assert_eq!(find("nothing"), None);
}

#[test]
fn a_wrong_program_would_be_noticed() {
    let source = find("scan").expect("listed").source;
    let wrong_type = source.replace("return -sum;", "return true;");
    assert_ne!(wrong_type, source);
    assert!(parse(&wrong_type).is_err());
    assert!(parse("@compute @workgroup_size(1) fn f() { undeclared(); }").is_err());
}
