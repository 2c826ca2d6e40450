//! Random vectors that are quick to make, and vectors from files.
use std::{path::Path, thread};

use elanus_kernels::rng::Rng;
use elanus_kernels::{AnyRows, Bf16, Binary, ElementType, F16, Rows};

use super::Failure;

/// Vectors of an element type that is known at run time, as bytes.
pub(crate) struct Corpus {
    words: Vec<u64>,
    bytes: usize,
    element: ElementType,
    dim: usize,
}

impl Corpus {
    /// `rows` random vectors: numbers of both signs between a half and two in magnitude, bytes and bits of any value.
    /// `dim` counts components.
    pub(crate) fn random(element: ElementType, rows: usize, dim: usize, seed: u64) -> Self {
        let dim = dim / element.components();
        let bytes = rows * dim * element.size_bytes();
        let mut words = vec![0_u64; bytes.div_ceil(8)];
        // What stays free: the sign, the last bit of the exponent, the mantissa.
        let (fixed, free): (u64, u64) = match element {
            ElementType::F32 => (0x3f00_0000_3f00_0000, 0x80ff_ffff_80ff_ffff),
            ElementType::F16 => (0x3800_3800_3800_3800, 0x87ff_87ff_87ff_87ff),
            ElementType::Bf16 => (0x3f00_3f00_3f00_3f00, 0x80ff_80ff_80ff_80ff),
            ElementType::I8 | ElementType::U8 | ElementType::U4 | ElementType::Binary => (0, u64::MAX),
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let part = words.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            for (number, part) in words.chunks_mut(part).enumerate() {
                scope.spawn(move || {
                    let mut rng = Rng::new(seed.wrapping_add(number as u64) << 8);
                    part.iter_mut().for_each(|word| *word = fixed | (rng.next_u64() & free));
                });
            }
        });
        Self { words, bytes, element, dim }
    }

    /// The vectors of a file that holds nothing else.
    pub(crate) fn read(path: &Path, element: ElementType, dim: usize) -> Result<Self, Failure> {
        use std::io::Read;
        let dim = dim / element.components();
        let mut file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let bytes = usize::try_from(file.metadata()?.len())?;
        let mut words = vec![0_u64; bytes.div_ceil(8)];
        file.read_exact(&mut bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes])?;
        Ok(Self { words, bytes, element, dim })
    }

    /// The vectors.
    pub(crate) fn rows(&self) -> Result<AnyRows<'_>, Failure> {
        let bytes = &bytemuck::cast_slice::<u64, u8>(&self.words)[..self.bytes];
        Ok(match self.element {
            ElementType::F32 => Rows::new(typed::<f32>(bytes)?, self.dim)?.into(),
            ElementType::F16 => Rows::new(F16::from_bits_slice(typed(bytes)?), self.dim)?.into(),
            ElementType::Bf16 => Rows::new(Bf16::from_bits_slice(typed(bytes)?), self.dim)?.into(),
            ElementType::I8 => Rows::new(bytemuck::cast_slice::<u8, i8>(bytes), self.dim)?.into(),
            ElementType::Binary => Rows::new(Binary::from_bytes_slice(bytes), self.dim)?.into(),
            ElementType::U8 | ElementType::U4 => return Err(format!("no device takes {}", self.element).into()),
        })
    }
}

fn typed<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T], Failure> {
    bytemuck::try_cast_slice(bytes)
        .map_err(|error| format!("{} bytes are no whole values: {error}", bytes.len()).into())
}

/// An element type by its name.
pub(crate) fn element(name: &str) -> Result<ElementType, String> {
    let known = [ElementType::F32, ElementType::F16, ElementType::Bf16, ElementType::I8, ElementType::Binary];
    let found = known.into_iter().find(|one| one.name() == name);
    found.ok_or_else(|| format!("no element type {name}; there are {}", known.map(|one| one.name()).join(", ")))
}
