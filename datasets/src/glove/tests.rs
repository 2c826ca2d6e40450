//! The package's JSON in small, and what it could be instead.

use super::*;

const SMALL: &str = concat!(
    r#"{"precision":8,"l2NormIndex":2,"wordIndex":3,"size":2,"dimensions":2,"words":["the","a\"b\u00e9"],"#,
    r#""vectors":{"the":[0.5,-1,1.118,0],"a\"b\u00e9":[1e-3,2,2.0,1]},"unkVector":[0,0,0,-1]}"#
);

fn parse(text: &str) -> Result<Matrix<f32>, ReadError> {
    read(&mut Input::bytes("words.json", text.as_bytes())?)
}

#[test]
fn vectors_without_their_extra_numbers() {
    let matrix = parse(SMALL).unwrap();
    assert_eq!((matrix.rows(), matrix.dim()), (2, 2));
    assert_eq!(matrix.data(), [0.5, -1.0, 0.001, 2.0]);
    // The order of the keys is nobody's promise.
    let matrix = parse(r#"{"vectors":{"a":[1,2,3]},"dimensions":1}"#).unwrap();
    assert_eq!(matrix.data(), [1.0]);
}

#[test]
fn damage() {
    for len in 0..SMALL.len() {
        let text = parse(&SMALL[..len]).unwrap_err().to_string();
        assert!(text.starts_with("words.json at byte "), "{text}");
    }
    let whole = parse(SMALL).unwrap();
    for at in 0..SMALL.len() {
        for bit in 0..7 {
            let mut bytes = SMALL.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let mut input = Input::bytes("words.json", &bytes).unwrap();
            if let Ok(matrix) = read(&mut input) {
                assert_eq!((matrix.rows(), matrix.dim()), (whole.rows(), whole.dim()), "bit {bit} of byte {at}");
            }
        }
    }
}

#[test]
fn other_shapes_are_refused_where_they_begin() {
    let cases = [
        ("[]", "invalid type: sequence, expected an object"),
        (r#"{"dimensions":1}"#, "missing field `vectors`"),
        (r#"{"vectors":{"a":[1,2,3]}}"#, "missing field `dimensions`"),
        (r#"{"dimensions":1,"vectors":{}}"#, "no vector at all"),
        (r#"{"dimensions":1,"vectors":{"a":[1,2]}}"#, "row 0 has 2 numbers, expected 3"),
        (r#"{"dimensions":1,"vectors":{"a":[1,2,3],"b":[1,2,3,4]}}"#, "row 1 has 4 numbers, expected 3"),
        (r#"{"dimensions":2,"vectors":{"a":[1,2,3]}}"#, "vectors of dimension 1 where `dimensions` says 2"),
        (r#"{"size":2,"dimensions":1,"vectors":{"a":[1,2,3]}}"#, "1 vectors where `size` says 2"),
        (r#"{"dimensions":1,"vectors":{"a":["x",2,3]}}"#, "invalid type: string"),
        (r#"{"dimensions":-1,"vectors":{"a":[1,2,3]}}"#, "invalid value: integer `-1`"),
        (r#"{"dimensions":1,"vectors":{"a":[1,2,3]}} x"#, "trailing characters"),
    ];
    for (text, want) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(want), "{text}: {error}");
        assert!(error.offset.is_some_and(|offset| offset > 0), "{text}: {error}");
    }
    let error = parse("\n\n[]").unwrap_err();
    assert_eq!(error.offset, None, "a column says nothing of the offset on a later line");
    let long = format!(r#"{{"dimensions":1,"vectors":{{"a":[{}1]}}}}"#, "1,".repeat(70_000));
    assert!(parse(&long).unwrap_err().to_string().contains("a row of more than 65536 values"));
    let deep = "[".repeat(100_000);
    assert!(parse(&format!(r#"{{"a":{deep}"#)).is_err());
}
