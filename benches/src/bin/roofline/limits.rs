//! What this machine can do at most, measured: reads from each level of memory, and the arithmetic that kernels live on.
use std::{hint::black_box, time::Duration};

use crate::clock::least;

/// What a kernel spends, beside reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// Multiply-adds of f32.
    Fma,
    /// Differences and multiply-adds of f32.
    Gap,
    /// Two multiply-adds of f32.
    Twice,
    /// Conversions of f16 to f32, and multiply-adds.
    HalfFma,
    /// Conversions of f16, differences and multiply-adds.
    HalfGap,
    /// Conversions of f16 and two multiply-adds.
    HalfTwice,
    /// Products of bf16.
    Bf16,
    /// Bf16 widened by a mask, differences and multiply-adds.
    Bf16Gap,
    /// Products of bytes.
    Bytes,
    /// Products of signed bytes, and the squares of one of them.
    BytesSquared,
    /// Counted bits, in bytes.
    Popcount,
    /// Look-ups of four bits in tables of bytes, and their sums.
    Lookup,
}

/// Where rows are read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// First-level cache.
    L1,
    /// Second-level cache.
    L2,
    /// Third-level cache.
    L3,
    /// Memory.
    Memory,
}

/// Every level and how many bytes surely lie in it, and in none before.
pub(crate) const LEVELS: [(Level, &str, usize); 4] = [
    (Level::L1, "L1", 36 << 10),
    (Level::L2, "L2", 512 << 10),
    (Level::L3, "L3", 6 << 20),
    (Level::Memory, "memory", 1 << 30),
];

