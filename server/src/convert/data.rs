//! Columns of values.
//!
//! The protocol leaves rows without a value out of the data of a request's columns. In replies it leaves them out of
//! vectors only: scalars have a filler there, which clients index by row.

use crate::config::REQUEST_BYTES_MAX;
use crate::convert::schema::data_type;
use crate::proto::schema::field_data::Field as Kind;
use crate::proto::schema::i_ds::IdField;
use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use crate::proto::schema::{
    BoolArray, DoubleArray, FieldData, FloatArray, IDs, IntArray, JsonArray, LongArray, ScalarField, StringArray,
    VectorField,
};
use crate::status::{Code, Failure};
use elanus::{Bitmap, Column, ColumnData, DataType, F16, Field, Keys, OutputField, Schema, Strings, Value};

/// The columns of an insert or upsert by field name.
///
/// # Errors
/// A field that the schema does not have or that stands twice, data that does not fit its field, or fillers that are
/// larger than a request may be.
pub fn columns(schema: &Schema, fields: Vec<FieldData>, rows: usize) -> Result<Vec<(String, Column)>, Failure> {
    let mut sent: Vec<Option<FieldData>> = schema.fields.iter().map(|_| None).collect();
    for data in fields {
        let position = position_of(schema, &data)?;
        if sent[position].replace(data).is_some() {
            let name = &schema.fields[position].name;
            return Err(Failure::parameter(format!("field {name} stands twice in the request")));
        }
    }
    check_fillers(schema, &sent, rows)?;
    let sent = schema.fields.iter().zip(sent);
    let one = |(field, data): (&Field, Option<FieldData>)| {
        data.map(|data| Ok((field.name.clone(), column(field, data, rows)?)))
    };
    sent.filter_map(one).collect()
}

/// Refuses rows that bring no value, of which a small request can have very many, where the fillers that stand for them
/// would be larger than a request may be.
fn check_fillers(schema: &Schema, sent: &[Option<FieldData>], rows: usize) -> Result<(), Failure> {
    let mut bytes = 0_usize;
    for (field, data) in schema.fields.iter().zip(sent) {
        let is_whole = data.as_ref().is_some_and(|data| data.valid_data.iter().all(|&is_valid| is_valid));
        if is_whole {
            continue;
        }
        bytes = bytes.saturating_add(filler_bytes(field).saturating_mul(rows));
        if bytes > REQUEST_BYTES_MAX {
            let reason = format!(
                "field {}: {rows} rows, of which some have no value, take {bytes} bytes with the fields before it; at \
                 most {REQUEST_BYTES_MAX} are allowed, so send fewer rows at a time",
                field.name
            );
            return Err(Failure::of(Code::ParameterTooLarge, reason));
        }
    }
    Ok(())
}

/// Bytes that a row without a value takes in a column.
fn filler_bytes(field: &Field) -> usize {
    let dim = field.dim as usize;
    let text = match &field.default {
        Some(Value::String(text)) => text.len(),
        Some(_) | None => 0,
    };
    match field.data_type {
        DataType::Bool | DataType::Int8 => 1,
        DataType::Int16 => 2,
        DataType::Int32 | DataType::Float => 4,
        DataType::Int64 | DataType::Double => 8,
        // The position of its end.
        DataType::VarChar | DataType::Json => size_of::<u64>() + text,
        DataType::FloatVector => size_of::<f32>() * dim,
        DataType::Float16Vector => size_of::<F16>() * dim,
    }
}

fn position_of(schema: &Schema, data: &FieldData) -> Result<usize, Failure> {
    if data.is_dynamic {
        let reason = "the request brings keys that the schema does not name, and the dynamic field is not enabled";
        return schema.dynamic_position().ok_or_else(|| Failure::parameter(reason));
    }
    schema.position(&data.field_name).ok_or_else(|| {
        let reason = format!("field {} is not in the collection's schema", data.field_name);
        Failure::of(Code::FieldNotFound, reason)
    })
}

