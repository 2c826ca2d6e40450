//! Licence expressions: which of them let the whole be given on under Apache-2.0.

/// Licences without copyleft. Whatever is not in the list is refused until someone has read it.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
    "zlib-acknowledgement",
];

/// Refuses an expression that cannot be met by accepted licences alone.
pub(super) fn accept(expression: Option<&str>) -> Result<(), String> {
    let Some(expression) = expression else {
        return Err("the manifest names no licence".to_owned());
    };
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, at: 0 };
    match parser.either() {
        Some(true) if parser.at == tokens.len() => Ok(()),
        Some(false) if parser.at == tokens.len() => {
            Err(format!("licence `{expression}` is not among the accepted ones"))
        }
        _ => Err(format!("licence `{expression}` is not an expression of the SPDX form")),
    }
}

/// `a OR b`, `a AND b`, `a WITH exception`, parentheses; AND binds tighter than OR.
struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let here = self.tokens.get(self.at).is_some_and(|t| t.eq_ignore_ascii_case(token));
        self.at += usize::from(here);
        here
    }

    fn either(&mut self) -> Option<bool> {
        let mut met = self.both()?;
        while self.take("OR") {
            met |= self.both()?;
        }
        Some(met)
    }

    fn both(&mut self) -> Option<bool> {
        let mut met = self.single()?;
        while self.take("AND") {
            met &= self.single()?;
        }
        Some(met)
    }

    fn single(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.either()?;
            return self.take(")").then_some(met);
        }
        let name = *self.tokens.get(self.at)?;
        if matches!(name, ")" | "OR" | "AND" | "WITH") {
            return None;
        }
        self.at += 1;
        if !self.take("WITH") {
            return Some(ACCEPTED.contains(&name));
        }
        let exception = *self.tokens.get(self.at)?;
        self.at += 1;
        Some(ACCEPTED.contains(&format!("{name} WITH {exception}").as_str()))
    }
}