/// The machine's limits. Rates are in units (bytes, or components) per nanosecond.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) gigahertz: f64,
    reads: Vec<(Level, &'static str, f64)>,
    work: Vec<(Work, &'static str, f64)>,
}

impl Limits {
    pub(crate) fn measure(budget: Duration) -> Self {
        let reads = LEVELS.map(|(level, name, bytes)| (level, name, read_rate(bytes, budget)));
        Self { gigahertz: arch::gigahertz(budget), reads: reads.to_vec(), work: arch::work(budget) }
    }

    /// Bytes per nanosecond from a level.
    pub(crate) fn reads(&self, level: Level) -> f64 {
        self.reads.iter().find(|(of, ..)| *of == level).map_or(f64::INFINITY, |(.., rate)| *rate)
    }

    /// Components per nanosecond; without bound where this machine has no instruction of the kind.
    pub(crate) fn work(&self, work: Work) -> f64 {
        self.work.iter().find(|(of, ..)| *of == work).map_or(f64::INFINITY, |(.., rate)| *rate)
    }

    pub(crate) fn print(&self) {
        println!("| limit | per ns | per cycle at {:.2} GHz |", self.gigahertz);
        println!("|---|---|---|");
        for (_, name, rate) in &self.reads {
            println!("| read from {name}, bytes | {rate:.1} | {:.1} |", rate / self.gigahertz);
        }
        for (_, name, rate) in &self.work {
            println!("| {name} | {rate:.1} | {:.1} |", rate / self.gigahertz);
        }
    }
}

/// Reads bytes from start to end.
pub(crate) fn touch(bytes: &[u8]) {
    // SAFETY: any eight bytes are a number.
    let (_, words, _) = unsafe { bytes.align_to::<u64>() };
    black_box(arch::read(words));
}

/// Buffers of which the one that is read fastest counts. Its pages are wherever the system puts them, and where more
/// of them than others fall on the same sets of the second-level cache, it does not fit in there: one buffer in three
/// or four reads up to a tenth slower.
const BUFFERS: usize = 6;

/// Bytes per nanosecond when a buffer is read from start to end again and again.
fn read_rate(bytes: usize, budget: Duration) -> f64 {
    let count = if bytes > 1 << 20 { 1 } else { BUFFERS };
    // Written once, so that every page is memory of its own.
    let buffers: Vec<Vec<u64>> = (0..count).map(|_| (0..bytes as u64 / 8 + 8).collect()).collect();
    let passes = (16 << 10 << 4) / bytes.min(16 << 10 << 4);
    let mut calls: Vec<_> = buffers
        .iter()
        .map(|buffer| {
            let aligned = buffer.as_ptr().align_offset(64);
            let lines = &buffer[aligned..][..bytes / 8];
            move || {
                for _ in 0..passes.max(1) {
                    black_box(arch::read(black_box(lines)));
                }
            }
        })
        .collect();
    let budget = if bytes > 1 << 24 { budget * 8 } else { budget };
    // One after another: turns would send each buffer out of the caches before it is read again.
    let times = calls.iter_mut().map(|call| least(&mut [call], budget)[0]);
    bytes as f64 * passes.max(1) as f64 / times.fold(f64::INFINITY, f64::min)
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::{arch::asm, arch::is_x86_feature_detected as has, arch::x86_64::*, time::Duration};

    use super::Work;
    use crate::clock::least;

    /// Sums a buffer of a multiple of 512 bytes, so that every load counts.
    pub(super) fn read(words: &[u64]) -> u64 {
        // SAFETY: each is called where the CPU has what it is compiled for.
        unsafe {
            if has!("avx512f") {
                read_512(words)
            } else if has!("avx2") {
                read_256(words)
            } else {
                words.iter().sum()
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn read_512(words: &[u64]) -> u64 {
        let mut sums = [_mm512_setzero_si512(); 8];
        for block in words.chunks_exact(64) {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: within the block of 64 words.
                *sum = _mm512_or_si512(*sum, unsafe { _mm512_loadu_si512(block.as_ptr().add(8 * i).cast()) });
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = _mm512_or_si512(all, *sum);
        }
        _mm512_reduce_or_epi64(all).cast_unsigned()
    }

    #[target_feature(enable = "avx2")]
    unsafe fn read_256(words: &[u64]) -> u64 {
        let mut sums = [_mm256_setzero_si256(); 8];
        for block in words.chunks_exact(32) {
            for (i, sum) in sums.iter_mut().enumerate() {
                // SAFETY: within the block of 32 words.
                *sum = _mm256_or_si256(*sum, unsafe { _mm256_loadu_si256(block.as_ptr().add(4 * i).cast()) });
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = _mm256_or_si256(all, *sum);
        }
        _mm256_extract_epi64::<0>(all).cast_unsigned()
    }

    /// Steps of a chain of additions of which each waits for the one before: one a cycle.
    pub(super) fn gigahertz(budget: Duration) -> f64 {
        let mut chain = || {
            // SAFETY: adds to a register and counts another down.
            unsafe {
                asm!(
                    "2:", "add {x}, 1", "add {x}, 1", "add {x}, 1", "add {x}, 1", "add {x}, 1", "add {x}, 1",
                    "add {x}, 1", "add {x}, 1", "dec {n}", "jnz 2b",
                    x = inout(reg) 0u64 => _, n = inout(reg) 500u64 => _, options(nomem, nostack),
                );
            }
        };
        4000.0 / least(&mut [&mut chain], budget)[0]
    }

    /// Times an instruction on twelve registers in turn, so that no result is waited for; per nanosecond.
    macro_rules! rate {
        ($budget:expr, $instruction:literal, $register:literal, $source:literal) => {{
            let mut call = || {
                // SAFETY: works on vector registers alone, which are declared lost.
                unsafe {
                    asm!(
                        "2:",
                        concat!($instruction, " ", $register, "0, ", $source),
                        concat!($instruction, " ", $register, "1, ", $source),
                        concat!($instruction, " ", $register, "2, ", $source),
                        concat!($instruction, " ", $register, "3, ", $source),
                        concat!($instruction, " ", $register, "4, ", $source),
                        concat!($instruction, " ", $register, "5, ", $source),
                        concat!($instruction, " ", $register, "6, ", $source),
                        concat!($instruction, " ", $register, "7, ", $source),
                        concat!($instruction, " ", $register, "8, ", $source),
                        concat!($instruction, " ", $register, "9, ", $source),
                        concat!($instruction, " ", $register, "10, ", $source),
                        concat!($instruction, " ", $register, "11, ", $source),
                        "dec {n}", "jnz 2b",
                        n = inout(reg) 500u64 => _,
                        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                        out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        out("xmm12") _, out("xmm13") _,
                        options(nomem, nostack),
                    );
                }
            };
            6000.0 / least(&mut [&mut call], $budget)[0]
        }};
    }

    /// Times a mix of instructions on twelve sums in turn; mixes per nanosecond. `$mix` makes the text of one from the
    /// numbers of its sum and of a register for what comes before the sum.
    macro_rules! mix {
        ($budget:expr, $mix:ident) => {{
            let mut call = || {
                // SAFETY: works on vector registers alone, which are declared lost.
                unsafe {
                    asm!(
                        "2:",
                        $mix!("0", "14"), $mix!("1", "15"), $mix!("2", "14"), $mix!("3", "15"),
                        $mix!("4", "14"), $mix!("5", "15"), $mix!("6", "14"), $mix!("7", "15"),
                        $mix!("8", "14"), $mix!("9", "15"), $mix!("10", "14"), $mix!("11", "15"),
                        "dec {n}", "jnz 2b",
                        n = inout(reg) 500u64 => _,
                        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                        out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                        options(nomem, nostack),
                    );
                }
            };
            6000.0 / least(&mut [&mut call], $budget)[0]
        }};
    }

    macro_rules! gap {
        ($sum:literal, $free:literal) => {
            concat!("vsubps zmm", $free, ", zmm12, zmm13\nvfmadd231ps zmm", $sum, ", zmm", $free, ", zmm", $free)
        };
    }
    macro_rules! half {
        ($sum:literal, $free:literal) => {
            concat!("vcvtph2ps zmm", $free, ", ymm12\nvfmadd231ps zmm", $sum, ", zmm", $free, ", zmm13")
        };
    }
    macro_rules! half_gap {
        ($sum:literal, $free:literal) => {
            concat!(
                "vcvtph2ps zmm",
                $free,
                ", ymm12\nvsubps zmm",
                $free,
                ", zmm",
                $free,
                ", zmm13\nvfmadd231ps zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm",
                $free
            )
        };
    }
    macro_rules! half_twice {
        ($sum:literal, $free:literal) => {
            concat!(
                "vcvtph2ps zmm",
                $free,
                ", ymm12\nvfmadd231ps zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm13\nvfmadd231ps zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm",
                $free
            )
        };
    }
    macro_rules! bf16_gap {
        ($sum:literal, $free:literal) => {
            concat!(
                "vpandd zmm",
                $free,
                ", zmm12, zmm13\nvsubps zmm",
                $free,
                ", zmm",
                $free,
                ", zmm13\nvfmadd231ps zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm",
                $free
            )
        };
    }

    /// A product with a signed register turned to an unsigned one, and its squares as products of its magnitude with
    /// minus that.
    macro_rules! squared {
        ($sum:literal, $free:literal) => {
            concat!(
                "vpxord zmm14, zmm12, zmm13\nvpdpbusd zmm",
                $sum,
                ", zmm14, zmm13\nvpabsb zmm14, zmm12\nvpsubb zmm15, zmm13, zmm14\nvpdpbusd zmm",
                $sum,
                ", zmm14, zmm15"
            )
        };
    }

    /// Takes the nibbles of a register apart, looks both halves up and adds: 128 look-ups.
    macro_rules! lookup {
        ($sum:literal, $free:literal) => {
            concat!(
                "vpsrld zmm",
                $free,
                ", zmm12, 4\nvpternlogd zmm",
                $free,
                ", zmm12, zmm13, 0xea\nvpermb zmm",
                $free,
                ", zmm",
                $free,
                ", zmm13\nvpdpbusd zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm13\nvpandd zmm",
                $free,
                ", zmm12, zmm13\nvpermb zmm",
                $free,
                ", zmm",
                $free,
                ", zmm13\nvpdpbusd zmm",
                $sum,
                ", zmm",
                $free,
                ", zmm13"
            )
        };
    }

    /// The best rate of each kind of work on this CPU.
    pub(super) fn work(budget: Duration) -> Vec<(Work, &'static str, f64)> {
        let mut found = Vec::new();
        if has!("avx512f") {
            let fma = 16.0 * rate!(budget, "vfmadd231ps", "zmm", "zmm12, zmm13");
            found.push((Work::Fma, "multiply-adds of f32", fma));
            found.push((Work::Twice, "pairs of multiply-adds", fma / 2.0));
            found.push((Work::Gap, "difference, multiply-add", 16.0 * mix!(budget, gap)));
            found.push((Work::HalfFma, "f16 conversion, multiply-add", 16.0 * mix!(budget, half)));
            found.push((Work::HalfGap, "f16 conversion, difference, multiply-add", 16.0 * mix!(budget, half_gap)));
            found.push((Work::HalfTwice, "f16 conversion, two multiply-adds", 16.0 * mix!(budget, half_twice)));
            found.push((Work::Bf16Gap, "bf16 widening, difference, multiply-add", 16.0 * mix!(budget, bf16_gap)));
        } else if has!("fma") {
            found.push((Work::Fma, "multiply-adds of f32", 8.0 * rate!(budget, "vfmadd231ps", "ymm", "ymm12, ymm13")));
        }
        if has!("avx512bf16") {
            found.push((Work::Bf16, "products of bf16", 32.0 * rate!(budget, "vdpbf16ps", "zmm", "zmm12, zmm13")));
        }
        if has!("avx512vnni") {
            found.push((Work::Bytes, "products of bytes", 64.0 * rate!(budget, "vpdpbusd", "zmm", "zmm12, zmm13")));
            found.push((Work::BytesSquared, "products of signed bytes, and squares", 64.0 * mix!(budget, squared)));
        } else if has!("avx2") {
            found.push((Work::Bytes, "products of bytes", 16.0 * rate!(budget, "vpmaddwd", "ymm", "ymm12, ymm13")));
        }
        if has!("avx512vbmi") && has!("avx512vnni") {
            found.push((Work::Lookup, "look-ups of four bits, with sums", 128.0 * mix!(budget, lookup)));
        }
        if has!("avx512vpopcntdq") {
            found.push((Work::Popcount, "bytes of counted bits", 64.0 * rate!(budget, "vpopcntq", "zmm", "zmm12")));
        }
        found
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod arch {
    use std::{hint::black_box, time::Duration};

    use super::Work;
    use crate::clock::least;

    pub(super) fn read(words: &[u64]) -> u64 {
        words.iter().fold(0, |all, word| all | word)
    }

    pub(super) fn gigahertz(budget: Duration) -> f64 {
        let mut chain = || {
            let mut sum = 0u64;
            for _ in 0..4000 {
                sum = black_box(sum + 1);
            }
        };
        4000.0 / least(&mut [&mut chain], budget)[0]
    }

    pub(super) fn work(_budget: Duration) -> Vec<(Work, &'static str, f64)> {
        Vec::new()
    }
}
