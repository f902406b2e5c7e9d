//! What of a stored file a browser may show, and as what.
//!
//! Always true: nothing that a browser could run, or lay out as a document of this origin, is sent inline or
//! under a type that makes it do so.

use crate::media::table::{self, MediaType};

/// How a file is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Presentation<'a> {
    /// `Content-Type`.
    pub content_type: &'a str,
    /// `inline` in `Content-Disposition`; else `attachment`.
    pub inline: bool,
}

/// What source code and plain text are sent as. Declared rather than guessed by the browser; text that is not
/// UTF-8 shows replacement characters.
const PLAIN: &str = "text/plain; charset=utf-8";

/// How a file of media type `mime` (lower-case, no parameters) is sent.
///
/// Shown inline: what the table lists as raster image, sound or film under a type that says so, and
/// `text/plain`. All else is an attachment, and what runs or renders somewhere (scripts and other source code,
/// HTML, XML, text of unknown kind) is sent as plain text. SVG keeps its type, so that pages can use it as an image.
#[must_use]
pub fn presentation(mime: &str) -> Presentation<'_> {
    let row = table::by_mime(mime);
    let plain = row == Some(&table::TXT);
    if plain
        || row.is_some_and(|row| row != &table::SVG && row.mime == mime && is_media(row.media_type, mime))
    {
        return Presentation { content_type: if plain { PLAIN } else { mime }, inline: true };
    }
    let runs = match row {
        Some(row) if *row == table::SVG => false,
        Some(row) => row.media_type == MediaType::Code && !DATA.contains(&mime),
        None => mime.starts_with("text/") || ["script", "xml", "html"].iter().any(|part| mime.contains(part)),
    };
    Presentation { content_type: if runs { PLAIN } else { mime }, inline: false }
}

/// Kinds in the folder `code` that nothing executes.
const DATA: [&str; 5] = [
    "application/json",
    "application/x-ndjson",
    "application/yaml",
    "application/toml",
    "application/x-ipynb+json",
];

fn is_media(media_type: MediaType, mime: &str) -> bool {
    match media_type {
        MediaType::Images => mime.starts_with("image/"),
        MediaType::Videos => mime.starts_with("video/"),
        MediaType::Audio => mime.starts_with("audio/"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raster_images_sound_film_and_plain_text_are_shown() {
        for mime in
            ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "audio/mpeg", "video/mp4"]
        {
            assert_eq!(presentation(mime), Presentation { content_type: mime, inline: true });
        }
        assert_eq!(presentation("text/plain"), Presentation { content_type: PLAIN, inline: true });
    }

    #[test]
    fn what_could_run_is_an_attachment_of_plain_text() {
        for mime in [
            "text/html",
            "application/xhtml+xml",
            "text/javascript",
            "application/javascript",
            "text/x-python",
            "text/x-shellscript",
            "application/xml",
            "text/xsl",
            "application/mathml+xml",
            "application/x-typescript",
            "text/css",
        ] {
            assert_eq!(presentation(mime), Presentation { content_type: PLAIN, inline: false }, "{mime}");
        }
    }

    #[test]
    fn the_rest_is_an_attachment_under_its_own_type() {
        for mime in [
            "image/svg+xml",
            "application/pdf",
            "application/zip",
            "application/json",
            "application/octet-stream",
            "image/x-unheard-of",
            "image/x-eps",
            "image/jpg",
            "",
        ] {
            assert_eq!(presentation(mime), Presentation { content_type: mime, inline: false }, "{mime}");
        }
    }
}
