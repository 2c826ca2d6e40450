//! Tests of the parser: precedence, spans, depth.

use super::super::tree::Step;
use super::*;

/// The tree in prefix notation.
fn shape(expr: &Expr) -> String {
    let all = |parts: &[Expr]| parts.iter().map(shape).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => format!("{value:?}"),
        Kind::Text(text) => format!("{text:?}"),
        Kind::List(parts) => format!("[{}]", all(parts)),
        Kind::Template(name) => format!("{{{name}}}"),
        Kind::Path(path) => {
            let steps = path.steps.iter().map(|step| match step {
                Step::Key(key) => format!(".{key}"),
                Step::At(position) => format!(".{position}"),
            });
            format!("{}{}", path.name, steps.collect::<String>())
        }
        Kind::Negate(part) => format!("(neg {})", shape(part)),
        Kind::Plus(part) => format!("(pos {})", shape(part)),
        Kind::Not(part) => format!("(not {})", shape(part)),
        Kind::And(parts) => format!("(and {})", all(parts)),
        Kind::Or(parts) => format!("(or {})", all(parts)),
        Kind::Arith(arith, parts) => format!("({} {})", arith.symbol(), all(&parts[..])),
        Kind::Compare(order, parts) => format!("({} {})", order.symbol(), all(&parts[..])),
        Kind::Chain(chain) => {
            format!("(chain {} {} {})", chain.orders[0].symbol(), chain.orders[1].symbol(), all(&chain.operands))
        }
        Kind::In(test) => infix("in", test),
        Kind::Like(test) => infix("like", test),
        Kind::Regex(test) => infix("=~", test),
        Kind::IsNull(part, negated) => format!("({} {})", if *negated { "present" } else { "null" }, shape(part)),
        Kind::Exists(part) => format!("(exists {})", shape(part)),
        Kind::Call(call) => format!("({} {})", call.name, all(&call.args)),
    }
}

fn infix(name: &str, test: &Infix) -> String {
    let not = if test.negated { "not-" } else { "" };
    format!("({not}{name} {} {})", shape(&test.value), shape(&test.constant))
}

#[test]
fn operators_bind_as_the_grammar_says() {
    let cases = [
        ("a or b and c", "(or a (and b c))"),
        ("a || b && c OR d AND e", "(or a (and b c) (and d e))"),
        ("(a or b) and c", "(and (or a b) c)"),
        ("a and b and c", "(and a b c)"),
        ("a == 1 and b != 2", "(and (== a 1) (!= b 2))"),
        ("f & 4 == 4", "(& f (== 4 4))"),
        ("(f & 4) == 4", "(== (& f 4) 4)"),
        ("a | b ^ c & d", "(| a (^ b (& c d)))"),
        ("a == b < c", "(== a (< b c))"),
        ("a < b + 1", "(< a (+ b 1))"),
        ("a + b * c - d", "(- (+ a (* b c)) d)"),
        ("a / b % c", "(% (/ a b) c)"),
        ("2 ** 3 ** 2", "(** (** 2 3) 2)"),
        ("-2 ** 2", "(neg (** 2 2))"),
        ("2 ** -1 * 3", "(* (** 2 (neg 1)) 3)"),
        ("-a * b", "(* (neg a) b)"),
        ("a - -b", "(- a (neg b))"),
        ("+a", "(pos a)"),
        ("a in [1, 2,] and b", "(and (in a [1 2]) b)"),
        ("a + 1 in []", "(in (+ a 1) [])"),
        ("a not in [1]", "(not-in a [1])"),
        ("a == b in [true]", "(== a (in b [true]))"),
        ("1 < x <= 5", "(chain < <= 1 x 5)"),
        ("5 >= x + 1 > 1 and y", "(and (chain >= > 5 (+ x 1) 1) y)"),
        ("not x like \"a%\"", "(not (like x \"a%\"))"),
        ("not x is null", "(not (null x))"),
        ("not x == 1", "(not (== x 1))"),
        ("NOT color == \"green\" and b", "(and (not (== color \"green\")) b)"),
        ("not x in [1]", "(not (in x [1]))"),
        ("!a and !!b", "(and (not a) (not (not b)))"),
        ("a like \"x\" == true", "(== (like a \"x\") true)"),
        ("a =~ \"x\" and b !~ r\"y\\d\"", "(and (=~ a \"x\") (not-=~ b \"y\\\\d\"))"),
        ("exists a[\"b\"] and c", "(and (exists a.b) c)"),
        ("a is null or b is not null OR c IS NOT NULL", "(or (null a) (present b) (present c))"),
        ("f[\"a\"]['b'][0] == {x}", "(== f.a.b.0 {x})"),
        ("$meta[\"k\"] == True", "(== $meta.k true)"),
        ("json_contains(a[\"k\"], 1)", "(json_contains a.k 1)"),
        ("ARRAY_LENGTH(a) > 1", "(> (ARRAY_LENGTH a) 1)"),
        ("a in {list}", "(in a {list})"),
        ("is == null", "(== is null)"),
        ("a == 010 or b == 0x1F", "(or (== a 8) (== b 31))"),
    ];
    for (text, want) in cases {
        match parse(text) {
            Ok(expr) => assert_eq!(shape(&expr), want, "{text}"),
            Err(fault) => panic!("{text}: {fault:?}"),
        }
    }
}

#[test]
fn spans_cover_what_was_written() {
    let expr = parse("  (a + 1) == b[\"c\"]  ").expect("it parses");
    assert_eq!(expr.span, Span { start: 2, end: 19 });
    let Kind::Compare(_, sides) = expr.kind else { panic!("no comparison") };
    assert_eq!((sides[0].span, sides[1].span), (Span { start: 2, end: 9 }, Span { start: 13, end: 19 }));
}

#[test]
fn long_flat_conditions_are_not_deep() {
    let text = vec!["a == 1"; 50_000].join(" or ");
    let Kind::Or(parts) = parse(&text).expect("it parses").kind else { panic!("no disjunction") };
    assert_eq!(parts.len(), 50_000);
}

#[test]
fn depth_has_a_limit_and_needs_little_stack() {
    let run = || {
        let open = "(".repeat(DEPTH_MAX - 1);
        let close = ")".repeat(DEPTH_MAX - 1);
        assert!(parse(&format!("{open}a{close}")).is_ok());
        let deep = [
            format!("({open}a{close})"),
            "(".repeat(100_000),
            "[".repeat(100_000),
            "not ".repeat(100_000),
            "-".repeat(100_000),
            format!("a{}", " + 1".repeat(100_000)),
            format!("a{}", " == 1".repeat(100_000)),
            "json_contains(".repeat(100_000),
            "exists ".repeat(100_000),
        ];
        for text in deep {
            let fault = parse(&text).expect_err("too deep");
            assert_eq!(fault.message, "the expression nests deeper than 256 levels");
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run).expect("a thread starts");
    thread.join().expect("it neither overflows nor fails");
}
