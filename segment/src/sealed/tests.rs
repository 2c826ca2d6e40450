//! Sealed segments against the model they were sealed from, and files that were changed on purpose or by accident.

use super::*;
use crate::Growing;
use crate::column::{Batch, Column, ColumnData};
use crate::format::{ENTRY_BYTES, FOOTER_BYTES, HEADER_BYTES};
use crate::sample::{self, Model};
use crate::tombstone::{le_u32, le_u64};
use elanus_index::{BuildCx, Cancel, Spec, no_progress};
use elanus_kernels::Metric;
use elanus_kernels::rng::Rng;

/// Random rows with some deletes.
fn grown(seed: u64, key: DataType, batches: usize) -> (Growing, Model) {
    let schema = sample::schema(key);
    let growing = Growing::new(Arc::clone(&schema));
    let (mut rng, mut model) = (Rng::new(seed), Model::default());
    for ts in 1..=batches as u64 {
        let keys: Vec<i64> = (0..rng.below(40)).map(|_| rng.below(60) as i64).collect();
        let batch = sample::batch(&schema, &keys, &mut rng);
        model.append(&keys, &batch, &schema, ts);
        growing.append(batch, ts);
        let gone: Vec<i64> = (0..rng.below(5)).map(|_| rng.below(60) as i64).collect();
        assert_eq!(growing.delete(&sample::keys(&schema, &gone), ts), model.delete(&gone, ts));
    }
    (growing, model)
}

fn file(growing: &Growing) -> Vec<u8> {
    let mut out = Vec::new();
    let stats = crate::seal::write(&growing.view(), growing.schema(), &mut out).unwrap();
    assert_eq!(stats.size_bytes, out.len() as u64);
    assert_eq!(stats.rows, growing.len());
    assert_eq!((stats.first_timestamp, stats.last_timestamp), (growing.first_timestamp(), growing.last_timestamp()));
    out
}

fn open(bytes: &[u8]) -> Result<Sealed, OpenError> {
    Sealed::open(Blob::from_vec(bytes.to_vec()))
}

#[test]
fn has_what_the_growing_segment_had() {
    for seed in 0..6 {
        for key in [DataType::Int64, DataType::VarChar] {
            let (growing, mut model) = grown(seed, key, 12);
            let schema = growing.schema();
            let sealed = open(&file(&growing)).unwrap();
            assert_eq!((sealed.schema(), sealed.rows()), (schema, growing.len()));
            let mut undeleted = model.clone();
            undeleted.rows.iter_mut().for_each(|row| row.deleted = None);
            undeleted.check(&sealed.view(), schema, 7);
            sealed.set_tombstones(Arc::clone(growing.view().tombstones())).unwrap();
            for ts in [0, 1, 5, 11, 12, u64::MAX] {
                model.check(&sealed.view(), schema, ts);
            }
            model.check_values(&sealed.view(), schema);
            let before = (sealed.view(), model.clone());
            let gone = [1, 2, 3, 50, 1000];
            assert_eq!(sealed.delete(&sample::keys(schema, &gone), 10), model.delete(&gone, 10));
            assert_eq!(sealed.delete(&sample::keys(schema, &gone), 20), model.delete(&gone, 20));
            for ts in [9, 10, 11, 20] {
                model.check(&sealed.view(), schema, ts);
                before.1.check(&before.0, schema, ts);
            }
            let other = if key == DataType::Int64 { Keys::Str(vec!["k1-x".into()]) } else { Keys::Int(vec![1]) };
            assert_eq!(sealed.delete(&other, 30), 0);
            assert!(sealed.lookup(other.get(0), 5).is_none());
        }
    }
}

#[test]
fn an_empty_segment_can_be_sealed() {
    let schema = sample::schema(DataType::VarChar);
    let sealed = open(&file(&Growing::new(Arc::clone(&schema)))).unwrap();
    Model::default().check(&sealed.view(), &schema, 3);
    assert_eq!(sealed.len(), 0);
    assert_eq!(sealed.delete(&sample::keys(&schema, &[1]), 3), 0);
}

#[test]
fn sections_are_aligned_and_used_in_place() {
    let (growing, _) = grown(3, DataType::Int64, 12);
    let bytes = crate::map::aligned(&file(&growing));
    let inside = bytes.as_slice().as_ptr_range();
    let sealed = Sealed::open(bytes.clone()).unwrap();
    let ValuesView::FloatVector(rows) = sealed.column(9).values else { panic!("not vectors") };
    assert!(inside.contains(&rows.data().as_ptr().cast()));
    assert_eq!((rows.data().as_ptr().addr() - inside.start.addr()) % 4096, 0);
    let shifted = Blob::from_vec([&[0; 8][..], bytes.as_slice()].concat());
    let copied = Sealed::open(shifted.slice(8..shifted.len())).unwrap();
    assert!(bytemuck::cast_slice::<_, u8>(copied.timestamps()).as_ptr().addr().is_multiple_of(64));
}

