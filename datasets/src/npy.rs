//! npy: a magic, a version, a header that is a Python dictionary, then the array's bytes.
//!
//! The header's grammar is three known keys with a string, a truth value and a tuple of numbers, so it is parsed
//! here, in constant stack and with a bound on its length; general readers of Python literals recurse without limit.

#[cfg(test)]
mod tests;

use elanus_kernels::F16;

use crate::error::{Problem, ReadError};
use crate::file::Input;
use crate::matrix::{ByteOrder, Scalar, Values};

/// The longest header read: the most that version 1 can say, and far more than three keys need.
const MAX_HEADER: usize = 1 << 16;

const KNOWN: &str = "f2, f4, f8, u1, u4, i1, i2, i4, i8";

/// What the header says of the array.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    column_major: bool,
    shape: Vec<u64>,
}

/// Reads one array. The first axis is the rows, the others are flattened; one axis alone gives rows of one value.
pub fn read(input: &mut Input<'_>) -> Result<Values, ReadError> {
    let magic: [u8; 4] = input.array()?;
    let rest: [u8; 2] = input.array()?;
    if magic != *b"\x93NUM" || rest != *b"PY" {
        return Err(input.fail(Problem::Magic { want: "\\x93NUMPY", got: magic }));
    }
    let [major, minor] = input.array()?;
    let len = match (major, minor) {
        (1, 0) => usize::from(u16::from_le_bytes(input.array()?)),
        (2 | 3, 0) => u32::from_le_bytes(input.array()?) as usize,
        (major, minor) => return Err(input.fail(Problem::Version { major, minor })),
    };
    if len > MAX_HEADER {
        return Err(input.fail(Problem::Syntax { want: "a header of at most 65536 bytes" }));
    }
    let mut text = vec![0; len];
    input.fill(&mut text)?;
    let header = parse(&text).map_err(|want| input.fail(Problem::Syntax { want }))?;
    if header.column_major && header.shape.len() > 1 {
        return Err(input.fail(Problem::Unsupported("column-major arrays have no reader: save the array row by row")));
    }
    let Some((&rows, rest)) = header.shape.split_first() else {
        return Err(input.fail(Problem::Unsupported("an array without an axis has no rows")));
    };
    let mut dim = 1_u64;
    for &size in rest {
        dim = dim.checked_mul(size).ok_or_else(|| input.fail(Problem::Overflow { rows: dim, dim: size }))?;
    }
    array(input, &header.descr, rows, dim)
}

fn array(input: &mut Input<'_>, descr: &str, rows: u64, dim: u64) -> Result<Values, ReadError> {
    let unknown = |input: &Input<'_>| input.fail(Problem::Element { got: format!("'{descr}'"), known: KNOWN });
    let (order, kind) = match descr.split_at_checked(1) {
        Some(("<", kind)) => (ByteOrder::Little, kind),
        Some((">", kind)) => (ByteOrder::Big, kind),
        // Order has no meaning for one byte, and is not said.
        Some(("|", kind @ ("u1" | "i1"))) => (ByteOrder::Little, kind),
        Some(_) | None => return Err(unknown(input)),
    };
    match kind {
        "f2" => rows_of::<F16>(input, rows, dim, order),
        "f4" => rows_of::<f32>(input, rows, dim, order),
        "f8" => rows_of::<f64>(input, rows, dim, order),
        "u1" => rows_of::<u8>(input, rows, dim, order),
        "u4" => rows_of::<u32>(input, rows, dim, order),
        "i1" => rows_of::<i8>(input, rows, dim, order),
        "i2" => rows_of::<i16>(input, rows, dim, order),
        "i4" => rows_of::<i32>(input, rows, dim, order),
        "i8" => rows_of::<i64>(input, rows, dim, order),
        _ => Err(unknown(input)),
    }
}

fn rows_of<T: Scalar>(input: &mut Input<'_>, rows: u64, dim: u64, order: ByteOrder) -> Result<Values, ReadError> {
    input.rows::<T>(rows, dim, order).map(T::wrap)
}

/// The text that is left to parse; an error is what had to stand there.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.0.strip_prefix(token.as_bytes()) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn demand(&mut self, token: &'static str) -> Result<(), &'static str> {
        if self.eat(token) { Ok(()) } else { Err(token) }
    }

    /// A string without escapes: neither key nor type needs one.
    fn string(&mut self) -> Result<&'a str, &'static str> {
        const WANT: &str = "a plain string";
        let quote = if self.eat("'") {
            b'\''
        } else if self.eat("\"") {
            b'"'
        } else {
            return Err(WANT);
        };
        let end = self.0.iter().position(|&byte| byte == quote).ok_or(WANT)?;
        let (string, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        match std::str::from_utf8(string) {
            Ok(string) if !string.contains('\\') => Ok(string),
            Ok(_) | Err(_) => Err(WANT),
        }
    }

    fn truth(&mut self) -> Result<bool, &'static str> {
        if self.eat("True") {
            Ok(true)
        } else if self.eat("False") {
            Ok(false)
        } else {
            Err("True or False")
        }
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        self.skip_space();
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        // Old versions of Python mark long numbers.
        self.eat("L");
        let digits = std::str::from_utf8(digits).map_err(|_| "a number")?;
        digits.parse().map_err(|_| "a number below 2^64")
    }

    fn tuple(&mut self) -> Result<Vec<u64>, &'static str> {
        self.demand("(")?;
        let mut sizes = Vec::new();
        while !self.eat(")") {
            sizes.push(self.number()?);
            if !self.eat(",") {
                self.demand(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}

fn parse(header: &[u8]) -> Result<Header, &'static str> {
    let mut text = Text(header);
    let (mut descr, mut column_major, mut shape) = (None, None, None);
    text.demand("{")?;
    while !text.eat("}") {
        let key = text.string()?;
        text.demand(":")?;
        match key {
            "descr" if descr.is_none() => descr = Some(text.string()?.to_owned()),
            "fortran_order" if column_major.is_none() => column_major = Some(text.truth()?),
            "shape" if shape.is_none() => shape = Some(text.tuple()?),
            _ => return Err("each of the keys descr, fortran_order and shape, once"),
        }
        if !text.eat(",") {
            text.demand("}")?;
            break;
        }
    }
    text.skip_space();
    if !text.0.is_empty() {
        return Err("nothing but space after the dictionary");
    }
    Ok(Header {
        descr: descr.ok_or("the key descr")?,
        column_major: column_major.ok_or("the key fortran_order")?,
        shape: shape.ok_or("the key shape")?,
    })
}
