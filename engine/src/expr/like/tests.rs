//! Tests of patterns against a plain matcher.

use super::*;
use elanus_kernels::rng::Rng;

/// The definition, tried in every way.
fn plain(pattern: &[Part], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Part::Any, rest)), _) => (0..=text.len()).any(|skip| plain(rest, &text[skip..])),
        (Some((Part::One, rest)), Some((_, more))) => plain(rest, more),
        (Some((Part::Char(c), rest)), Some((first, more))) => c == first && plain(rest, more),
        (Some((Part::One | Part::Char(_), _)), None) => false,
    }
}

#[test]
fn patterns_match_as_the_plain_matcher_does() {
    let mut rng = Rng::new(2);
    let mut any = |alphabet: &[char], longest: u64| -> String {
        let len = rng.next_u64() % (longest + 1);
        (0..len).map(|_| alphabet[(rng.next_u64() % alphabet.len() as u64) as usize]).collect()
    };
    let mut matched = 0;
    for round in 0..20_000 {
        let alphabet: &[char] = if round % 2 == 0 { &['a', 'b', '%'] } else { &['a', '\u{e9}', '%', '_', '\\'] };
        let pattern = any(alphabet, 6);
        let text = any(&['a', 'b', '\u{e9}', '%', '_', '\n'], 7);
        let Ok(like) = Like::new(&pattern) else {
            let slashes = pattern.chars().rev().take_while(|&c| c == '\\').count();
            assert_eq!(slashes % 2, 1, "{pattern}");
            continue;
        };
        let want = plain(&parts(&pattern).expect("it compiled"), &text.chars().collect::<Vec<_>>());
        assert_eq!(like.matches(&text), want, "{pattern:?} {text:?}");
        matched += u32::from(want);
    }
    assert!(matched > 1000, "{matched}");
}

#[test]
fn patterns_without_underscores_need_no_regular_expression() {
    for pattern in ["abc", "abc%", "%abc", "%abc%", "a%b%c", "%", "", r"50\%", r"a\_b"] {
        assert!(matches!(Like::new(pattern), Ok(Like::Pieces(_))), "{pattern}");
    }
    assert!(matches!(Like::new("a_c"), Ok(Like::Regex(_))));
}

#[test]
fn case_and_whole_text_count() {
    let like = Like::new("Ab%").expect("it compiles");
    assert!(like.matches("Abc") && !like.matches("abc") && !like.matches("xAb"));
    let like = Like::new("%a%a").expect("it compiles");
    assert!(like.matches("aa") && !like.matches("a"));
    let like = Like::new("a.c+").expect("it compiles");
    assert!(like.matches("a.c+") && !like.matches("abcc"));
}

#[test]
fn limits_are_named() {
    let long = "a".repeat(PATTERN_LENGTH_MAX + 1);
    assert_eq!(Like::new(&long).map(|_| ()), Err("the pattern is longer than 65535 bytes".to_owned()));
    assert_eq!(Like::new(r"a\").map(|_| ()), Err("the pattern ends in a lone backslash".to_owned()));
    let large = format!("{}%", "_".repeat(60_000));
    assert_eq!(Like::new(&large).map(|_| ()), Err("the pattern compiles to more than 1048576 bytes".to_owned()));
    let huge = regex(r"(\w{100}){100}").map(|_| ());
    assert_eq!(huge, Err("the pattern compiles to more than 1048576 bytes".to_owned()));
    assert_eq!(regex("a(b").map(|_| ()), Err("the pattern is malformed: unclosed group".to_owned()));
    assert!(regex(&"(".repeat(60_000)).is_err());
    assert!(regex(&format!("{}a{}", "(".repeat(200), ")".repeat(200))).is_err());
}
