//! Every text parses, validates with no more than it claims, and keeps to the limits that every device grants.
use naga::front::wgsl;
use naga::proc::Layouter;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Literal, Module, ShaderStage};

use super::{
    CAPACITY, CODE_LANES, CODE_PLACES, Codes, Element, HEAD_WORDS, INVOCATIONS, Instance, Program, TILE, Variant,
    instances, source,
};

/// What WebGPU lets any device have: bytes of workgroup memory, buffers that a program binds.
const WORKGROUP_BYTES_MAX: u32 = 16_384;
const STORAGE_BUFFERS_MAX: usize = 8;

fn parse(source: &str, variant: Variant) -> Result<Module, String> {
    let module = wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    // All that WebGPU requires unpacks binary16; a device that does not says so, and is not asked.
    let mut claimed = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    claimed.set(Capabilities::SUBGROUP, variant.subgroups);
    let mut validator = Validator::new(ValidationFlags::all(), claimed);
    if variant.subgroups {
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
    }
    validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok(module)
}

fn module(instance: Instance) -> Module {
    let text = source(instance.program, instance.element, instance.variant);
    parse(&text, instance.variant).unwrap_or_else(|error| panic!("{instance:?}: {error}"))
}

#[test]
fn texts_are_valid_and_have_their_entry_point() {
    for instance in instances() {
        let module = module(instance);
        let names: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, [instance.program.entry_point()], "{instance:?}");
        let entry = &module.entry_points[0];
        assert_eq!(entry.stage, ShaderStage::Compute, "{instance:?}");
        assert_eq!(entry.workgroup_size.iter().product::<u32>(), INVOCATIONS, "{instance:?}");
        let mut constants: Vec<&str> = module.overrides.iter().filter_map(|(_, one)| one.name.as_deref()).collect();
        constants.sort_unstable();
        let (program, mut want) = (instance.program, Vec::new());
        want.extend(program.has_metric().then_some("METRIC"));
        want.extend(program.has_planes().then_some("QUERY_WORDS"));
        want.extend(program.has_team().then_some("TEAM"));
        assert_eq!(constants, want, "{instance:?}");
    }
}

#[test]
fn memory_and_bindings_are_bounded() {
    for instance in instances() {
        let module = module(instance);
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).expect("valid");
        let shared = module.global_variables.iter().filter(|(_, one)| one.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, one)| layouter[one.ty].size).sum();
        assert!(bytes <= WORKGROUP_BYTES_MAX, "{instance:?}: {bytes} bytes");
        let stored =
            module.global_variables.iter().filter(|(_, one)| matches!(one.space, AddressSpace::Storage { .. }));
        assert!(stored.count() <= STORAGE_BUFFERS_MAX, "{instance:?}");
    }
}

#[test]
fn numbers_are_those_of_the_texts() {
    let constant = |program, name: &str| {
        let module = module(Instance { program, element: Element::F32, variant: Variant::default() });
        let found = module.constants.iter().find(|(_, one)| one.name.as_deref() == Some(name));
        let (_, found) = found.unwrap_or_else(|| panic!("a constant {name}"));
        module.global_expressions[found.init].clone()
    };
    assert_eq!(constant(Program::Tile, "TILE"), Expression::Literal(Literal::U32(TILE)));
    assert_eq!(constant(Program::Few(4), "QUERIES"), Expression::Literal(Literal::U32(4)));
    assert_eq!(constant(Program::Select, "CAPACITY"), Expression::Literal(Literal::U32(CAPACITY)));
    let scalar = Program::Codes(Codes::Sq8, 4);
    assert_eq!(constant(scalar, "QUERIES"), Expression::Literal(Literal::U32(4)));
    assert_eq!(constant(scalar, "LANES"), Expression::Literal(Literal::U32(CODE_LANES as u32)));
    assert_eq!(constant(scalar, "HEAD_WORDS"), Expression::Literal(Literal::U32(HEAD_WORDS as u32)));
    let text = source(scalar, Element::F32, Variant::default());
    assert!(text.contains(&format!("* {CODE_PLACES}u + seat")), "places of a workgroup");
    let text = source(Program::Select, Element::F32, Variant::default());
    assert_eq!(text.matches(&format!("array<u32, {CAPACITY}>")).count(), 2, "selection sorts all candidates");
}

#[test]
fn texts_are_distinct() {
    let all = instances();
    let texts: Vec<String> = all.iter().map(|one| source(one.program, one.element, one.variant)).collect();
    for (index, text) in texts.iter().enumerate() {
        assert!(!texts[..index].contains(text), "{:?} twice", all[index]);
    }
}

#[test]
fn a_wrong_text_or_one_that_claims_too_little_would_be_noticed() {
    let plain = Variant::default();
    let text = source(Program::Tile, Element::F32, plain);
    let wrong = text.replace("return sum;", "return true;");
    assert_ne!(wrong, text);
    assert!(parse(&wrong, plain).is_err());
    assert!(parse("@compute @workgroup_size(1) fn f() { undeclared(); }", plain).is_err());
    let subgroups = Variant { subgroups: true, ..plain };
    assert!(parse(&source(Program::Few(1), Element::F32, subgroups), plain).is_err());
}
