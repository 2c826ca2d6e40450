// Keys go to each query's list of candidates, if they are in its window.

struct State {
    // Candidates are at least `lower` and less than `bound`.
    lower: vec2<u32>,
    bound: vec2<u32>,
    // How many were offered, those included that did not fit.
    count: atomic<u32>,
    // Whether candidates were lost, in a pass that was no sample.
    overflowed: u32,
    // How many the last selection kept.
    kept: u32,
    spare: u32,
}

@group(0) @binding(4) var<storage, read_write> states: array<State>;
@group(0) @binding(5) var<storage, read_write> candidates: array<vec2<u32>>;
