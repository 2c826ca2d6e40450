//! The programs for every maker's cards, as text in WGSL.
//!
//! A program is composed of small parts: what all share, the arithmetic of an element type or of codes, and the program
//! itself.
//! What differs otherwise (the metric, the size of a team) is a constant that is set when a pipeline is made.
//!
//! ```
//! use elanus_shaders::wgsl::{Element, Program, Variant, source};
//!
//! let text = source(Program::Tile, Element::F32, Variant::default());
//! assert!(text.contains(&format!("fn {}(", Program::Tile.entry_point())));
//! ```

/// Candidates of a query that there is room for; [`Program::Select`] sorts so many at once.
pub const CAPACITY: u32 = 2048;

/// Invocations of a workgroup, in every program.
pub const INVOCATIONS: u32 = 256;

/// Places and queries that a workgroup of [`Program::Tile`], [`Program::Keys`] and [`Program::Nearest`] covers.
pub const TILE: u32 = 64;

/// Rows that a team of [`Program::Few`] compares at a time.
pub const TEAM_ROWS: u32 = 4;

/// Numbers of queries that [`Program::Few`] is written for.
pub const FEW: &[u32] = &[1, 4, 8];

/// Bytes of a group of four words, which rows and queries are padded to.
pub const GROUP_BYTES: usize = 16;

/// Rows of codes that lie side by side, word by word: word `w` of row `r` is number
/// `r / CODE_LANES * CODE_LANES * row_words + CODE_LANES * w + r % CODE_LANES`. The factors of a row follow its codes.
pub const CODE_LANES: usize = 16;

/// Places that a workgroup of [`Program::Codes`] covers.
pub const CODE_PLACES: u32 = 1024;

/// Words of what a key over codes needs of a query beside the sum over the codes.
pub const HEAD_WORDS: usize = 12;

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Offers rows to so many queries at most, one of [`FEW`]: reads each row once.
    Few(u32),
    /// Offers rows to any number of queries, in tiles.
    Tile,
    /// Stores the key of each query with each row.
    Keys,
    /// Finds the nearest row of each query.
    Nearest,
    /// Selects the smallest candidates of each query. It knows nothing of elements.
    Select,
    /// Computes what keys need of each row alone.
    Squares,
    /// Offers rows of codes to so many queries at most, one of [`Codes::few`]: reads each row once. It knows nothing of
    /// elements.
    Codes(Codes, u32),
}

/// Codes, and how queries for them lie; the heads of queries are described in the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codes {
    /// Scalar codes of eight bits, four in a word; a word of a query has four signed bytes.
    Sq8,
    /// Scalar codes of six bits, sixteen in three words: two of the lower four bits, as [`Codes::Sq4`] has them, then
    /// one of the upper two, those of four components in each field of two bits. Queries as for [`Codes::Sq8`].
    Sq6,
    /// Scalar codes of four bits, eight in a word: the first four in the lower halves of its bytes. Queries as for
    /// [`Codes::Sq8`].
    Sq4,
    /// Product codes of four bits, eight in a word as in [`Codes::Sq4`]. Four queries lie together: for each code, in
    /// the order from the lowest bits of a word, sixteen words with a byte of each query's table.
    Pq4,
    /// Signs, 32 in a word. For each word a query has as many words as planes, that of the lowest bits first.
    RaBitQ,
}

/// Every kind of codes.
pub const CODES: &[Codes] = &[Codes::Sq8, Codes::Sq6, Codes::Sq4, Codes::Pq4, Codes::RaBitQ];

impl Codes {
    /// Numbers of queries that [`Program::Codes`] is written for.
    pub const fn few(self) -> &'static [u32] {
        match self {
            Self::Sq8 | Self::Sq6 | Self::Sq4 | Self::RaBitQ => FEW,
            Self::Pq4 => &[4, 8],
        }
    }

    const fn is_scalar(self) -> bool {
        matches!(self, Self::Sq8 | Self::Sq6 | Self::Sq4)
    }
}

/// The type of a row's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// Binary32.
    F32,
    /// Binary16.
    F16,
    /// bf16.
    Bf16,
    /// Signed bytes.
    I8,
    /// Unsigned bytes.
    U8,
    /// Numbers of four bits, two in a byte.
    U4,
    /// Bits.
    Binary,
}

