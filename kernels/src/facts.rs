//! What this CPU is, beyond the features that it announces.
use std::sync::OnceLock;

/// Facts that decide between versions of a kernel which the CPU can all run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// 512-bit registers are worked on in two halves (AMD family 19h, Zen 4), so wide arithmetic alone wins nothing.
    pub split_512: bool,
}

/// The facts of this CPU, read once.
pub fn get() -> Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    *FACTS.get_or_init(read)
}

#[cfg(target_arch = "x86_64")]
fn read() -> Facts {
    use std::arch::x86_64::__cpuid;
    let vendor = __cpuid(0);
    // "AuthenticAMD", in the order in which the registers hold it.
    let amd = (vendor.ebx, vendor.edx, vendor.ecx) == (0x6874_7541, 0x6974_6e65, 0x444d_4163);
    let version = if vendor.eax >= 1 { __cpuid(1).eax } else { 0 };
    Facts { split_512: amd && family(version) == 0x19 }
}

/// The family in a version word: the base family, and the extended one where the base is full.
#[cfg(target_arch = "x86_64")]
const fn family(version: u32) -> u32 {
    let base = (version >> 8) & 0xf;
    if base == 0xf { base + ((version >> 20) & 0xff) } else { base }
}

#[cfg(not(target_arch = "x86_64"))]
fn read() -> Facts {
    Facts { split_512: false }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::family;

    #[test]
    fn families_are_read_as_the_manuals_write_them() {
        assert_eq!(family(0x00a1_0f11), 0x19, "Zen 4, Genoa");
        assert_eq!(family(0x00b0_0f21), 0x1a, "Zen 5, Turin");
        assert_eq!(family(0x0008_06f8), 0x6, "Sapphire Rapids");
    }
}
