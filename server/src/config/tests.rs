//! The command line's defaults and limits.

use super::{Cli, Command, ServeArgs};
use clap::{CommandFactory, Parser};

fn serve(args: &[&str]) -> Result<ServeArgs, clap::Error> {
    match Cli::try_parse_from(["elanus", "serve"].iter().chain(args))?.command {
        Command::Serve(args) => Ok(args),
        other @ (Command::Demo(_) | Command::Devices) => panic!("not serve: {other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn serve_has_milvus_ports_by_default() {
    let args = serve(&[]).unwrap();
    assert_eq!(args.data.to_str(), Some("./elanus-data"));
    assert_eq!(args.listen, "127.0.0.1:19530");
    assert_eq!(args.http, "127.0.0.1:9091");
    assert_eq!((args.concurrency, args.queue, args.request_memory), (256, 256, 2048));
    assert!(args.places() > 512);
    assert_eq!((args.gpu.settings().gpu.as_str(), args.gpu.settings().gpu_memory_mib), ("auto", 0));
}

#[test]
fn limits_are_checked() {
    assert!(serve(&["--concurrency", "0"]).is_err());
    assert!(serve(&["--concurrency", "65537"]).is_err());
    assert!(serve(&["--queue", "-1"]).is_err());
    assert!(serve(&["--request-memory", "0"]).is_err());
    assert!(serve(&["--request-memory", "1048577"]).is_err());
    assert!(serve(&["--no-such-option"]).is_err());
    assert!(serve(&["--gpu-memory", "0"]).is_err());
    let error = serve(&["--gpu", "card"]).unwrap_err().to_string();
    assert!(error.contains("names no device") && error.contains("cuda:0"), "{error}");
    let settings = serve(&["--gpu", "wgpu:1", "--gpu-memory", "512"]).unwrap().gpu.settings();
    assert_eq!((settings.gpu.as_str(), settings.gpu_memory_mib), ("wgpu:1", 512));
    assert_eq!(serve(&["--queue", "0"]).unwrap().queue, 0);
    assert!(serve(&["--disk-index-memory", "0"]).is_err());
    assert_eq!(serve(&["--disk-index-memory", "64"]).unwrap().settings().disk_index_memory_mib, 64);
    assert_eq!(serve(&[]).unwrap().settings(), elanus::Settings::default());
}
