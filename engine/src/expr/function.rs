//! The functions of the filter language: those served, and those known by name and refused.

/// A function that can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Contains,
    ContainsAll,
    ContainsAny,
    Length,
}

/// Names in lower case; each may also be written all in upper case.
const FUNCTIONS: [(&str, Function); 7] = [
    ("json_contains", Function::Contains),
    ("json_contains_all", Function::ContainsAll),
    ("json_contains_any", Function::ContainsAny),
    ("array_contains", Function::Contains),
    ("array_contains_all", Function::ContainsAll),
    ("array_contains_any", Function::ContainsAny),
    ("array_length", Function::Length),
];

/// What Milvus knows beyond that.
const REFUSED: [&str; 23] = [
    "text_match",
    "text_match_fuzzy",
    "phrase_match",
    "random_sample",
    "element_filter",
    "match_any",
    "match_all",
    "match_least",
    "match_most",
    "match_exact",
    "bloom_match",
    "roaring_match",
    "st_equals",
    "st_touches",
    "st_overlaps",
    "st_crosses",
    "st_contains",
    "st_intersects",
    "st_within",
    "st_dwithin",
    "st_isvalid",
    "empty",
    "starts_with",
];

impl Function {
    /// The function of that name.
    ///
    /// # Errors
    /// That it is not supported or not known.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let is = |lower: &str| name == lower || (name.eq_ignore_ascii_case(lower) && is_upper(name));
        if let Some((_, function)) = FUNCTIONS.iter().find(|(lower, _)| is(lower)) {
            return Ok(*function);
        }
        if REFUSED.iter().any(|lower| name.eq_ignore_ascii_case(lower)) {
            return Err(format!("{name} is not supported"));
        }
        Err(format!("unknown function {name}"))
    }
}

fn is_upper(name: &str) -> bool {
    !name.contains(|c: char| c.is_ascii_lowercase())
}
