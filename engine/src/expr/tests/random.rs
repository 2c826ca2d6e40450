//! Random expressions over random rows: the compiled filter and the plain reading must select the same.

use super::table::{Cell, Table, schema};
use super::{Templates, compile, reference};
use elanus_kernels::rng::Rng;

struct Writer {
    rng: Rng,
}

impl Writer {
    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> String) -> String {
        let elements: Vec<String> = (0..self.below(5)).map(|_| element(self)).collect();
        format!("[{}]", elements.join(", "))
    }

    fn literal(&mut self) -> String {
        match self.below(8) {
            0 => self.pick(&["0.5", "2.5", "-1.25", "0.1", "1e3", "3.0", "-0.0"]).to_owned(),
            1 => self
                .pick(&["9223372036854775807", "9007199254740993", "-9223372036854775808", "300", "1000000"])
                .to_owned(),
            _ => (self.below(12) as i64 - 4).to_string(),
        }
    }

    fn text(&mut self) -> String {
        format!("'{}'", self.pick(&["", "a", "b", "ab", "ba", "abc", "\u{e9}", "%", "red", "green", "1"]))
    }

    fn path(&mut self) -> String {
        self.pick(&[
            "doc['a']",
            "doc['b']",
            "doc['list']",
            "doc['list'][0]",
            "doc['o']['a']",
            "doc",
            "color",
            "size",
            "$meta['size']",
            "extra['deep'][1]",
        ])
        .to_owned()
    }

    fn number(&mut self, depth: usize) -> String {
        let column = ["id", "tiny", "short", "k", "n", "price", "ratio"];
        match self.below(if depth == 0 { 6 } else { 12 }) {
            0..=2 => self.pick(&column).to_owned(),
            3 | 4 => self.literal(),
            5 => self.path(),
            6 => format!("-({})", self.number(depth - 1)),
            7 => format!("array_length({})", self.path()),
            _ => {
                let op = self.pick(&["+", "-", "*", "/", "%", "**", "&", "|", "^"]);
                format!("({} {op} {})", self.number(depth - 1), self.number(depth - 1))
            }
        }
    }

    fn any_literal(&mut self) -> String {
        match self.below(5) {
            0 => self.text(),
            1 => self.pick(&["true", "false"]).to_owned(),
            _ => self.literal(),
        }
    }

    fn order(&mut self) -> &'static str {
        self.pick(&["==", "!=", "<", "<=", ">", ">="])
    }

    fn leaf(&mut self) -> String {
        let names = ["name", "tag"];
        let order = self.order();
        match self.below(17) {
            0 => self.pick(&["flag", "ok", "not flag", "true", "false", "color"]).to_owned(),
            1..=3 => format!("{} {order} {}", self.number(2), self.number(2)),
            4 => format!("{} {order} {}", self.pick(&["n", "tiny", "price", "ratio", "short"]), self.literal()),
            5 => format!("{} {order} {}", self.pick(&names), self.text()),
            6 => format!("{} {order} {}", self.pick(&names), self.pick(&names)),
            7 => {
                let column = self.pick(&["n", "tiny", "k", "id"]);
                format!("{column} {} {}", self.pick(&["in", "not in"]), self.list(|own| own.below(7).to_string()))
            }
            8 => format!("{} in {}", self.pick(&["price", "ratio"]), self.list(Self::literal)),
            9 => format!("{} {} {}", self.pick(&names), self.pick(&["in", "not in"]), self.list(Self::text)),
            10 => {
                let value = if self.below(2) == 0 { self.path() } else { self.pick(&names).to_owned() };
                format!("{value} like {}", self.pick(&["'a%'", "'%b'", "'%a%'", "'_b%'", "'a'", "'%'", "r'\\%'"]))
            }
            11 => {
                let value = if self.below(2) == 0 { self.path() } else { self.pick(&names).to_owned() };
                format!("{value} {} {}", self.pick(&["=~", "!~"]), self.pick(&["'^a'", "'b$'", "r'\\d'", "'a|e'"]))
            }
            12 => {
                let value =
                    if self.below(2) == 0 { self.path() } else { self.pick(&["n", "name", "flag", "k"]).to_owned() };
                format!("{value} {}", self.pick(&["is null", "is not null", "IS NULL", "IS NOT NULL"]))
            }
            13 => format!("{} {order} {}", self.path(), self.any_literal()),
            14 => format!("{} {} {}", self.path(), self.pick(&["in", "not in"]), self.list(Self::any_literal)),
            15 => {
                let list = if self.below(3) == 0 { "[1, [0]]".to_owned() } else { self.list(Self::any_literal) };
                match self.below(4) {
                    0 => format!("json_contains({}, {})", self.path(), self.any_literal()),
                    1 => format!("json_contains_all({}, {list})", self.path()),
                    2 => format!("ARRAY_CONTAINS_ANY({}, {list})", self.path()),
                    _ => format!("{} == {list}", self.path()),
                }
            }
            _ => {
                let (low, high) = (self.below(6) as i64 - 4, self.below(6) as i64 + 1);
                let middle = if self.below(2) == 0 { self.path() } else { self.number(1) };
                let [first, second] = [self.pick(&["<", "<="]), self.pick(&["<", "<="])];
                format!("{low} {first} {middle} {second} {high}")
            }
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let part = |own: &mut Self| format!("({})", own.condition(depth - 1));
        match self.below(8) {
            0 => format!("not {}", part(self)),
            1 => format!("exists {}", self.path()),
            2 => format!("{} {} {}", part(self), self.pick(&["==", "!="]), part(self)),
            3 | 4 => format!("{} and {} and {}", part(self), part(self), part(self)),
            5 | 6 => format!("{} or {} || {}", part(self), part(self), part(self)),
            _ => self.leaf(),
        }
    }

    fn json(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 8 } else { 11 }) {
            0 => "null".to_owned(),
            1 => self.pick(&["true", "false"]).to_owned(),
            2..=4 => (self.below(10) as i64 - 3).to_string(),
            5 => self.pick(&["0.5", "2.0", "-1.25", "9007199254740993", "18446744073709551615", "1e3"]).to_owned(),
            6 | 7 => format!("\"{}\"", self.pick(&["a", "ab", "1", "red", "\\u00e9", "x\\ny"])),
            8 | 9 => {
                let parts: Vec<String> = (0..self.below(4)).map(|_| self.json(depth - 1)).collect();
                format!("[{}]", parts.join(","))
            }
            _ => self.object(depth - 1, &["a", "b", "deep"]),
        }
    }

    fn object(&mut self, depth: usize, keys: &[&str]) -> String {
        let mut entries = Vec::new();
        for key in keys {
            if self.below(4) != 0 {
                entries.push(format!("\"{key}\": {}", self.json(depth)));
            }
        }
        format!("{{{}}}", entries.join(", "))
    }

    fn row(&mut self, at: usize) -> Vec<Cell> {
        let small = |own: &mut Self| own.below(12) as i64 - 4;
        let numbers = [0.0, -0.0, 0.5, 0.1, 2.5, -1.25, 3.0, 1e3, 9_007_199_254_740_992.0];
        let texts = ["", "a", "b", "ab", "ba", "abc", "\u{e9}", "%", "xb"];
        let null_if = |own: &mut Self, cell: Cell| if own.below(5) == 0 { Cell::Null } else { cell };
        let n = match self.below(20) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => 9_007_199_254_740_993,
            _ => small(self),
        };
        let tiny = [-128, 127, small(self), small(self)][self.below(4)];
        let doc = self.object(2, &["a", "b", "list", "o"]);
        vec![
            Cell::Int(at as i64),
            null_if(self, Cell::Int(tiny)),
            Cell::Int([small(self), 300][self.below(2)]),
            Cell::Int(small(self)),
            null_if(self, Cell::Int(n)),
            {
                let cell = Cell::Float(numbers[self.below(9)]);
                null_if(self, cell)
            },
            Cell::Float(numbers[self.below(9)]),
            {
                let cell = Cell::Text(texts[self.below(9)].to_owned());
                null_if(self, cell)
            },
            Cell::Text(texts[self.below(9)].to_owned()),
            {
                let cell = Cell::Bool(self.below(2) == 0);
                null_if(self, cell)
            },
            Cell::Bool(self.below(2) == 0),
            null_if(self, Cell::Text(doc)),
            Cell::Float(0.0),
            Cell::Text(self.object(2, &["color", "size", "extra"])),
        ]
    }
}

