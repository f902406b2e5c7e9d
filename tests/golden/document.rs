//! docs/FORMAT.md against the constants of the code and the committed bytes: its tables add up, and every field stands
//! where they say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;

use rhinobox::limits;
use rhinobox::store::format::attributes::Kind;
use rhinobox::store::format::{
    FIRST_BATCH_OFFSET, HEADER_COPY_OFFSET, SEAL_OFFSET, batch, header, record, seal,
};

use crate::structures::{self, golden};

/// A structure as the document has it.
struct Structure {
    /// As its heading says.
    bytes: usize,
    /// Offset, size and name of the fields of fixed size.
    fields: Vec<(usize, usize, String)>,
}

impl Structure {
    fn field(&self, name: &str) -> std::ops::Range<usize> {
        let found = self.fields.iter().find(|(_, _, field)| field == name);
        let (offset, size, _) = found.unwrap_or_else(|| panic!("the document has no field {name}"));
        *offset..offset + size
    }
}

fn document() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/FORMAT.md")).unwrap()
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// The structures, by the name in their headings (`### Name: n bytes ...`).
fn found() -> BTreeMap<String, Structure> {
    let text = document();
    let mut found = BTreeMap::new();
    for section in text.split("\n### ").skip(1) {
        let heading = section.lines().next().unwrap();
        let Some((name, size)) = heading.split_once(": ") else { continue };
        let digits = size.split(' ').next().unwrap();
        let bytes = digits.parse().unwrap_or_else(|_| panic!("{heading} has no size"));
        let rows = section.lines().filter_map(cells).skip_while(|row| row[0] != "offset").skip(2);
        let rows = rows.take_while(|row| row.len() == 4);
        let fixed =
            rows.filter_map(|row| Some((row[0].parse().ok()?, row[1].parse().ok()?, row[2].to_owned())));
        found.insert(name.to_owned(), Structure { bytes, fields: fixed.collect() });
    }
    found
}

#[test]
fn the_tables_add_up_to_the_constants_of_the_code() {
    let head = record::ENTRY_HEAD_BYTES;
    let first_batch = usize::try_from(FIRST_BATCH_OFFSET).unwrap();
    let expected = [
        ("Segment file", 0, first_batch),
        ("Segment header", 0, header::HEADER_BYTES),
        ("Seal", 0, seal::SEAL_BYTES),
        ("Batch header", 0, batch::BATCH_HEADER_BYTES),
        ("Slot", 0, batch::SLOT_BYTES),
        ("Entry head", 0, head),
        ("Put entry", head, record::PUT_BYTES),
        ("Put-large entry", head, record::PUT_LARGE_FIXED_BYTES),
        ("Name entry", head, record::NAME_FIXED_BYTES),
        ("Delete-content entry", head, head + 32),
        ("Delete-name entry", head, head + 8),
        ("Attributes entry", head, head + 12),
        ("Retire-segment entry", head, head + 8),
        ("Retire-blob entry", head, head + 8),
        ("Attribute", 0, 4),
    ];
    let found = found();
    assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
    for (name, start, bytes) in expected {
        let structure = &found[name];
        assert_eq!(structure.bytes, bytes, "{name}");
        let end = structure.fields.iter().fold(start, |end, (offset, size, field)| {
            assert_eq!(*offset, end, "{name}: {field} follows what stands before it");
            end + size
        });
        assert_eq!(end, bytes, "{name}: the last field ends it");
    }
    let places = [("copy", HEADER_COPY_OFFSET), ("seal", SEAL_OFFSET)];
    for (field, offset) in places {
        assert_eq!(found["Segment file"].field(field).start as u64, offset);
    }
}