/// One column of a request, with fillers where a row has no value.
///
/// # Errors
/// Data of another type, dimension or length than the field and the rows ask for.
pub fn column(field: &Field, data: FieldData, rows: usize) -> Result<Column, Failure> {
    let name = field.name.as_str();
    // Text is a string on the wire whatever it is called.
    if data.r#type != field.data_type.wire_number() {
        let got = data_type(data.r#type, name)?;
        return Err(Failure::parameter(format!("field {name} is {}, the request has {got}", field.data_type)));
    }
    if !data.valid_data.is_empty() && data.valid_data.len() != rows {
        let count = data.valid_data.len();
        return Err(Failure::parameter(format!("field {name}: valid_data has {count} rows, the request has {rows}")));
    }
    let missing = data.valid_data.iter().any(|is_valid| !is_valid);
    let validity = missing.then(|| Bitmap::from_fn(rows, |row| data.valid_data[row]));
    let spread = Spread { name, rows, validity: validity.as_ref() };
    let values = match data.field {
        Some(Kind::Scalars(ScalarField { data })) => scalars(field, data, &spread)?,
        Some(Kind::Vectors(vectors)) => self::vectors(field, vectors, &spread)?,
        Some(Kind::StructArrays(_)) => return Err(Failure::unsupported(format!("field {name}: a struct array"))),
        None if spread.present() == 0 => spread.fillers(field),
        None => return Err(Failure::parameter(format!("field {name} has no data"))),
    };
    Ok(Column { data: values, validity })
}

/// Puts the values that a request brings into their rows.
struct Spread<'a> {
    name: &'a str,
    rows: usize,
    validity: Option<&'a Bitmap>,
}

impl Spread<'_> {
    fn present(&self) -> usize {
        self.validity.map_or(self.rows, Bitmap::count_ones)
    }

    fn check(&self, count: usize) -> Result<(), Failure> {
        let want = self.present();
        if count == want {
            return Ok(());
        }
        Err(Failure::parameter(format!("field {} has {count} values, the request has {want} rows with one", self.name)))
    }

    /// Values of `width` items each.
    fn dense<T: Copy + Default>(&self, values: Vec<T>, width: usize) -> Result<Vec<T>, Failure> {
        self.check(values.len() / width)?;
        let Some(validity) = self.validity else { return Ok(values) };
        let mut spread = vec![T::default(); self.rows * width];
        for (row, value) in validity.iter_ones().zip(values.chunks_exact(width)) {
            spread[row * width..(row + 1) * width].copy_from_slice(value);
        }
        Ok(spread)
    }

    fn strings<S: AsRef<str>>(&self, values: &[S]) -> Result<Strings, Failure> {
        self.check(values.len())?;
        let bytes = values.iter().map(|text| text.as_ref().len()).sum();
        let mut strings = Strings::with_capacity(self.rows, bytes);
        let mut values = values.iter();
        for row in 0..self.rows {
            let is_valid = self.validity.is_none_or(|validity| validity.get(row));
            let text = if is_valid { values.next() } else { None };
            strings.push(text.map_or("", AsRef::as_ref));
        }
        Ok(strings)
    }

    fn fillers(&self, field: &Field) -> ColumnData {
        let mut column = Column::empty(field);
        (0..self.rows).for_each(|_| column.push_null());
        column.data
    }

    /// Integers that travel as 32 bits and are kept in fewer.
    fn narrow<T: Copy + Default + TryFrom<i32>>(&self, values: &[i32], data_type: DataType) -> Result<Vec<T>, Failure> {
        let fit = |(position, &value): (usize, &i32)| {
            T::try_from(value).map_err(|_too_wide| {
                Failure::parameter(format!("field {}: value {position} is {value}, which no {data_type} is", self.name))
            })
        };
        self.dense(values.iter().enumerate().map(fit).collect::<Result<_, _>>()?, 1)
    }
}

