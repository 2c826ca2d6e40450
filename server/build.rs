//! Compiles the protocol's text to Rust with a compiler written in Rust, so that no `protoc` is needed to build.

const FILES: [&str; 3] = ["common.proto", "schema.proto", "milvus.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    // The protocol has an RPC named Connect, which would collide with the `connect` of a client that makes its
    // own channel.
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