#[test]
fn indexes_come_and_go() {
    let (growing, _) = grown(3, DataType::Int64, 12);
    let sealed = open(&file(&growing)).unwrap();
    let factory = elanus_index::find("FLAT").unwrap();
    let build = |position: usize, rows: usize| -> Arc<dyn Index> {
        let rows = sealed.column(position).vectors().unwrap().slice(0..rows);
        let spec = Spec::new(factory, rows.element(), rows.dim(), Metric::L2, vec![]).unwrap();
        let cancel = Cancel::default();
        let cx = BuildCx { pool: None, seed: 1, cancel: &cancel, progress: &no_progress, device: None };
        factory.build(&spec, rows, None, &cx).unwrap().into()
    };
    let all = sealed.rows();
    sealed.attach_index(9, build(9, all)).unwrap();
    let view = sealed.view();
    assert!(view.index(9).is_some() && view.index(10).is_none() && view.index(0).is_none() && view.index(99).is_none());
    assert!(sealed.detach_index(9).is_some() && sealed.detach_index(9).is_none() && sealed.detach_index(99).is_none());
    assert!(sealed.view().index(9).is_none() && view.index(9).is_some(), "a pinned view keeps its index");
    let refused = |position, index| sealed.attach_index(position, index).unwrap_err().to_string();
    assert_eq!(refused(0, build(9, all)), "there is no vector field at position 0");
    assert_eq!(refused(99, build(9, all)), "there is no vector field at position 99");
    assert_eq!(refused(10, build(9, all)), "made for f32, the field has f16");
    assert!(refused(9, build(9, all - 1)).starts_with("made for"));
    let tombstones = |row| Arc::new(Tombstones::from_iter([(row, 5)]));
    sealed.set_tombstones(tombstones(all as u32 - 1)).unwrap();
    assert!(sealed.set_tombstones(tombstones(all as u32)).is_err());
}

#[test]
fn every_changed_byte_is_noticed() {
    let (growing, _) = grown(8, DataType::VarChar, 3);
    let whole = file(&growing);
    open(&whole).unwrap();
    let mut bytes = crate::map::aligned(&whole).as_slice().to_vec();
    for place in 0..bytes.len() {
        bytes[place] ^= 1 << (place % 8);
        let error = open(&bytes).unwrap_err();
        assert!(!error.section.is_empty() && error.offset <= whole.len() as u64, "{error}");
        bytes[place] ^= 1 << (place % 8);
    }
    for len in 0..whole.len() {
        let error = open(&whole[..len]).unwrap_err();
        assert!(["header", "footer"].contains(&&*error.section), "{error}");
    }
    for more in [1, 8, 64, 4096] {
        open(&[&whole[..], &vec![0; more]].concat()).unwrap_err();
    }
    open(&[&whole[..], &whole[..]].concat()).unwrap_err();
}

/// Lines of the section table: place in the file, offset and length of the section.
fn lines(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let footer = bytes.len() - FOOTER_BYTES;
    let table = le_u64(&bytes[footer + 16..]) as usize;
    let line = |at: usize| (at, le_u64(&bytes[at + 8..]) as usize, le_u64(&bytes[at + 16..]) as usize);
    (table..footer).step_by(ENTRY_BYTES).map(line).collect()
}