fn scalars(field: &Field, data: Option<Scalar>, spread: &Spread<'_>) -> Result<ColumnData, Failure> {
    let Some(data) = data else {
        spread.check(0)?;
        return Ok(spread.fillers(field));
    };
    Ok(match (field.data_type, data) {
        (DataType::Bool, Scalar::BoolData(values)) => {
            ColumnData::Bool(spread.dense(values.data.into_iter().map(u8::from).collect(), 1)?)
        }
        (DataType::Int8, Scalar::IntData(values)) => ColumnData::Int8(spread.narrow(&values.data, DataType::Int8)?),
        (DataType::Int16, Scalar::IntData(values)) => ColumnData::Int16(spread.narrow(&values.data, DataType::Int16)?),
        (DataType::Int32, Scalar::IntData(values)) => ColumnData::Int32(spread.dense(values.data, 1)?),
        (DataType::Int64, Scalar::LongData(values)) => ColumnData::Int64(spread.dense(values.data, 1)?),
        (DataType::Float, Scalar::FloatData(values)) => ColumnData::Float(spread.dense(values.data, 1)?),
        (DataType::Double, Scalar::DoubleData(values)) => ColumnData::Double(spread.dense(values.data, 1)?),
        (DataType::VarChar, Scalar::StringData(values)) => ColumnData::VarChar(spread.strings(&values.data)?),
        (DataType::Json, Scalar::JsonData(values)) => {
            let texts: Vec<&str> = values.data.iter().map(|text| json_text(field, text)).collect::<Result<_, _>>()?;
            ColumnData::Json(spread.strings(&texts)?)
        }
        (data_type, _) => return Err(other_slot(field, data_type)),
    })
}

fn json_text<'a>(field: &Field, text: &'a [u8]) -> Result<&'a str, Failure> {
    std::str::from_utf8(text)
        .map_err(|error| Failure::parameter(format!("field {}: JSON that is not UTF-8: {error}", field.name)))
}

fn vectors(field: &Field, vectors: VectorField, spread: &Spread<'_>) -> Result<ColumnData, Failure> {
    let dim = field.dim as usize;
    let count = spread.present();
    let given = vectors.dim;
    // Some clients leave the dimension out where there is no vector.
    if given != i64::from(field.dim) && !(given == 0 && count == 0) {
        let reason = format!("field {} has dim {dim}, the request has {given}", field.name);
        return Err(Failure::parameter(reason));
    }
    let whole = |items: usize| {
        if !items.is_multiple_of(dim) {
            let reason = format!("field {}: {items} components are no whole vectors of dim {dim}", field.name);
            return Err(Failure::parameter(reason));
        }
        Ok(())
    };
    match (field.data_type, vectors.data) {
        (DataType::FloatVector | DataType::Float16Vector, Some(Vector::FloatVector(values))) => {
            whole(values.data.len())?;
            Ok(ColumnData::FloatVector { dim, data: spread.dense(values.data, dim)? })
        }
        (DataType::Float16Vector, Some(Vector::Float16Vector(bytes))) => {
            let data = half_floats(&bytes)
                .ok_or_else(|| Failure::parameter(format!("field {}: an odd number of bytes", field.name)))?;
            whole(data.len())?;
            Ok(ColumnData::Float16Vector { dim, data: spread.dense(data, dim)? })
        }
        (_, None) => {
            spread.check(0)?;
            Ok(spread.fillers(field))
        }
        (data_type, Some(_)) => Err(other_slot(field, data_type)),
    }
}

/// Little-endian 16-bit floats; `None` if a byte is left over.
pub fn half_floats(bytes: &[u8]) -> Option<Vec<F16>> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|&pair| F16(u16::from_le_bytes(pair))).collect())
}

fn other_slot(field: &Field, data_type: DataType) -> Failure {
    Failure::parameter(format!("field {} is {data_type}, the request brings its values as another type", field.name))
}

