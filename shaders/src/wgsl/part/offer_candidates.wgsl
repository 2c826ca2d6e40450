struct Window {
    lower: vec2<u32>,
    bound: vec2<u32>,
}

fn window(query: u32) -> Window {
    return Window(states[query].lower, states[query].bound);
}

fn offer(query: u32, within: Window, place: u32, key: f32) {
    let candidate = vec2<u32>(params.chunk_first + row_at(place), ordered(key));
    if is_nan(key) || less(candidate, within.lower) || !less(candidate, within.bound) {
        return;
    }
    let at = atomicAdd(&states[query].count, 1u);
    if at < CAPACITY {
        candidates[query * CAPACITY + at] = candidate;
    }
}