/// Every element type.
pub const ELEMENTS: &[Element] =
    &[Element::F32, Element::F16, Element::Bf16, Element::I8, Element::U8, Element::U4, Element::Binary];

/// What a device has beyond the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Variant {
    /// Subgroups, through which invocations add up.
    pub subgroups: bool,
    /// Four products of bytes in an instruction.
    pub packed_dot: bool,
}

/// One text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance {
    /// What it does.
    pub program: Program,
    /// To which elements.
    pub element: Element,
    /// With what.
    pub variant: Variant,
}

impl Program {
    /// The compute entry point.
    pub const fn entry_point(self) -> &'static str {
        match self {
            Self::Few(_) | Self::Tile | Self::Keys | Self::Codes(..) => "scan",
            Self::Nearest => "assign",
            Self::Select => "smallest",
            Self::Squares => "squares",
        }
    }

    /// Whether the metric is one of its constants, by the name `METRIC`.
    pub const fn has_metric(self) -> bool {
        !matches!(self, Self::Select | Self::Codes(..))
    }

    /// Whether the size of a team is one of its constants, by the name `TEAM`.
    pub const fn has_team(self) -> bool {
        matches!(self, Self::Few(_))
    }

    /// Whether the number of a query's planes is one of its constants, by the name `QUERY_WORDS`.
    pub const fn has_planes(self) -> bool {
        matches!(self, Self::Codes(Codes::RaBitQ, _))
    }

    /// Whether it depends on an element type.
    pub const fn has_element(self) -> bool {
        !matches!(self, Self::Select | Self::Codes(..))
    }

    const fn uses_rows(self) -> bool {
        !matches!(self, Self::Select | Self::Squares | Self::Codes(..))
    }

    const fn uses_tiles(self) -> bool {
        matches!(self, Self::Tile | Self::Keys | Self::Nearest)
    }
}

impl Element {
    const fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::U8 | Self::U4)
    }
}

/// The whole text of a program.
///
/// Binary16 is unpacked to binary32, which takes no more than a type of its own would: sums of products in binary16
/// would be too far off to be keys.
pub fn source(program: Program, element: Element, variant: Variant) -> String {
    let mut text = include_str!("wgsl/part/common.wgsl").to_owned();
    text.push_str(&format!("\nconst CAPACITY: u32 = {CAPACITY}u;\n"));
    let mut add = |part: &str| {
        text.push('\n');
        text.push_str(part);
    };
    if program.has_element() {
        arithmetic(element, variant, &mut add);
    }
    if program.uses_rows() || matches!(program, Program::Codes(..)) {
        add(include_str!("wgsl/part/places.wgsl"));
    }
    if program.uses_rows() {
        add(include_str!("wgsl/part/rows.wgsl"));
    }
    if program.uses_tiles() {
        add(include_str!("wgsl/part/tile.wgsl"));
    }
    if matches!(program, Program::Few(_) | Program::Tile | Program::Select | Program::Codes(..)) {
        add(include_str!("wgsl/part/candidates.wgsl"));
    }
    match program {
        Program::Few(queries) => {
            add(&format!("const QUERIES: u32 = {queries}u;\n"));
            add(include_str!("wgsl/part/offer_candidates.wgsl"));
            add(if variant.subgroups {
                include_str!("wgsl/program/team_subgroup.wgsl")
            } else {
                include_str!("wgsl/program/team_shared.wgsl")
            });
            add(include_str!("wgsl/program/few.wgsl"));
        }
        Program::Tile => {
            add(include_str!("wgsl/part/offer_candidates.wgsl"));
            add(include_str!("wgsl/program/tile.wgsl"));
        }
        Program::Keys => {
            add(include_str!("wgsl/part/offer_keys.wgsl"));
            add(include_str!("wgsl/program/tile.wgsl"));
        }
        Program::Nearest => add(include_str!("wgsl/program/nearest.wgsl")),
        Program::Select => add(include_str!("wgsl/program/select.wgsl")),
        Program::Squares => add(include_str!("wgsl/program/squares.wgsl")),
        Program::Codes(codes, queries) => {
            add(&format!("const QUERIES: u32 = {queries}u;\n"));
            add(include_str!("wgsl/part/offer_candidates.wgsl"));
            code_arithmetic(codes, variant, &mut add);
            add(include_str!("wgsl/program/codes.wgsl"));
        }
    }
    text
}

