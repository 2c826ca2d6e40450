//! Schema: data types, fields and their validation.

mod data_type;
mod error;
mod value;

pub use data_type::{DATA_TYPES, DataType};
pub use error::SchemaError;
pub use value::Value;

use serde::{Deserialize, Serialize};

/// Longest name of a field, in characters.
pub const NAME_LENGTH_MAX: usize = 255;
/// Most fields that a schema may have, the dynamic field not counted.
pub const FIELD_COUNT_MAX: usize = 64;
/// Most vector fields that a schema may have.
pub const VECTOR_FIELD_COUNT_MAX: usize = 10;
/// Least and greatest dimension of a dense vector.
pub const DIM_RANGE: std::ops::RangeInclusive<u32> = 2..=32_768;
/// Greatest `max_length` of a VarChar, in bytes.
pub const VARCHAR_LENGTH_MAX: u32 = 65_535;
/// Greatest length of one JSON value, in bytes.
pub const JSON_LENGTH_MAX: usize = 65_536;
/// Name of the dynamic field.
pub const DYNAMIC_FIELD_NAME: &str = "$meta";
/// Identifier of the first field that a user defines; smaller ones belong to the system.
pub const FIRST_FIELD_ID: i64 = 100;

/// One column of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Identifier, unique in the schema and never used again.
    pub id: i64,
    /// Name: letters, digits and underscores, not beginning with a digit.
    pub name: String,
    /// What the user says of it.
    #[serde(default)]
    pub description: String,
    /// Type of its values.
    pub data_type: DataType,
    /// Whether it is the primary key.
    #[serde(default)]
    pub primary_key: bool,
    /// Whether the database makes the primary keys.
    #[serde(default)]
    pub auto_id: bool,
    /// Whether a row may have no value.
    #[serde(default)]
    pub nullable: bool,
    /// Value of rows that bring none.
    #[serde(default)]
    pub default: Option<Value>,
    /// Dimension of a vector field, else 0.
    #[serde(default)]
    pub dim: u32,
    /// Greatest length of a VarChar in bytes, else 0.
    #[serde(default)]
    pub max_length: u32,
    /// Whether this is the dynamic field, which holds the keys that the schema does not name.
    #[serde(default)]
    pub is_dynamic: bool,
    /// Further type parameters, kept as given and reported back (`mmap.enabled`).
    #[serde(default)]
    pub params: Vec<(String, String)>,
}

impl Field {
    /// A field with a name and a type, not nullable and without a default.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            id: 0,
            name: name.into(),
            description: String::new(),
            data_type,
            primary_key: false,
            auto_id: false,
            nullable: false,
            default: None,
            dim: 0,
            max_length: 0,
            is_dynamic: false,
            params: Vec::new(),
        }
    }

    /// Makes it the primary key.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.primary_key = true;
        self
    }

    /// Lets the database make the keys.
    #[must_use]
    pub fn auto_id(mut self) -> Self {
        self.auto_id = true;
        self
    }

    /// Sets the dimension of a vector.
    #[must_use]
    pub fn dim(mut self, dim: u32) -> Self {
        self.dim = dim;
        self
    }

    /// Sets the greatest length of a VarChar, in bytes.
    #[must_use]
    pub fn max_length(mut self, bytes: u32) -> Self {
        self.max_length = bytes;
        self
    }

    /// Lets rows have no value.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Sets the value of rows that bring none.
    #[must_use]
    pub fn default_value(mut self, value: Value) -> Self {
        self.default = Some(value);
        self
    }
}

/// The fields of a collection, in the order of their columns; the dynamic field, if there is one, is last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// What the user says of the collection.
    #[serde(default)]
    pub description: String,
    /// Fields, in column order.
    pub fields: Vec<Field>,
}

impl Schema {
    /// Checks the fields, numbers those whose `id` is 0 and, if `dynamic`, appends the dynamic field.
    ///
    /// # Errors
    /// The first rule that a field breaks.
    pub fn new(description: impl Into<String>, mut fields: Vec<Field>, dynamic: bool) -> Result<Self, SchemaError> {
        if dynamic && !fields.iter().any(|field| field.is_dynamic) {
            fields.push(Field { is_dynamic: true, ..Field::new(DYNAMIC_FIELD_NAME, DataType::Json) });
        }
        let mut next = fields.iter().map(|field| field.id + 1).max().unwrap_or(0).max(FIRST_FIELD_ID);
        for field in &mut fields {
            if field.id == 0 {
                field.id = next;
                next += 1;
            }
        }
        let schema = Self { description: description.into(), fields };
        schema.validate()?;
        Ok(schema)
    }

