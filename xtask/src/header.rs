//! The C header of `kernels-c`, written from its source: what the functions are is said once, in Rust.
//!
//! Understood are `extern "C"` functions without name mangling, `repr(C)` enumerations without data, and structures
//! that C only sees pointers to. Anything else that is public and would have to be in the header is an error.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use syn::{Attribute, Expr, FnArg, ItemEnum, ItemFn, ItemStruct, Lit, Meta, Pat, ReturnType, Type, Visibility};

use crate::{Fallible, tree};

const FOLDER: &str = "kernels-c/src";
const HEADER: &str = "kernels-c/include/elanus_kernels.h";
/// The width that text is wrapped to.
const WIDTH: usize = 100;

pub(crate) fn run(args: &[String]) -> Fallible<ExitCode> {
    let root = tree::root();
    if args == ["--check"] {
        check(&root)?;
        println!("header: {HEADER} is current");
        return Ok(ExitCode::SUCCESS);
    }
    crate::no_arguments(args)?;
    fs::write(root.join(HEADER), generate(&root)?).map_err(|e| format!("cannot write {HEADER}: {e}"))?;
    println!("header: {HEADER} written");
    Ok(ExitCode::SUCCESS)
}

/// Compares the header with what its source says.
pub(crate) fn check(root: &Path) -> Fallible<()> {
    let now = fs::read_to_string(root.join(HEADER)).map_err(|e| format!("cannot read {HEADER}: {e}"))?;
    if now == generate(root)? {
        return Ok(());
    }
    Err(format!("{HEADER} is out of date: `cargo xtask header` rewrites it"))
}

fn generate(root: &Path) -> Fallible<String> {
    let read = |name: &str| {
        let path = root.join(FOLDER).join(name);
        fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))
    };
    let lib = parse("lib.rs", &read("lib.rs")?)?;
    let mut files = Vec::new();
    // The order of the modules is that of the header.
    for item in &lib.items {
        if let syn::Item::Mod(module) = item {
            let name = format!("{}.rs", module.ident);
            files.push((name.clone(), read(&name)?));
        }
    }
    render(&files)
}

fn parse(name: &str, text: &str) -> Fallible<syn::File> {
    syn::parse_file(text).map_err(|e| format!("{FOLDER}/{name}: {e}"))
}

/// The header for source files, each a name and a text.
fn render(files: &[(String, String)]) -> Fallible<String> {
    let mut types = String::new();
    let mut functions = String::new();
    for (name, text) in files {
        for item in parse(name, text)?.items {
            let placed = |e: String| format!("{FOLDER}/{name}: {e}");
            if let syn::Item::Enum(item) = &item
                && has_word(&item.attrs, "repr", "C")
            {
                types.push_str(&enumeration(item).map_err(placed)?);
            } else if let syn::Item::Struct(item) = &item
                && is_public(&item.vis)
            {
                types.push_str(&handle(item));
            } else if let syn::Item::Fn(item) = &item
                && item.sig.abi.is_some()
            {
                functions.push_str(&function(item).map_err(placed)?);
            }
        }
    }
    Ok(format!(
        "/* Distance kernels for vector search: the C interface of elanus-kernels.\n   \
         Written from kernels-c/src by `cargo xtask header`; changes belong there. */\n\
         #ifndef ELANUS_KERNELS_H\n#define ELANUS_KERNELS_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n{types}{functions}\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    ))
}

const fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether there is an attribute `name(word)`.
fn has_word(attributes: &[Attribute], name: &str, word: &str) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident(name) && list.tokens.to_string() == word,
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// The doc comment as one comment of C, indented by so many spaces. What concerns Rust alone is left out.
fn comment(attributes: &[Attribute], indent: usize) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(value) = &pair.value else { continue };
        if let (true, Lit::Str(text)) = (pair.path.is_ident("doc"), &value.lit) {
            lines.push(text.value().trim().to_owned());
        }
    }
    let text: Vec<String> = lines
        .split(String::is_empty)
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| paragraph.join(" ").replace("# Safety ", "The caller sees to it that: "))
        .collect();
    let lead = " ".repeat(indent);
    let mut out = String::new();
    for (index, paragraph) in text.iter().enumerate() {
        let open = if index == 0 { format!("{lead}/* ") } else { format!("{lead}   ") };
        let mut line = open;
        let mut is_empty = true;
        for word in paragraph.split_whitespace() {
            if !is_empty && line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(out, "{line}");
                line = format!("{lead}   ");
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        let close = if index + 1 == text.len() { " */" } else { "" };
        let _ = writeln!(out, "{line}{close}");
    }
    out
}

