// Every key is stored.

@group(0) @binding(5) var<storage, read_write> keys: array<f32>;

struct Window {
    first: u32,
}

fn window(query: u32) -> Window {
    return Window(query * params.key_stride + params.key_first);
}

fn offer(query: u32, within: Window, place: u32, key: f32) {
    keys[within.first + place] = key;
}