#[test]
fn compiled_filters_select_what_the_plain_reading_selects() {
    let schema = schema();
    let mut writer = Writer { rng: Rng::new(8) };
    let rows: Vec<Vec<Cell>> = (0..90).map(|at| writer.row(at)).collect();
    let table = Table::new(&schema, rows);
    let (mut compiled, mut telling) = (0, 0);
    for round in 0..4_000 {
        let text = writer.condition(round % 4);
        let Ok(filter) = compile(&text, &schema, &Templates::new()) else { continue };
        let found = filter.eval(&table).unwrap_or_else(|error| panic!("{text}: {error}"));
        let got: Vec<usize> = found.iter_ones().collect();
        assert_eq!(got, reference::rows(&text, &schema, &table.rows), "{text}");
        let row = writer.below(table.rows.len());
        assert_eq!(filter.matches(&table, row), Ok(found.get(row)), "{text} row {row}");
        compiled += 1;
        telling += u32::from(!got.is_empty() && got.len() < table.rows.len());
    }
    assert!(compiled > 2_500 && telling > 1_500, "{compiled} compiled, {telling} select some rows and not others");
}

#[test]
fn blocks_of_any_length_are_read_to_their_end() {
    let schema = schema();
    let mut writer = Writer { rng: Rng::new(9) };
    let all: Vec<Vec<Cell>> = (0..2_049).map(|at| writer.row(at)).collect();
    let texts = [
        "n > 1 and flag",
        "not (price < 2 or name like '%b%')",
        "doc['a'] > 0 or k in [1, 2, 5]",
        "n + k * 2 >= tiny",
        "color is null",
        "name is not null and tag != 'a'",
    ];
    for len in [0, 1, 63, 64, 65, 2_047, 2_048, 2_049] {
        let table = Table::new(&schema, all[..len].to_vec());
        for text in texts {
            let filter = compile(text, &schema, &Templates::new()).expect("it compiles");
            let found = filter.eval(&table).expect("the table is sound");
            assert_eq!(found.len(), len);
            assert_eq!(found.iter_ones().collect::<Vec<_>>(), reference::rows(text, &schema, &table.rows), "{text}");
            if let Some(last) = len.checked_sub(1) {
                assert_eq!(filter.matches(&table, last), Ok(found.get(last)), "{text}");
            }
        }
    }
}