#[test]
fn fields_stand_where_the_document_says() {
    let found = found();
    let check = |name: &str, bytes: &[u8], fields: &[(&str, u64)]| {
        for (field, value) in fields {
            let at = found[name].field(field);
            let mut number = [0; 8];
            number[..at.len()].copy_from_slice(&bytes[at]);
            assert_eq!(u64::from_le_bytes(number), *value, "{name}: {field}");
        }
    };
    let magic = |name: &str, bytes: &[u8], text: &str| {
        assert_eq!(&bytes[found[name].field("magic")], text.as_bytes());
        assert!(document().contains(&format!("| magic | `{text}` |")));
    };
    let time = 1_763_202_600_123_456_789;
    let path = ("path_bytes", structures::PATH.len() as u64);
    let attributes = ("attributes_bytes", structures::attributes().as_bytes().len() as u64);

    let bytes = golden("segment-header");
    magic("Segment header", &bytes, "RHINOSEG");
    assert_eq!(&bytes[found["Segment header"].field("store")], b"golden store id.");
    assert_eq!(&bytes[found["Segment header"].field("nonce")], b"golden nonce....");
    check(
        "Segment header",
        &bytes,
        &[
            ("version", 1),
            ("block_bytes", 4096),
            ("compatible", 5),
            ("read_compatible", 0),
            ("incompatible", 0),
            ("segment", 0x0a0b_0c0d),
            ("lane", 3),
            ("created", time),
            ("size", 0x0400_0000),
            ("first_batch", 42),
            ("predecessor", 7),
            ("predecessor_end", 0x0003_f000),
            ("predecessor_last_batch", 41),
        ],
    );
    let bytes = golden("seal");
    magic("Seal", &bytes, "RHINOEND");
    let fields = [("end", 0x0001_5000), ("last_batch", 43), ("batches", 2), ("records", 9)];
    check("Seal", &bytes, &fields);
    check("Seal", &bytes, &[("least_lsn", 100), ("greatest_lsn", 108), ("sealed", time)]);

    let bytes = golden("batch");
    magic("Batch header", &bytes, "RBAT");
    let fields = [
        ("version", 1),
        ("seq", 42),
        ("durable_through", 41),
        ("segment", 0x0a0b_0c0d),
        ("lane", 3),
        ("offset", FIRST_BATCH_OFFSET),
        ("batch_bytes", 4096),
        ("records", 4),
        ("least_lsn", 100),
        ("greatest_lsn", 103),
        ("written", time),
    ];
    check("Batch header", &bytes, &fields);

    // The entries of the batch, found through its slots.
    let slot = |number: usize| {
        let slot = &bytes[128 + 8 * number..];
        let word = |at: std::ops::Range<usize>| u32::from_le_bytes(slot[at].try_into().unwrap()) as usize;
        let offset = word(found["Slot"].field("entry_offset"));
        &bytes[offset..offset + word(found["Slot"].field("entry_bytes"))]
    };
    let content = [("hash", 1), ("codec", 0), ("key", 0)];
    check("Put entry", slot(0), &content);
    check("Put entry", slot(0), &[("stored_bytes", 13), ("content_bytes", 13)]);
    check("Name entry", slot(1), &[("namespace", 0), path, attributes]);
    check("Put-large entry", slot(2), &content);
    let fields = [("blob", 0x0a0b_0c0d_0000_0002), ("chunk_bytes", 262_144), ("chunks", 2)];
    check("Put-large entry", slot(2), &fields);
    check("Put-large entry", slot(2), &[("stored_bytes", 262_145), ("content_bytes", 262_145)]);
    for number in 0..4 {
        check(
            "Entry head",
            slot(number),
            &[("version", 1), ("flags", 0), ("lsn", 100 + number as u64), ("time", time)],
        );
        check("Entry head", slot(number), &[("len", slot(number).len() as u64)]);
    }
    check("Delete-name entry", &golden("delete-name"), &[("namespace", 0), path]);
    check("Attributes entry", &golden("attributes"), &[path, attributes]);
    check("Retire-segment entry", &golden("retire-segment"), &[("segment", 7)]);
    check("Retire-blob entry", &golden("retire-blob"), &[("blob", 0x0102_0304_0506_0708)]);
    check("Entry head", &golden("unknown"), &[("kind", 200), ("flags", 1), ("len", 32)]);

    let format = String::from_utf8(golden("format-file")).unwrap();
    assert!(document().contains(&format!("```text\n{format}```")), "{format}");

    // Kinds by their numbers.
    let kinds = [
        ("put", slot(0)[8]),
        ("name", slot(1)[8]),
        ("put-large", slot(2)[8]),
        ("delete-content", slot(3)[8]),
        ("delete-name", golden("delete-name")[8]),
        ("attributes", golden("attributes")[8]),
        ("retire-segment", golden("retire-segment")[8]),
        ("retire-blob", golden("retire-blob")[8]),
    ];
    for (name, number) in kinds {
        assert!(document().contains(&format!("\n| {number} | {name} | ")), "kind {number} is {name}");
    }
}

#[test]
fn attribute_types_and_limits_are_those_of_the_code() {
    let text = document();
    for (kind, name) in [
        (Kind::OriginalName, "original name"),
        (Kind::Folder, "folder"),
        (Kind::Mime, "media type"),
        (Kind::Category, "category"),
        (Kind::Comment, "comment"),
        (Kind::Tag, "tag"),
        (Kind::Added, "added"),
    ] {
        assert!(text.contains(&format!("\n| {} | {name} | ", kind as u16)), "{name}");
    }
    let limits = [
        ("BLOCK_BYTES", limits::BLOCK_BYTES as u64),
        ("BATCH_BYTES_MAX", limits::BATCH_BYTES_MAX as u64),
        ("BATCH_RECORDS_MAX", limits::BATCH_RECORDS_MAX as u64),
        ("BLOB_CHUNK_BYTES", limits::BLOB_CHUNK_BYTES as u64),
        ("FILE_BYTES_MAX", limits::FILE_BYTES_MAX),
        ("PATH_BYTES_MAX", limits::PATH_BYTES_MAX as u64),
        ("PATH_COMPONENT_BYTES_MAX", limits::PATH_COMPONENT_BYTES_MAX as u64),
        ("FILE_NAME_BYTES_MAX", limits::FILE_NAME_BYTES_MAX as u64),
        ("FOLDER_BYTES_MAX", limits::FOLDER_BYTES_MAX as u64),
        ("CATEGORY_BYTES_MAX", limits::CATEGORY_BYTES_MAX as u64),
        ("COMMENT_BYTES_MAX", limits::COMMENT_BYTES_MAX as u64),
        ("FORMAT_FILE_BYTES_MAX", limits::FORMAT_FILE_BYTES_MAX as u64),
    ];
    let rows: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("_MAX` |") || line.contains("_BYTES` |"))
        .collect();
    assert_eq!(rows.len(), limits.len(), "{rows:?}");
    for (name, value) in limits {
        let row = rows
            .iter()
            .find(|row| row.starts_with(&format!("| `{name}` |")))
            .unwrap_or_else(|| panic!("{name}"));
        let said = cells(row).unwrap()[1].replace(',', "");
        assert_eq!(said, value.to_string(), "{name}");
    }
}
