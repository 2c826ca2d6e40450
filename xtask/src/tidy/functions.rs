//! Finds the functions of a file and counts their lines of code.

use super::mask::{Masked, words};

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// Lines of code from `fn` to the closing brace.
    pub(super) code_lines: usize,
}

/// Every function that has a body, functions inside functions included.
pub(super) fn of(masked: &Masked) -> Vec<Function> {
    let code = masked.code();
    let mut found = Vec::new();
    for (at, word) in words(code) {
        if word != "fn" {
            continue;
        }
        let after = code[at + 2..].trim_start();
        // `fn(` is the type of a pointer.
        let Some((_, name)) = words(after).next().filter(|(offset, _)| after[..*offset].chars().all(|c| c == '$'))
        else {
            continue;
        };
        if let Some(end) = body_end(code.as_bytes(), at) {
            let (line, code_lines) = (masked.line_of(at), masked.code_lines_within(at..end));
            found.push(Function { name: name.to_owned(), line, code_lines });
        }
    }
    found
}

/// The end of the body of the function whose `fn` stands at `at`; none for a declaration without body.
fn body_end(code: &[u8], at: usize) -> Option<usize> {
    let (mut nested, mut braces) = (0_usize, 0_usize);
    for (offset, byte) in code.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b';' if nested == 0 && braces == 0 => return None,
            b'{' if nested == 0 || braces > 0 => braces += 1,
            b'}' if braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}
