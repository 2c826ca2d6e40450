//! The measured lines, as a table and as JSON.
use serde::Serialize;

/// In what form a kernel was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) enum Shape {
    /// Two vectors.
    Pair,
    /// One query against consecutive rows in the named level of memory.
    Rows(&'static str),
    /// One query against consecutive codes in the named level of memory.
    Codes(&'static str),
}

/// One measured case.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// Element type and metric, or the code.
    pub(crate) what: String,
    /// The instruction set of the kernel.
    pub(crate) isa: &'static str,
    pub(crate) shape: Shape,
    /// Components of a vector.
    pub(crate) dim: usize,
    /// Nanoseconds for each row.
    pub(crate) ns: f64,
    /// What the machine needs at least.
    pub(crate) limit_ns: f64,
    /// Nanoseconds of simsimd, if it has the case.
    pub(crate) theirs_ns: Option<f64>,
}

/// All lines, printed as they come.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
}

impl Report {
    pub(crate) fn print_head() {
        println!("| kernel | set | shape | dim | ns | million rows/s | of the limit | simsimd ns | ratio |");
        println!("|---|---|---|---|---|---|---|---|---|");
    }

    pub(crate) fn push(&mut self, line: Line) {
        let shape = match line.shape {
            Shape::Pair => "pair".to_owned(),
            Shape::Rows(level) => format!("rows, {level}"),
            Shape::Codes(level) => format!("codes, {level}"),
        };
        let rate = 1e3 / line.ns;
        let share = 100.0 * line.limit_ns / line.ns;
        let (theirs, ratio) = match line.theirs_ns {
            Some(theirs) => (format!("{theirs:.2}"), format!("{:.2}", theirs / line.ns)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let (what, isa, dim, ns) = (&line.what, line.isa, line.dim, line.ns);
        println!("| {what} | {isa} | {shape} | {dim} | {ns:.2} | {rate:.1} | {share:.0} % | {theirs} | {ratio} |");
        self.lines.push(line);
    }
}