/// Makes all checksums right again, as far as the places they are of can be found.
fn reseal(bytes: &mut [u8]) {
    let footer = bytes.len() - FOOTER_BYTES;
    let table = (le_u64(&bytes[footer + 16..]) as usize).min(footer);
    if (footer - table).is_multiple_of(ENTRY_BYTES) {
        for (at, offset, len) in lines(bytes) {
            if let Some(part) = offset.checked_add(len).and_then(|end| bytes.get(offset..end)) {
                let checksum = crc32c::crc32c(part);
                bytes[at + 24..at + 28].copy_from_slice(&checksum.to_le_bytes());
            }
        }
    }
    let checksum = crc32c::crc32c(&bytes[table..footer]);
    bytes[footer + 24..footer + 28].copy_from_slice(&checksum.to_le_bytes());
    for end in [HEADER_BYTES, footer + FOOTER_BYTES] {
        let checksum = crc32c::crc32c(&bytes[end - 64..end - 4]);
        bytes[end - 4..end].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads everything.
fn read_all(sealed: &Sealed) {
    let view = sealed.view();
    let schema = Arc::clone(sealed.schema());
    for row in 0..view.rows() as u32 {
        sample::row_of(&view, &schema, row);
    }
    for number in 0..60 {
        view.lookup(sample::keys(&schema, &[number]).get(0), u64::MAX);
    }
    sealed.delete(&sample::keys(&schema, &[1, 2, 3]), u64::MAX);
    view.visible(2);
}

#[test]
fn forged_files_cannot_do_harm() {
    for key in [DataType::Int64, DataType::VarChar] {
        let (growing, _) = grown(8, key, 3);
        let whole = file(&growing);
        let mut rng = Rng::new(21);
        let parts = lines(&whole);
        let (mut refused, mut opened) = (0, 0);
        for round in 0..6000_usize {
            let mut bytes = whole.clone();
            for _ in 0..1 + rng.below(3) {
                // Header, table and footer as often as the sections, and each section as often as the others.
                let (start, len) = match round % 4 {
                    0 => (0, HEADER_BYTES),
                    1 => (parts[0].0, whole.len() - parts[0].0),
                    _ => {
                        let (_, offset, len) = parts[rng.below(parts.len() as u64) as usize];
                        (offset, len.max(1))
                    }
                };
                let place = start + rng.below(len as u64) as usize;
                bytes[place] = if rng.below(2) == 0 { rng.next_u64() as u8 } else { bytes[place].wrapping_add(1) };
            }
            reseal(&mut bytes);
            match open(&bytes) {
                Err(error) => refused += usize::from(!error.section.is_empty()),
                Ok(sealed) => {
                    read_all(&sealed);
                    opened += 1;
                }
            }
        }
        assert!(refused > 1000 && opened > 1000, "{refused} refused, {opened} opened");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let (growing, _) = grown(8, DataType::Int64, 5);
    let whole = file(&growing);
    let parts = lines(&whole);
    // The order of the sections: schema, then for each field values or offsets and text, and validity.
    let section = |name: &str| {
        let names = "schema,flag,flag?,tiny,short,short?,id,int,long,long?,float,double,double?,name,name text,name?,\
                     v,h,h?,$meta,$meta text,timestamps,keys";
        assert_eq!(names.split(',').count(), parts.len());
        parts[names.split(',').position(|part| part == name).unwrap()]
    };
    let with = |place: usize, new: &[u8]| {
        let mut bytes = whole.clone();
        bytes[place..place + new.len()].copy_from_slice(new);
        reseal(&mut bytes);
        open(&bytes).unwrap_err().to_string()
    };
    let says = |text: String, want: &str| assert!(text.contains(want), "{text} / {want}");
    says(with(0, b"X"), "section header, byte 0: not such a file");
    says(with(8, &[2]), "format version 2 is newer than 1, the newest that this build reads");
    says(with(8, &[0]), "format version cannot be 0");
    says(with(12, &[9]), "section header, byte 12: field count cannot be 9");
    says(with(16, &[1]), "of flag, byte");
    says(with(20, &[1]), "row count cannot be");
    says(with(40, &[1]), "section header, byte 40: unused byte cannot be 1");
    says(with(section("schema").1, b"["), "section schema, byte 64: not a schema");
    says(with(section("flag").1 + 4, &[2]), "values of flag");
    says(with(section("flag").1 + 4, &[2]), "row 4 is neither 0 nor 1");
    says(with(section("name").1, &[1]), "section text of name");
    says(with(section("name").1 + 15, &[1]), "offsets or text are broken");
    says(with(section("name text").1, &[0xff]), "offsets or text are broken");
    says(with(section("flag?").1 + section("flag?").2 - 1, &[0xff]), "section validity of flag");
    says(with(section("timestamps").1 + 15, &[1]), "section timestamps");
    says(with(section("timestamps").1 + 15, &[1]), "row 2 is out of order");
    says(with(section("keys").1 + 3, &[1]), "row cannot be");
    let second = whole[section("keys").1 + 4..][..4].to_vec();
    says(with(section("keys").1, &second), "section keys");
    says(with(section("keys").1, &second), "row 1 is out of order");
    says(with(section("v").0 + 8, &[1]), "section values of v");
    says(with(section("v").0 + 8, &[1]), "offset cannot be");
    says(with(section("keys").0 + 20, &[1]), "length cannot be");
    says(with(section("keys").0 + 16, &[0]), "are needed");
    says(with(section("keys").0, &[6]), "section keys, byte");
    says(with(section("keys").0, &[6]), "is missing");
    says(with(section("keys").0 + 28, &[6]), "section table");
    says(with(section("tiny").1 + section("tiny").2, &[6]), "unused byte cannot be 6");
    let footer = whole.len() - FOOTER_BYTES;
    says(with(footer, b"X"), "section footer");
    says(with(footer + 8, &[1]), "are needed");
    says(with(footer + 30, &[1]), "unused byte");
    says(with(footer + 16, &[255; 8]), "table offset cannot be");
    assert_eq!(le_u32(&whole[12..]) as usize, growing.schema().fields.len());
}

#[test]
fn a_field_that_is_not_nullable_has_no_validity() {
    let mut schema = (*sample::schema(DataType::Int64)).clone();
    let batch = sample::batch(&schema, &(0..50).collect::<Vec<_>>(), &mut Rng::new(4));
    let growing = Growing::new(Arc::new(schema.clone()));
    growing.append(batch, 1);
    schema.fields[0].nullable = false;
    let mut out = Vec::new();
    crate::seal::write(&growing.view(), &schema, &mut out).unwrap();
    assert!(open(&out).unwrap_err().to_string().contains("section validity of flag"));
}

/// Reads a file by `docs/format.md` alone.
#[test]
fn bytes_are_where_the_format_page_says() {
    let fields = vec![
        Field::new("id", DataType::VarChar).primary().max_length(9),
        Field::new("v", DataType::FloatVector).dim(2),
        Field::new("n", DataType::Int16).nullable(),
    ];
    let schema = Arc::new(Schema::new("", fields, false).unwrap());
    let growing = Growing::new(Arc::clone(&schema));
    let mut column = Column::full(ColumnData::Int16(vec![-2]));
    column.push_null();
    let columns = vec![
        Column::full(ColumnData::VarChar(["zz", "a"].into_iter().collect())),
        Column::full(ColumnData::FloatVector { dim: 2, data: vec![1.0, 2.0, 3.0, 4.0] }),
        column,
    ];
    growing.append(Batch::new(&schema, columns).unwrap(), 0x0102_0304_0506_0708);
    let bytes = file(&growing);
    let sum = |bytes: &[u8]| crc32c::crc32c(bytes).to_le_bytes();

    assert_eq!(bytes[..24], *b"ELANSEGM\x01\0\0\0\x03\0\0\0\x02\0\0\0\0\0\0\0");
    assert!(bytes[24..60].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[60..64], sum(&bytes[..60]));

    let footer = &bytes[bytes.len() - 64..];
    assert_eq!(footer[..8], *b"ELANTAIL");
    assert_eq!(footer[8..16], (bytes.len() as u64).to_le_bytes());
    let table_at = bytes.len() - 64 - 8 * 32;
    assert_eq!(footer[16..24], (table_at as u64).to_le_bytes());
    assert_eq!(footer[24..28], sum(&bytes[table_at..bytes.len() - 64]));
    assert_eq!(footer[60..], sum(&footer[..60]));

    let json = serde_json::to_vec(&*schema).unwrap();
    let text_at = (64 + json.len()).next_multiple_of(64) + 64;
    let none = u32::MAX;
    let want: [(u32, u32, usize, &[u8]); 8] = [
        (1, none, 64, &json),
        (3, 0, text_at - 64, b"\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"),
        (4, 0, text_at, b"zza"),
        (2, 1, 4096, b"\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40"),
        (2, 2, 4160, b"\xfe\xff\0\0"),
        (5, 2, 4224, b"\x01\0\0\0\0\0\0\0"),
        (6, none, 4288, b"\x08\x07\x06\x05\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01"),
        (7, none, 4352, b"\x01\0\0\0\0\0\0\0"),
    ];
    for (line, (kind, field, offset, section)) in bytes[table_at..].chunks_exact(32).zip(want) {
        let (offset, len) = (offset as u64, section.len() as u64);
        assert_eq!(
            (le_u32(line), le_u32(&line[4..]), le_u64(&line[8..]), le_u64(&line[16..])),
            (kind, field, offset, len)
        );
        assert_eq!(bytes[offset as usize..][..section.len()], *section);
        assert_eq!((&line[24..28], &line[28..]), (&sum(section)[..], &[0; 4][..]));
    }
    assert_eq!(table_at, 4416);
}