    /// Position of a field among the columns.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Position of the primary key.
    ///
    /// # Panics
    /// If the schema was not validated.
    pub fn primary_position(&self) -> usize {
        self.fields.iter().position(|field| field.primary_key).expect("a validated schema has a primary key")
    }

    /// The primary key.
    pub fn primary(&self) -> &Field {
        &self.fields[self.primary_position()]
    }

    /// Position of the dynamic field, if the collection takes keys that the schema does not name.
    pub fn dynamic_position(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.is_dynamic)
    }

    /// The vector fields with their positions.
    pub fn vectors(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter(|(_, field)| field.data_type.is_vector())
    }

    /// Checks every rule; `new` calls it, and so does whoever read a schema from a file.
    ///
    /// # Errors
    /// The first rule that is broken, with the field's name.
    pub fn validate(&self) -> Result<(), SchemaError> {
        let user_count = self.fields.iter().filter(|field| !field.is_dynamic).count();
        if user_count > FIELD_COUNT_MAX {
            return Err(SchemaError::TooManyFields { count: user_count, max: FIELD_COUNT_MAX });
        }
        let vector_count = self.vectors().count();
        if vector_count == 0 {
            return Err(SchemaError::NoVector);
        }
        if vector_count > VECTOR_FIELD_COUNT_MAX {
            return Err(SchemaError::TooManyVectors { count: vector_count, max: VECTOR_FIELD_COUNT_MAX });
        }
        match self.fields.iter().filter(|field| field.primary_key).count() {
            0 => return Err(SchemaError::NoPrimaryKey),
            1 => {}
            count => return Err(SchemaError::ManyPrimaryKeys { count }),
        }
        for (position, field) in self.fields.iter().enumerate() {
            let twin = self.fields[..position].iter().find(|other| other.name == field.name || other.id == field.id);
            if twin.is_some() {
                return Err(SchemaError::DuplicateName { field: field.name.clone() });
            }
            validate_field(field, position + 1 == self.fields.len())?;
        }
        Ok(())
    }
}

/// Whether a name may be given to a database, collection, partition, alias, field or index.
pub fn is_valid_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn validate_field(field: &Field, is_last: bool) -> Result<(), SchemaError> {
    let named = |rule: &'static str| SchemaError::Field { field: field.name.clone(), rule };
    if field.is_dynamic {
        let plain = field.name == DYNAMIC_FIELD_NAME && field.data_type == DataType::Json && is_last;
        return if plain {
            Ok(())
        } else {
            Err(named("the dynamic field is the last one, is JSON and is named $meta"))
        };
    }
    if !is_valid_name(&field.name) {
        return Err(SchemaError::Name { field: field.name.clone(), max: NAME_LENGTH_MAX });
    }
    if field.primary_key {
        if !matches!(field.data_type, DataType::Int64 | DataType::VarChar) {
            return Err(named("a primary key is Int64 or VarChar"));
        }
        if field.nullable || field.default.is_some() {
            return Err(named("a primary key is neither nullable nor has a default"));
        }
    } else if field.auto_id {
        return Err(named("only a primary key can have auto_id"));
    }
    if field.data_type.is_vector() {
        if !DIM_RANGE.contains(&field.dim) {
            return Err(SchemaError::Dim { field: field.name.clone(), dim: field.dim, range: DIM_RANGE });
        }
        if field.default.is_some() {
            return Err(named("a vector field has no default"));
        }
    } else if field.dim != 0 {
        return Err(named("only a vector field has a dim"));
    }
    if field.data_type == DataType::VarChar && !(1..=VARCHAR_LENGTH_MAX).contains(&field.max_length) {
        return Err(SchemaError::MaxLength {
            field: field.name.clone(),
            max_length: field.max_length,
            max: VARCHAR_LENGTH_MAX,
        });
    }
    if field.data_type == DataType::Json && field.default.is_some() {
        return Err(named("a JSON field has no default"));
    }
    validate_default(field)
}

fn validate_default(field: &Field) -> Result<(), SchemaError> {
    let Some(value) = &field.default else { return Ok(()) };
    if matches!(value, Value::Null) && field.nullable {
        return Ok(());
    }
    if !value.fits(field.data_type) {
        return Err(SchemaError::Default { field: field.name.clone(), data_type: field.data_type });
    }
    if let Value::String(text) = value
        && text.len() > field.max_length as usize
    {
        return Err(SchemaError::Field { field: field.name.clone(), rule: "the default is longer than max_length" });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