/// The parts that say how codes and queries are read, and how sums and keys come of them.
fn code_arithmetic(codes: Codes, variant: Variant, add: &mut dyn FnMut(&str)) {
    add(include_str!("wgsl/part/codes.wgsl"));
    if codes.is_scalar() {
        add(if variant.packed_dot {
            include_str!("wgsl/element/i8_packed.wgsl")
        } else {
            include_str!("wgsl/element/i8_plain.wgsl")
        });
        add(include_str!("wgsl/codes/sq.wgsl"));
    }
    add(match codes {
        Codes::Sq8 => include_str!("wgsl/codes/sq8.wgsl"),
        Codes::Sq6 => include_str!("wgsl/codes/sq6.wgsl"),
        Codes::Sq4 => include_str!("wgsl/codes/sq4.wgsl"),
        Codes::Pq4 => include_str!("wgsl/codes/pq4.wgsl"),
        Codes::RaBitQ => include_str!("wgsl/codes/rabitq.wgsl"),
    });
    add(if codes == Codes::Pq4 {
        include_str!("wgsl/codes/sums_tables.wgsl")
    } else {
        include_str!("wgsl/codes/sums_products.wgsl")
    });
}

/// The parts that say how components are read, and how sums and keys come of them.
fn arithmetic(element: Element, variant: Variant, add: &mut dyn FnMut(&str)) {
    if element == Element::Binary {
        add(include_str!("wgsl/element/binary.wgsl"));
        return;
    }
    add(include_str!("wgsl/part/cosine.wgsl"));
    add(if element.is_integer() {
        include_str!("wgsl/part/key_integer.wgsl")
    } else {
        include_str!("wgsl/part/key_float.wgsl")
    });
    add(match (element, variant) {
        (Element::F16, _) => include_str!("wgsl/element/f16.wgsl"),
        (Element::Bf16, _) => include_str!("wgsl/element/bf16.wgsl"),
        (Element::I8, Variant { packed_dot: true, .. }) => include_str!("wgsl/element/i8_packed.wgsl"),
        (Element::I8, _) => include_str!("wgsl/element/i8_plain.wgsl"),
        (Element::U8 | Element::U4, Variant { packed_dot: true, .. }) => include_str!("wgsl/element/u8_packed.wgsl"),
        (Element::U8 | Element::U4, _) => include_str!("wgsl/element/u8_plain.wgsl"),
        (Element::F32 | Element::Binary, _) => include_str!("wgsl/element/f32.wgsl"),
    });
    match element {
        Element::U8 => add(include_str!("wgsl/element/u8.wgsl")),
        Element::U4 => add(include_str!("wgsl/element/u4.wgsl")),
        Element::F32 | Element::F16 | Element::Bf16 | Element::I8 | Element::Binary => {}
    }
}

/// Every text that there is: each program for each element, once for each set of device features that changes it.
pub fn instances() -> Vec<Instance> {
    let few = FEW.iter().map(|queries| Program::Few(*queries));
    let others = [Program::Tile, Program::Keys, Program::Nearest, Program::Squares];
    let programs: Vec<Program> = few.chain(others).collect();
    let mut all = vec![Instance { program: Program::Select, element: Element::F32, variant: Variant::default() }];
    for &element in ELEMENTS {
        for &program in &programs {
            let subgroups = if program.has_team() { &[false, true][..] } else { &[false] };
            let packed = if element.is_integer() { &[false, true][..] } else { &[false] };
            for &subgroups in subgroups {
                let variants = packed.iter().map(|&packed_dot| Variant { subgroups, packed_dot });
                all.extend(variants.map(|variant| Instance { program, element, variant }));
            }
        }
    }
    for &codes in CODES {
        let packed = if codes.is_scalar() { &[false, true][..] } else { &[false] };
        for &queries in codes.few() {
            let variants = packed.iter().map(|&packed_dot| Variant { subgroups: false, packed_dot });
            let program = Program::Codes(codes, queries);
            all.extend(variants.map(|variant| Instance { program, element: Element::F32, variant }));
        }
    }
    all
}

#[cfg(test)]
mod tests;