fn enumeration(item: &ItemEnum) -> Fallible<String> {
    let mut out = format!("{}typedef enum {{\n", comment(&item.attrs, 0));
    let prefix = screaming(&item.ident.to_string());
    for variant in &item.variants {
        let Some((_, Expr::Lit(value))) = &variant.discriminant else {
            return Err(format!("{}::{} has no number", item.ident, variant.ident));
        };
        let Lit::Int(number) = &value.lit else { return Err(format!("{}::{}", item.ident, variant.ident)) };
        out.push_str(&comment(&variant.attrs, 2));
        let _ = writeln!(out, "  {prefix}_{} = {number},", screaming(&variant.ident.to_string()));
    }
    let _ = writeln!(out, "}} {};\n", item.ident);
    Ok(out)
}

/// `MhJaccard` as `MH_JACCARD`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

fn handle(item: &ItemStruct) -> String {
    format!("{}typedef struct {1} {1};\n\n", comment(&item.attrs, 0), item.ident)
}

fn function(item: &ItemFn) -> Fallible<String> {
    let name = item.sig.ident.to_string();
    if !is_public(&item.vis) || !has_word(&item.attrs, "unsafe", "no_mangle") {
        return Err(format!("{name} is neither public nor free of mangling"));
    }
    let result = match &item.sig.output {
        ReturnType::Default => "void".to_owned(),
        ReturnType::Type(_, ty) => c_type(ty).map_err(|e| format!("{name}: {e}"))?,
    };
    let mut parameters = Vec::new();
    for argument in &item.sig.inputs {
        let FnArg::Typed(argument) = argument else { return Err(format!("{name} takes self")) };
        let Pat::Ident(pattern) = &*argument.pat else { return Err(format!("{name} takes a pattern apart")) };
        let ty = c_type(&argument.ty).map_err(|e| format!("{name}: {e}"))?;
        parameters.push(joined(&ty, &pattern.ident.to_string()));
    }
    if parameters.is_empty() {
        parameters.push("void".to_owned());
    }
    let mut out = comment(&item.attrs, 0);
    let mut line = joined(&result, &format!("{name}("));
    for (index, parameter) in parameters.iter().enumerate() {
        let last = index + 1 == parameters.len();
        let word = format!("{parameter}{}", if last { ");" } else { "," });
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{}", line.trim_end());
            line = "    ".to_owned();
        } else if index > 0 {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{line}\n");
    Ok(out)
}

/// A type and a name: the star of a pointer stands at the name.
fn joined(ty: &str, name: &str) -> String {
    if ty.ends_with('*') { format!("{ty}{name}") } else { format!("{ty} {name}") }
}

fn c_type(ty: &Type) -> Fallible<String> {
    if let Type::Ptr(pointer) = ty {
        let inner = c_type(&pointer.elem)?;
        // `const` binds to what is pointed at, which in C stands before a name and after a star.
        let inner = match (pointer.const_token.is_some(), inner.ends_with('*')) {
            (true, true) => format!("{inner}const "),
            (true, false) => format!("const {inner}"),
            (false, _) => inner,
        };
        return Ok(if inner.ends_with('*') { format!("{inner}*") } else { format!("{inner} *") });
    }
    let Type::Path(path) = ty else { return Err("a type that is neither a name nor a pointer".to_owned()) };
    let name = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let known = match name.as_str() {
        "c_char" => "char",
        "c_void" => "void",
        "f32" => "float",
        "f64" => "double",
        "u8" => "uint8_t",
        "i8" => "int8_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "usize" => "size_t",
        "bool" => "_Bool",
        ours if ours.starts_with("Elanus") => ours,
        other => return Err(format!("type {other} has no counterpart in C")),
    };
    Ok(known.to_owned())
}
