//! Tests of the schema rules.

use super::*;

fn plain() -> Vec<Field> {
    vec![
        Field::new("id", DataType::Int64).primary(),
        Field::new("v", DataType::FloatVector).dim(4),
        Field::new("name", DataType::VarChar).max_length(10),
    ]
}

#[test]
fn numbers_fields_and_appends_the_dynamic_one() {
    let schema = Schema::new("", plain(), true).unwrap();
    assert_eq!(schema.fields.iter().map(|f| f.id).collect::<Vec<_>>(), [100, 101, 102, 103]);
    assert_eq!(schema.dynamic_position(), Some(3));
    assert_eq!(schema.primary().name, "id");
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
}

#[test]
fn refuses_each_broken_rule() {
    let broken = |change: &dyn Fn(&mut Vec<Field>)| {
        let mut fields = plain();
        change(&mut fields);
        Schema::new("", fields, false).unwrap_err().to_string()
    };
    assert!(broken(&|f| f[1].dim = 1).contains("dim 1 is not in 2..=32768"));
    assert!(broken(&|f| f[2].max_length = 0).contains("max_length 0"));
    assert!(broken(&|f| f[0].primary_key = false).contains("needs a primary key"));
    assert!(broken(&|f| f[2].primary_key = true).contains("2 primary keys"));
    assert!(broken(&|f| f[2].name = "id".into()).contains("twice"));
    assert!(broken(&|f| f[2].name = "1bad".into()).contains("1bad"));
    assert!(broken(&|f| f[2].auto_id = true).contains("auto_id"));
    assert!(broken(&|f| f[0].data_type = DataType::Int32).contains("Int64 or VarChar"));
    assert!(broken(&|f| f[2].default = Some(Value::Int(3))).contains("no value of type VarChar"));
    assert!(broken(&|f| f[2].default = Some(Value::String("longer than ten".into()))).contains("longer"));
    assert!(broken(&|f| f.truncate(1)).contains("vector field"));
    assert!(broken(&|f| f[2].dim = 3).contains("only a vector field"));
}