/// A column of a reply.
pub fn field_data(output: OutputField) -> FieldData {
    let OutputField { field, column } = output;
    let rows = column.len();
    let has_validity = field.nullable || column.validity.is_some();
    let validity = column.validity;
    let valid_data = if has_validity {
        (0..rows).map(|row| validity.as_ref().is_none_or(|bits| bits.get(row))).collect()
    } else {
        Vec::new()
    };
    FieldData {
        r#type: field.data_type.wire_number(),
        field_name: field.name,
        field_id: field.id,
        is_dynamic: field.is_dynamic,
        valid_data,
        field: Some(kind(column.data, validity.as_ref())),
    }
}

fn kind(data: ColumnData, validity: Option<&Bitmap>) -> Kind {
    let scalars = |data| Kind::Scalars(ScalarField { data: Some(data) });
    let ints = |data| scalars(Scalar::IntData(IntArray { data }));
    let vectors = |dim: usize, data| Kind::Vectors(VectorField { dim: dim as i64, data: Some(data) });
    match data {
        ColumnData::Bool(values) => {
            scalars(Scalar::BoolData(BoolArray { data: values.into_iter().map(|value| value != 0).collect() }))
        }
        ColumnData::Int8(values) => ints(values.into_iter().map(i32::from).collect()),
        ColumnData::Int16(values) => ints(values.into_iter().map(i32::from).collect()),
        ColumnData::Int32(values) => ints(values),
        ColumnData::Int64(data) => scalars(Scalar::LongData(LongArray { data })),
        ColumnData::Float(data) => scalars(Scalar::FloatData(FloatArray { data })),
        ColumnData::Double(data) => scalars(Scalar::DoubleData(DoubleArray { data })),
        ColumnData::VarChar(values) => {
            let view = values.view();
            let data = (0..view.len()).map(|row| view.get(row).to_owned()).collect();
            scalars(Scalar::StringData(StringArray { data }))
        }
        ColumnData::Json(values) => {
            let view = values.view();
            let data = (0..view.len()).map(|row| json_or_null(view.get(row))).collect();
            scalars(Scalar::JsonData(JsonArray { data }))
        }
        ColumnData::FloatVector { dim, data } => {
            vectors(dim, Vector::FloatVector(FloatArray { data: compact(data, dim, validity) }))
        }
        ColumnData::Float16Vector { dim, data } => {
            let bytes = compact(data, dim, validity).into_iter().flat_map(|value| value.0.to_le_bytes());
            vectors(dim, Vector::Float16Vector(bytes.collect()))
        }
    }
}

/// Clients parse the filler of a row without a value as well.
fn json_or_null(text: &str) -> Vec<u8> {
    if text.is_empty() { b"null".to_vec() } else { text.as_bytes().to_vec() }
}

fn compact<T: Copy>(data: Vec<T>, dim: usize, validity: Option<&Bitmap>) -> Vec<T> {
    match validity {
        None => data,
        Some(bits) => bits.iter_ones().flat_map(|row| data[row * dim..(row + 1) * dim].iter().copied()).collect(),
    }
}

/// Primary keys of a reply.
pub fn ids(keys: Keys) -> IDs {
    let id_field = match keys {
        Keys::Int(data) => IdField::IntId(LongArray { data }),
        Keys::Str(data) => IdField::StrId(StringArray { data }),
    };
    IDs { id_field: Some(id_field) }
}

/// Primary keys of a request.
///
/// # Errors
/// If there is none.
pub fn keys(ids: IDs) -> Result<Keys, Failure> {
    match ids.id_field {
        Some(IdField::IntId(ids)) => Ok(Keys::Int(ids.data)),
        Some(IdField::StrId(ids)) => Ok(Keys::Str(ids.data)),
        None => Err(Failure::missing("the request has neither vectors nor ids")),
    }
}

#[cfg(test)]
mod tests;
