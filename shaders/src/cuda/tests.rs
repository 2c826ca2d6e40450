//! The table of entry points is that of the texts.
use super::{ENTRIES, PROGRAMS, entry, program};

#[test]
fn every_entry_point_is_in_its_program() {
    for entry in ENTRIES {
        let program = program(entry.program).unwrap_or_else(|| panic!("{}: no such program", entry.name));
        assert!(program.source.contains(&format!("ENTRY({}, ", entry.name)), "{}: not in the text", entry.name);
        assert!(program.ptx.contains(&format!(".entry {}(", entry.name)), "{}: not compiled", entry.name);
        assert!(entry.threads.is_multiple_of(32) && entry.threads <= 1024, "{}", entry.name);
        // What every card of the least kind gives a block, and its registers.
        assert!(entry.shared_bytes <= 99 << 10, "{}: {} bytes", entry.name, entry.shared_bytes);
        let registers = entry.registers * entry.threads * entry.resident_blocks;
        assert!(registers <= 65_536, "{}: {registers} registers", entry.name);
    }
    for program in PROGRAMS {
        let entries = ENTRIES.iter().filter(|entry| entry.program == program.name).count();
        assert_eq!(program.ptx.matches(".entry ").count(), entries, "{}", program.name);
        assert_eq!(program.source.matches("\nENTRY(").count(), entries, "{}", program.name);
    }
}

#[test]
fn texts_stand_for_themselves() {
    for program in PROGRAMS {
        let lines: Vec<&str> = program.source.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#include")) {
            // Left out, since what it includes stands above.
            let guard = lines[at - 1].strip_prefix("#ifndef ").unwrap_or_else(|| panic!("{}: {line}", program.name));
            let above = lines[..at].contains(&format!("#define {guard}").as_str());
            assert!(above, "{}: {line} comes too late", program.name);
        }
    }
}

#[test]
fn names_are_found() {
    assert_eq!(entry("select").map(|entry| entry.program), Some("select"));
    assert_eq!(entry("scan"), None);
    assert_eq!(program("scan_few").map(|program| program.name), Some("scan_few"));
    assert_eq!(program("scan"), None);
}
