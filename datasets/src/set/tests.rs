//! Sets from files, and parts that do not agree.

use super::*;
use crate::file::write_whole;

fn fbin(rows: &[&[f32]]) -> Vec<u8> {
    let header = [rows.len() as u32, rows[0].len() as u32];
    let values = rows.concat();
    header.iter().flat_map(|v| v.to_le_bytes()).chain(values.iter().flat_map(|v| v.to_le_bytes())).collect()
}

fn ivecs(rows: &[&[i32]]) -> Vec<u8> {
    rows.iter().flat_map(|row| [&[row.len() as i32], *row].concat()).flat_map(i32::to_le_bytes).collect()
}

#[test]
fn from_files_of_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_whole(&path("base.fbin"), &fbin(&[&[0.0, 0.0], &[1.0, 1.0], &[5.0, 5.0]])).unwrap();
    write_whole(&path("queries.bvecs"), &[2, 0, 0, 0, 5, 4]).unwrap();
    write_whole(&path("near.ivecs"), &ivecs(&[&[2, 1]])).unwrap();
    let load = |truth: Option<&Path>| Set::from_files(Metric::L2, &path("base.fbin"), &path("queries.bvecs"), truth);

    let mut set = load(Some(path("near.ivecs").as_path())).unwrap();
    assert_eq!((set.name.as_str(), set.len(), set.dim, set.query_count()), ("base.fbin", 3, 2, 1));
    assert_eq!((set.row(2), set.query(0)), (&[5.0, 5.0][..], &[5.0, 4.0][..]));
    assert_eq!((set.base_rows().len(), set.query_rows().len()), (3, 1));
    assert_eq!(set.truth.as_ref().unwrap().ids(0), [2, 1]);
    assert_eq!(set.ensure_truth(2, None).unwrap().k(), 2, "what is known is kept");
    assert_eq!(set.ensure_truth(3, None).unwrap().ids(0), [2, 1, 0], "what is not is computed");
    let error = set.ensure_truth(4, None).unwrap_err().to_string();
    assert_eq!(error, "cannot give the 4 nearest of 3 rows");

    let mut set = load(None).unwrap();
    assert_eq!(set.truth, None);
    let cache = path("cache");
    assert_eq!(set.ensure_truth(1, Some(&cache)).unwrap().ids(0), [2]);
    assert!(crate::file::is_file(&cache), "the file that was asked for is written");
}

#[test]
fn files_that_do_not_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_whole(&path("base.fbin"), &fbin(&[&[0.0, 0.0], &[1.0, 1.0]])).unwrap();
    write_whole(&path("wide.fbin"), &fbin(&[&[0.0, 0.0, 0.0]])).unwrap();
    write_whole(&path("nan.fbin"), &fbin(&[&[0.0, 0.0], &[0.0, f32::NAN]])).unwrap();
    write_whole(&path("two.ivecs"), &ivecs(&[&[0], &[1]])).unwrap();
    write_whole(&path("one.ivecs"), &ivecs(&[&[0]])).unwrap();
    write_whole(&path("far.ivecs"), &ivecs(&[&[0], &[2]])).unwrap();
    let refused = |base: &str, queries: &str, truth: Option<&str>| {
        let truth = truth.map(path);
        Set::from_files(Metric::L2, &path(base), &path(queries), truth.as_deref()).unwrap_err().to_string()
    };
    assert_eq!(refused("base.fbin", "wide.fbin", None), "`base.fbin`: the dimension of the queries is 3, expected 2");
    assert_eq!(
        refused("base.fbin", "nan.fbin", None),
        "`base.fbin`: queries row 1 holds no finite number at position 1"
    );
    assert_eq!(refused("nan.fbin", "base.fbin", None), "`nan.fbin`: base row 1 holds no finite number at position 1");
    let text = refused("base.fbin", "base.fbin", Some("one.ivecs"));
    assert_eq!(text, "`base.fbin`: the number of queries with known neighbours is 1, expected 2");
    let text = refused("base.fbin", "base.fbin", Some("far.ivecs"));
    assert!(text.ends_with("far.ivecs: row 1 holds the row number 2, expected 0 to below 2"), "{text}");
    assert!(refused("base.csv", "base.fbin", None).contains("no reader for this extension"));
    let good = Set::from_files(Metric::Ip, &path("base.fbin"), &path("base.fbin"), Some(&path("two.ivecs")));
    assert_eq!(good.unwrap().truth.unwrap().all_ids(), [0, 1]);
}

#[test]
fn labels_have_to_be_as_many_as_rows() {
    let matrix = || Matrix::new(1, vec![1.0, 2.0]).unwrap();
    let parts = |labels| Parts {
        name: "t".to_owned(),
        metric: Metric::L2,
        base: matrix(),
        queries: matrix(),
        labels: Some(labels),
        truth: None,
    };
    assert_eq!(parts(vec![1]).join().unwrap_err().to_string(), "`t`: the number of labels is 1, expected 2");
    assert_eq!(parts(vec![1, 2]).join().unwrap().labels.unwrap(), [1, 2]);
}
