//! What is known of a stored name, as JSON: the fields that lists, `meta` and changes of a name share.

use std::io::Write as _;

use crate::base::time::Wall;
use crate::http::json::write_string;
use crate::media::name::directory;
use crate::store::format::Attributes;
use crate::store::format::attributes::Kind;

/// The fields from `mime_type` to `uploaded_at`, without braces. `folder` and `tags` only where there are some.
pub(super) fn write(out: &mut Vec<u8>, path: &str, attributes: &Attributes, time: Wall) {
    let category = directory(path);
    out.extend_from_slice(b"\"mime_type\":");
    write_string(out, &attributes.text(Kind::Mime));
    out.extend_from_slice(b",\"media_type\":");
    write_string(out, category.split('/').next().unwrap_or_default());
    out.extend_from_slice(b",\"category\":");
    write_string(out, category);
    for (field, kind) in [
        (",\"original_name\":", Kind::OriginalName),
        (",\"folder\":", Kind::Folder),
        (",\"comment\":", Kind::Comment),
    ] {
        let text = attributes.text(kind);
        if kind != Kind::Folder || !text.is_empty() {
            out.extend_from_slice(field.as_bytes());
            write_string(out, &text);
        }
    }
    let mut begun = false;
    for (key, value) in attributes.tags() {
        out.extend_from_slice(if begun { b"," } else { b",\"tags\":{" });
        begun = true;
        write_string(out, &key);
        out.push(b':');
        write_string(out, &value);
    }
    if begun {
        out.push(b'}');
    }
    // Writing to a vector cannot fail.
    let _infallible = write!(out, ",\"uploaded_at\":\"{}\"", time.rfc3339());
}
