//! Which primary keys a filter can be true for, where they are a list.

use super::node::Node;
use super::number::Order;
use elanus_segment::Keys;

/// The keys, ascending and without repetition, if the filter is true for rows of these alone.
pub(crate) fn keys(node: &Node, primary: usize) -> Option<Keys> {
    match node {
        Node::IntIn { field, set } if *field == primary => Some(Keys::Int(set.values().to_vec())),
        Node::IntRange { field, least, greatest } if *field == primary && least >= greatest => {
            Some(Keys::Int(if least == greatest { vec![*least] } else { Vec::new() }))
        }
        Node::TextOrder { field, order: Order::Eq, text } if *field == primary => {
            Some(Keys::Str(vec![text.to_string()]))
        }
        Node::TextIn { field, set } if *field == primary => {
            let mut texts: Vec<String> = set.iter().map(|text| text.to_string()).collect();
            texts.sort_unstable();
            Some(Keys::Str(texts))
        }
        Node::And(parts) => parts.iter().filter_map(|part| keys(part, primary)).reduce(intersection),
        Node::Or(parts) => {
            let parts: Option<Vec<Keys>> = parts.iter().map(|part| keys(part, primary)).collect();
            union(parts?)
        }
        Node::Certain(inner) => keys(inner, primary),
        Node::Const(_)
        | Node::Not(_)
        | Node::Same(_)
        | Node::Present(_)
        | Node::Flag(_)
        | Node::IntRange { .. }
        | Node::FloatRange { .. }
        | Node::IntIn { .. }
        | Node::FloatIn { .. }
        | Node::TextOrder { .. }
        | Node::TextIn { .. }
        | Node::TextLike { .. }
        | Node::TextRegex { .. }
        | Node::Texts { .. }
        | Node::Numbers { .. }
        | Node::Json { .. }
        | Node::JsonPresent(_) => None,
    }
}

fn intersection(left: Keys, right: Keys) -> Keys {
    match (left, right) {
        (Keys::Int(mut left), Keys::Int(right)) => {
            left.retain(|key| right.binary_search(key).is_ok());
            Keys::Int(left)
        }
        (Keys::Str(mut left), Keys::Str(right)) => {
            left.retain(|key| right.binary_search(key).is_ok());
            Keys::Str(left)
        }
        // One field has keys of one type.
        (left, _) => left,
    }
}

fn union(parts: Vec<Keys>) -> Option<Keys> {
    let (mut ints, mut texts) = (Vec::new(), Vec::new());
    let are_ints = matches!(parts.first()?, Keys::Int(_));
    for part in parts {
        match part {
            Keys::Int(keys) => ints.extend(keys),
            Keys::Str(keys) => texts.extend(keys),
        }
    }
    ints.sort_unstable();
    ints.dedup();
    texts.sort_unstable();
    texts.dedup();
    Some(if are_ints { Keys::Int(ints) } else { Keys::Str(texts) })
}
