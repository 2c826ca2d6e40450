//! Makes the files of the bundled set from the Debian package: the test split as it is, the first images of the train
//! split as queries, and their exact neighbours.
#![allow(clippy::disallowed_methods, reason = "a tool that writes the crate's own data folder")]

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use elanus_datasets::truth::{exact, machine_threads};
use elanus_datasets::{BUNDLE_QUERIES, BUNDLE_TRUTH_K, Matrix, Values, bin_file, formats, idx};
use elanus_kernels::{Metric, Rows};
use flate2::{Compression, GzBuilder};

const PACKAGE: &str = "/usr/share/datasets/fashion-mnist";
const SIDE: u32 = 28;

fn main() -> Result<(), Box<dyn Error>> {
    let package = std::env::args_os().nth(1).unwrap_or_else(|| PACKAGE.into());
    let package = Path::new(&package);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for name in ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"] {
        fs::write(data.join(name), fs::read(package.join(name))?)?;
    }
    let base = formats::read_f32(&package.join("t10k-images-idx3-ubyte.gz"))?;
    let Values::U8(train) = formats::read_values(&package.join("train-images-idx3-ubyte.gz"))? else {
        return Err("the train images are not stored as bytes".into());
    };
    let queries = Matrix::new(train.dim(), train.data()[..BUNDLE_QUERIES * train.dim()].to_vec())
        .ok_or("the train images are not whole rows")?;

    // No name and no time in the header, so that the same images make the same file.
    let mut packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packed.write_all(&idx::encode_images(&queries, SIDE))?;
    fs::write(data.join("train-500-images-idx3-ubyte.gz"), packed.finish()?)?;

    let queries = Values::U8(queries).into_f32();
    let truth = exact(
        Metric::L2,
        Rows::new(base.data(), base.dim())?,
        Rows::new(queries.data(), queries.dim())?,
        BUNDLE_TRUTH_K,
        machine_threads(),
    )?;
    fs::write(data.join("truth-500x100.ibin"), bin_file::encode_truth(&truth))?;
    eprintln!("wrote {} queries with {} neighbours each to {}", truth.len(), truth.k(), data.display());
    Ok(())
}
