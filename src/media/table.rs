//! Every kind of file that has a folder of its own: one row each, and the two look-ups over them.
//!
//! Always true (tested): a media type `type/subtype`, alias or not, stands in one row; an extension stands
//! in one row; folder and kind together name one row. What is not here is `other/unknown`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::media::name::EXTENSION_BYTES_MAX;

/// The folder of a file, `storage/<media type>/...`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MediaType {
    /// `images`
    Images,
    /// `videos`
    Videos,
    /// `audio`
    Audio,
    /// `documents`
    Documents,
    /// `spreadsheets`
    Spreadsheets,
    /// `presentations`
    Presentations,
    /// `archives`
    Archives,
    /// `code`
    Code,
    /// `other`
    Other,
}

impl MediaType {
    /// All of them, in the order of the documentation.
    pub const ALL: [MediaType; 9] = [
        MediaType::Images,
        MediaType::Videos,
        MediaType::Audio,
        MediaType::Documents,
        MediaType::Spreadsheets,
        MediaType::Presentations,
        MediaType::Archives,
        MediaType::Code,
        MediaType::Other,
    ];

    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MediaType::Images => "images",
            MediaType::Videos => "videos",
            MediaType::Audio => "audio",
            MediaType::Documents => "documents",
            MediaType::Spreadsheets => "spreadsheets",
            MediaType::Presentations => "presentations",
            MediaType::Archives => "archives",
            MediaType::Code => "code",
            MediaType::Other => "other",
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MediaType {
    type Err = ();

    /// Reads a folder's name, exactly as [`MediaType::as_str`] writes it.
    fn from_str(text: &str) -> Result<MediaType, ()> {
        MediaType::ALL.into_iter().find(|media| media.as_str() == text).ok_or(())
    }
}

/// A kind of file.
#[derive(Debug)]
pub struct Row {
    /// `type/subtype`, lower-case: the one that is answered.
    pub mime: &'static str,
    /// The folder.
    pub media_type: MediaType,
    /// The folder in the folder: `jpg`, never `jpeg`.
    pub kind: &'static str,
    /// Extensions without the dot, lower-case.
    pub extensions: &'static [&'static str],
    /// Other names of the media type, lower-case.
    pub aliases: &'static [&'static str],
    /// The container that files of this kind are to the eye: a docx is a zip, a nef is a TIFF. Where a
    /// signature says no more than the container, the extension may say which of these it is.
    pub within: Option<&'static Row>,
}

impl Row {
    /// Whether a file whose signature says `container` may be of this kind.
    #[must_use]
    pub fn refines(&'static self, container: &'static Row) -> bool {
        std::iter::successors(self.within, |row| row.within).any(|row| std::ptr::eq(row, container))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Row {}

/// The row of an extension given without its dot, in either case.
#[must_use]
pub fn by_extension(extension: &str) -> Option<&'static Row> {
    let mut lower = [0; EXTENSION_BYTES_MAX];
    let lower = lower.get_mut(..extension.len())?;
    lower.copy_from_slice(extension.as_bytes());
    lower.make_ascii_lowercase();
    BY_EXTENSION.get(&*lower).copied()
}

/// The row of a lower-case `type/subtype` or alias.
#[must_use]
pub fn by_mime(mime: &str) -> Option<&'static Row> {
    BY_MIME.get(mime).copied()
}

static BY_EXTENSION: LazyLock<HashMap<&'static [u8], &'static Row>> = LazyLock::new(|| {
    let pairs = TABLE.iter().flat_map(|row| row.extensions.iter().map(move |ext| (ext.as_bytes(), *row)));
    pairs.collect()
});

static BY_MIME: LazyLock<HashMap<&'static str, &'static Row>> = LazyLock::new(|| {
    let names = |row: &'static Row| row.aliases.iter().copied().chain([row.mime]);
    TABLE.iter().flat_map(|row| names(row).map(move |name| (name, *row))).collect()
});

macro_rules! rows {
    ($($id:ident $media:ident $kind:literal $mime:literal [$($ext:literal)*] [$($alias:literal)*] $(in $within:ident)?;)*) => {
        $(pub(super) static $id: Row = Row {
            mime: $mime,
            media_type: MediaType::$media,
            kind: $kind,
            extensions: &[$($ext),*],
            aliases: &[$($alias),*],
            within: rows!(@within $($within)?),
        };)*

        /// All rows.
        pub static TABLE: &[&Row] = &[$(&$id),*];
    };
    (@within) => { None };
    (@within $within:ident) => { Some(&$within) };
}

// Name, folder, kind, media type, extensions, aliases, container.
rows! {
    JPG Images "jpg" "image/jpeg" ["jpg" "jpeg" "jpe" "jfif"] ["image/jpg" "image/pjpeg" "image/x-jpeg"];
    PNG Images "png" "image/png" ["png" "apng"] ["image/x-png" "image/apng"];
    GIF Images "gif" "image/gif" ["gif"] [];
    SVG Images "svg" "image/svg+xml" ["svg"] ["image/svg" "application/svg+xml"];
    WEBP Images "webp" "image/webp" ["webp"] ["image/x-webp"];
    BMP Images "bmp" "image/bmp" ["bmp" "dib"] ["image/x-bmp" "image/x-ms-bmp"];
    ICO Images "ico" "image/vnd.microsoft.icon" ["ico" "cur"] ["image/x-icon" "image/ico"];
    TIFF Images "tiff" "image/tiff" ["tiff" "tif"] ["image/x-tiff" "image/tif"];
    HEIC Images "heic" "image/heic" ["heic" "hif"] ["image/heic-sequence"];
    HEIF Images "heif" "image/heif" ["heif"] ["image/heif-sequence"];
    AVIF Images "avif" "image/avif" ["avif" "avifs"] ["image/avif-sequence"];
    JXL Images "jxl" "image/jxl" ["jxl"] [];
    JP2 Images "jp2" "image/jp2" ["jp2" "jpf" "jpx" "j2k"] ["image/jpx" "image/jpeg2000"];
    JXR Images "jxr" "image/jxr" ["jxr" "wdp" "hdp"] ["image/vnd.ms-photo"];
    PSD Images "psd" "image/vnd.adobe.photoshop" ["psd" "psb"] ["application/photoshop" "application/x-photoshop" "image/x-photoshop"];
    XCF Images "xcf" "image/x-xcf" ["xcf"] [];
    DJVU Images "djvu" "image/vnd.djvu" ["djvu" "djv"] ["image/x-djvu"];
    DWG Images "dwg" "image/vnd.dwg" ["dwg"] ["application/acad" "image/x-dwg"];
    ORA Images "ora" "image/openraster" ["ora"] [] in ZIP;
    KRA Images "kra" "application/x-krita" ["kra"] [] in ZIP;
    TGA Images "tga" "image/x-tga" ["tga"] ["image/x-targa"];
    EXR Images "exr" "image/x-exr" ["exr"] ["image/aces"];
    HDR Images "hdr" "image/vnd.radiance" ["hdr"] [];
    QOI Images "qoi" "image/qoi" ["qoi"] [];
    PPM Images "ppm" "image/x-portable-anymap" ["ppm" "pgm" "pbm" "pnm"] ["image/x-portable-pixmap" "image/x-portable-graymap" "image/x-portable-bitmap"];
    CR2 Images "cr2" "image/x-canon-cr2" ["cr2"] [] in TIFF;
    CR3 Images "cr3" "image/x-canon-cr3" ["cr3"] [];
    NEF Images "nef" "image/x-nikon-nef" ["nef" "nrw"] ["image/x-nikon-nrw"] in TIFF;
    ARW Images "arw" "image/x-sony-arw" ["arw" "srf" "sr2"] ["image/x-sony-srf" "image/x-sony-sr2"] in TIFF;
    DNG Images "dng" "image/x-adobe-dng" ["dng"] ["image/dng"] in TIFF;
    PEF Images "pef" "image/x-pentax-pef" ["pef"] [] in TIFF;
    SRW Images "srw" "image/x-samsung-srw" ["srw"] [] in TIFF;
    ORF Images "orf" "image/x-olympus-orf" ["orf"] [] in TIFF;
    RW2 Images "rw2" "image/x-panasonic-rw2" ["rw2"] ["image/x-panasonic-raw"] in TIFF;
    RAF Images "raf" "image/x-fuji-raf" ["raf"] [];
    X3F Images "x3f" "image/x-sigma-x3f" ["x3f"] [];

    MP4 Videos "mp4" "video/mp4" ["mp4" "mp4v"] ["application/mp4" "video/x-mp4"];
    M4V Videos "m4v" "video/x-m4v" ["m4v"] ["video/m4v"] in MP4;
    MOV Videos "mov" "video/quicktime" ["mov" "qt"] [] in MP4;
    THREEGP Videos "3gp" "video/3gpp" ["3gp" "3gpp"] [] in MP4;
    THREEG2 Videos "3g2" "video/3gpp2" ["3g2"] [] in MP4;
    AVI Videos "avi" "video/x-msvideo" ["avi"] ["video/avi" "video/msvideo" "video/vnd.avi"];
    MKV Videos "mkv" "video/x-matroska" ["mkv"] ["video/matroska" "video/mkv"];
    WEBM Videos "webm" "video/webm" ["webm"] [] in MKV;
    WMV Videos "wmv" "video/x-ms-wmv" ["wmv"] [] in ASF;
    ASF Videos "asf" "video/x-ms-asf" ["asf"] ["application/vnd.ms-asf"];
    FLV Videos "flv" "video/x-flv" ["flv"] ["video/flv"];
    MPG Videos "mpg" "video/mpeg" ["mpg" "mpeg" "mpe" "m2v" "vob"] ["video/x-mpeg" "video/mp2p"];
    MPEGTS Videos "ts" "video/mp2t" ["m2ts" "m2t"] ["video/mpegts" "video/vnd.dlna.mpeg-tts"];
    OGV Videos "ogv" "video/ogg" ["ogv"] ["video/x-ogg" "video/theora"] in OGG;
    RMVB Videos "rm" "application/vnd.rn-realmedia" ["rm" "rmvb"] ["application/vnd.rn-realmedia-vbr"];
    MXF Videos "mxf" "application/mxf" ["mxf"] [];

    MP3 Audio "mp3" "audio/mpeg" ["mp3" "mp2" "mpga"] ["audio/mp3" "audio/x-mp3" "audio/x-mpeg" "audio/mpeg3" "audio/x-mpeg-3"];
    WAV Audio "wav" "audio/wav" ["wav" "wave"] ["audio/x-wav" "audio/wave" "audio/vnd.wave" "audio/x-pn-wav"];
    FLAC Audio "flac" "audio/flac" ["flac"] ["audio/x-flac"] in MP3;
    OGG Audio "ogg" "audio/ogg" ["ogg" "oga"] ["audio/x-ogg" "application/ogg" "audio/vorbis" "audio/x-vorbis+ogg"];
    OPUS Audio "opus" "audio/opus" ["opus"] ["audio/x-opus+ogg"] in OGG;
    SPX Audio "spx" "audio/x-speex" ["spx"] ["audio/speex"] in OGG;
    M4A Audio "m4a" "audio/mp4" ["m4a" "m4r"] ["audio/m4a" "audio/x-m4a" "audio/mp4a-latm"] in MP4;
    M4B Audio "m4b" "audio/x-m4b" ["m4b"] ["audio/m4b"] in M4A;
    AAC Audio "aac" "audio/aac" ["aac"] ["audio/x-aac" "audio/aacp" "audio/x-hx-aac-adts"] in MP3;
    AIFF Audio "aiff" "audio/aiff" ["aiff" "aif" "aifc"] ["audio/x-aiff"];
    MIDI Audio "midi" "audio/midi" ["midi" "mid" "kar"] ["audio/x-midi" "audio/mid"];
    AMR Audio "amr" "audio/amr" ["amr"] ["audio/amr-wb"];
    WMA Audio "wma" "audio/x-ms-wma" ["wma"] [] in ASF;
    MKA Audio "mka" "audio/x-matroska" ["mka"] ["audio/matroska"] in MKV;
    WEBA Audio "weba" "audio/webm" ["weba"] [] in WEBM;
    APE Audio "ape" "audio/x-ape" ["ape"] [] in MP3;
    DSF Audio "dsf" "audio/x-dsf" ["dsf"] [];
    AC3 Audio "ac3" "audio/ac3" ["ac3"] ["audio/eac3"];
    AU Audio "au" "audio/basic" ["au" "snd"] [];
    CAF Audio "caf" "audio/x-caf" ["caf"] [];

    PDF Documents "pdf" "application/pdf" ["pdf"] ["application/x-pdf"];
    PS Documents "ps" "application/postscript" ["ps"] [];
    EPS Documents "eps" "image/x-eps" ["eps"] ["application/eps" "image/eps"] in PS;
    AI Documents "ai" "application/vnd.adobe.illustrator" ["ai"] [] in PDF;
    DOC Documents "doc" "application/msword" ["doc" "dot"] ["application/vnd.ms-word"] in OLE;
    DOCX Documents "docx" "application/vnd.openxmlformats-officedocument.wordprocessingml.document" ["docx"] [] in ZIP;
    DOCM Documents "docm" "application/vnd.ms-word.document.macroenabled.12" ["docm"] [] in DOCX;
    DOTX Documents "dotx" "application/vnd.openxmlformats-officedocument.wordprocessingml.template" ["dotx"] [] in DOCX;
    ODT Documents "odt" "application/vnd.oasis.opendocument.text" ["odt"] [] in ZIP;
    OTT Documents "ott" "application/vnd.oasis.opendocument.text-template" ["ott"] [] in ODT;
    ODG Documents "odg" "application/vnd.oasis.opendocument.graphics" ["odg"] [] in ZIP;
    PAGES Documents "pages" "application/vnd.apple.pages" ["pages"] [] in ZIP;
    XPS Documents "xps" "application/vnd.ms-xpsdocument" ["xps" "oxps"] ["application/oxps"] in ZIP;
    VSD Documents "vsd" "application/vnd.visio" ["vsd"] [] in OLE;
    MSG Documents "msg" "application/vnd.ms-outlook" ["msg"] [] in OLE;
    PUB Documents "pub" "application/x-mspublisher" ["pub"] [] in OLE;
    TXT Documents "txt" "text/plain" ["txt" "text" "log"] [];
    RTF Documents "rtf" "text/rtf" ["rtf"] ["application/rtf" "application/x-rtf" "text/richtext"];
    MD Documents "md" "text/markdown" ["md" "markdown" "mdown" "mkd"] ["text/x-markdown"];
    RST Documents "rst" "text/x-rst" ["rst"] ["text/prs.fallenstein.rst"];
    TEX Documents "tex" "text/x-tex" ["tex" "latex"] ["application/x-tex" "application/x-latex"];
    EPUB Documents "epub" "application/epub+zip" ["epub"] [] in ZIP;
    MOBI Documents "mobi" "application/x-mobipocket-ebook" ["mobi" "prc"] ["application/vnd.amazon.mobi8-ebook"];
    AZW Documents "azw3" "application/vnd.amazon.ebook" ["azw3" "azw"] [] in MOBI;
    FB2 Documents "fb2" "application/x-fictionbook+xml" ["fb2"] ["text/fb2+xml"];
    ICS Documents "ics" "text/calendar" ["ics"] [];
    VCF Documents "vcf" "text/vcard" ["vcf"] ["text/x-vcard"];
    EML Documents "eml" "message/rfc822" ["eml"] [];
    SRT Documents "srt" "application/x-subrip" ["srt"] ["text/x-srt" "text/srt"];
    VTT Documents "vtt" "text/vtt" ["vtt"] [];

    XLS Spreadsheets "xls" "application/vnd.ms-excel" ["xls" "xlt"] ["application/msexcel" "application/x-msexcel" "application/excel"] in OLE;
    XLSX Spreadsheets "xlsx" "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" ["xlsx"] [] in ZIP;
    XLSM Spreadsheets "xlsm" "application/vnd.ms-excel.sheet.macroenabled.12" ["xlsm"] [] in XLSX;
    XLSB Spreadsheets "xlsb" "application/vnd.ms-excel.sheet.binary.macroenabled.12" ["xlsb"] [] in XLSX;
    XLTX Spreadsheets "xltx" "application/vnd.openxmlformats-officedocument.spreadsheetml.template" ["xltx"] [] in XLSX;
    ODS Spreadsheets "ods" "application/vnd.oasis.opendocument.spreadsheet" ["ods"] [] in ZIP;
    NUMBERS Spreadsheets "numbers" "application/vnd.apple.numbers" ["numbers"] [] in ZIP;
    CSV Spreadsheets "csv" "text/csv" ["csv"] ["application/csv" "text/x-csv" "text/comma-separated-values"];
    TSV Spreadsheets "tsv" "text/tab-separated-values" ["tsv" "tab"] ["text/tsv"];

    PPT Presentations "ppt" "application/vnd.ms-powerpoint" ["ppt" "pps" "pot"] ["application/mspowerpoint" "application/powerpoint"] in OLE;
    PPTX Presentations "pptx" "application/vnd.openxmlformats-officedocument.presentationml.presentation" ["pptx"] [] in ZIP;
    PPTM Presentations "pptm" "application/vnd.ms-powerpoint.presentation.macroenabled.12" ["pptm"] [] in PPTX;
    PPSX Presentations "ppsx" "application/vnd.openxmlformats-officedocument.presentationml.slideshow" ["ppsx"] [] in PPTX;
    POTX Presentations "potx" "application/vnd.openxmlformats-officedocument.presentationml.template" ["potx"] [] in PPTX;
    ODP Presentations "odp" "application/vnd.oasis.opendocument.presentation" ["odp"] [] in ZIP;
    KEYNOTE Presentations "key" "application/vnd.apple.keynote" ["key"] [] in ZIP;

    ZIP Archives "zip" "application/zip" ["zip" "zipx"] ["application/x-zip-compressed" "application/x-zip" "multipart/x-zip"];
    JAR Archives "jar" "application/java-archive" ["jar" "war" "ear" "aar"] ["application/x-java-archive"] in ZIP;
    APK Archives "apk" "application/vnd.android.package-archive" ["apk"] [] in ZIP;
    IPA Archives "ipa" "application/x-ios-app" ["ipa"] [] in ZIP;
    CBZ Archives "cbz" "application/vnd.comicbook+zip" ["cbz"] ["application/x-cbz"] in ZIP;
    CBR Archives "cbr" "application/vnd.comicbook-rar" ["cbr"] ["application/x-cbr"] in RAR;
    XPI Archives "xpi" "application/x-xpinstall" ["xpi"] [] in ZIP;
    KMZ Archives "kmz" "application/vnd.google-earth.kmz" ["kmz"] [] in ZIP;
    WHL Archives "whl" "application/x-wheel+zip" ["whl"] [] in ZIP;
    TAR Archives "tar" "application/x-tar" ["tar"] ["application/tar"];
    GZ Archives "gz" "application/gzip" ["gz" "tgz" "svgz"] ["application/x-gzip" "application/x-compressed-tar" "application/gzip-compressed" "application/x-tgz"];
    BZ2 Archives "bz2" "application/x-bzip2" ["bz2" "tbz2" "tbz"] ["application/bzip2" "application/x-bzip"];
    BZ3 Archives "bz3" "application/vnd.bzip3" ["bz3"] [];
    XZ Archives "xz" "application/x-xz" ["xz" "txz"] ["application/xz"];
    ZST Archives "zst" "application/zstd" ["zst" "tzst"] ["application/x-zstd"];
    LZ4 Archives "lz4" "application/x-lz4" ["lz4"] [];
    LZIP Archives "lz" "application/x-lzip" ["lz"] ["application/lzip"];
    BR Archives "br" "application/x-brotli" ["br"] [];
    RAR Archives "rar" "application/vnd.rar" ["rar"] ["application/x-rar-compressed" "application/x-rar"];
    SEVENZ Archives "7z" "application/x-7z-compressed" ["7z"] [];
    CAB Archives "cab" "application/vnd.ms-cab-compressed" ["cab"] [];
    COMPRESS Archives "z" "application/x-compress" ["z"] [];
    CPIO Archives "cpio" "application/x-cpio" ["cpio"] [];
    AR Archives "ar" "application/x-unix-archive" ["ar" "a" "lib"] ["application/x-archive"];
    DEB Archives "deb" "application/vnd.debian.binary-package" ["deb"] ["application/x-debian-package" "application/x-deb"];
    RPM Archives "rpm" "application/x-rpm" ["rpm"] ["application/x-redhat-package-manager"];
    CRX Archives "crx" "application/x-google-chrome-extension" ["crx"] ["application/x-chrome-extension"];
    PAR2 Archives "par2" "application/x-par2" ["par2"] [];
    ISO Archives "iso" "application/x-iso9660-image" ["iso"] ["application/x-cd-image"];
    DMG Archives "dmg" "application/x-apple-diskimage" ["dmg"] [];

    PY Code "py" "text/x-python" ["py" "pyw" "pyi"] ["text/x-script.python" "application/x-python" "text/python" "application/x-python-code"];
    JS Code "js" "text/javascript" ["js" "mjs" "cjs"] ["application/javascript" "application/x-javascript" "text/ecmascript" "application/ecmascript"];
    JSX Code "jsx" "text/jsx" ["jsx"] [];
    TS Code "ts" "text/x-typescript" ["ts" "mts" "cts"] ["application/typescript" "application/x-typescript" "text/typescript" "text/vnd.trolltech.linguist"];
    TSX Code "tsx" "text/tsx" ["tsx"] [];
    GO Code "go" "text/x-go" ["go"] ["text/go"];
    JAVA Code "java" "text/x-java-source" ["java"] ["text/x-java"];
    KT Code "kt" "text/x-kotlin" ["kt" "kts"] [];
    SCALA Code "scala" "text/x-scala" ["scala"] [];
    C Code "c" "text/x-csrc" ["c"] ["text/x-c"];
    H Code "h" "text/x-chdr" ["h"] [];
    CPP Code "cpp" "text/x-c++src" ["cpp" "cc" "cxx" "c++"] ["text/x-c++"];
    HPP Code "hpp" "text/x-c++hdr" ["hpp" "hh" "hxx"] [];
    CS Code "cs" "text/x-csharp" ["cs"] [];
    RS Code "rs" "text/x-rust" ["rs"] ["text/rust" "application/rls-services+xml"];
    RB Code "rb" "text/x-ruby" ["rb"] ["application/x-ruby"];
    PHP Code "php" "text/x-php" ["php" "phtml"] ["application/x-php" "application/x-httpd-php" "text/php"];
    PL Code "pl" "text/x-perl" ["pl" "pm"] ["application/x-perl"];
    SWIFT Code "swift" "text/x-swift" ["swift"] [];
    DART Code "dart" "text/x-dart" ["dart"] ["application/vnd.dart"];
    LUA Code "lua" "text/x-lua" ["lua"] [];
    R Code "r" "text/x-r" ["r"] [];
    JL Code "jl" "text/x-julia" ["jl"] [];
    HS Code "hs" "text/x-haskell" ["hs"] [];
    EX Code "ex" "text/x-elixir" ["ex" "exs"] [];
    ERL Code "erl" "text/x-erlang" ["erl"] [];
    CLJ Code "clj" "text/x-clojure" ["clj" "cljs"] [];
    ZIG Code "zig" "text/x-zig" ["zig"] [];
    ASM Code "asm" "text/x-asm" ["asm" "s"] [];
    OBJC Code "m" "text/x-objcsrc" ["m" "mm"] [];
    SH Code "sh" "text/x-shellscript" ["sh" "bash" "zsh" "fish"] ["application/x-sh" "application/x-shellscript" "text/x-sh"];
    PS1 Code "ps1" "text/x-powershell" ["ps1" "psm1"] ["application/x-powershell"];
    BAT Code "bat" "text/x-batch" ["bat" "cmd"] ["application/x-bat" "application/bat" "application/x-msdos-program"];
    SQL Code "sql" "application/sql" ["sql"] ["text/x-sql" "application/x-sql"];
    HTML Code "html" "text/html" ["html" "htm"] [];
    XHTML Code "xhtml" "application/xhtml+xml" ["xhtml" "xht"] [];
    CSS Code "css" "text/css" ["css"] [];
    SCSS Code "scss" "text/x-scss" ["scss" "sass"] ["text/x-sass"];
    LESS Code "less" "text/x-less" ["less"] [];
    VUE Code "vue" "text/x-vue" ["vue"] [];
    SVELTE Code "svelte" "text/x-svelte" ["svelte"] [];
    JSON Code "json" "application/json" ["json" "geojson" "webmanifest"] ["text/json" "application/geo+json" "application/manifest+json" "application/ld+json"];
    NDJSON Code "ndjson" "application/x-ndjson" ["ndjson" "jsonl"] ["application/jsonl" "application/x-jsonlines"];
    IPYNB Code "ipynb" "application/x-ipynb+json" ["ipynb"] [];
    XML Code "xml" "application/xml" ["xml" "xsd" "xsl" "xslt" "rss" "atom" "gpx" "kml"] ["text/xml" "application/rss+xml" "application/atom+xml" "application/gpx+xml" "application/vnd.google-earth.kml+xml"];
    YAML Code "yaml" "application/yaml" ["yaml" "yml"] ["text/yaml" "text/x-yaml" "application/x-yaml"];
    TOML Code "toml" "application/toml" ["toml"] ["text/x-toml"];
    INI Code "ini" "text/x-ini" ["ini" "cfg" "conf"] [];
    DIFF Code "diff" "text/x-diff" ["diff" "patch"] ["text/x-patch"];
    PROTO Code "proto" "text/x-protobuf" ["proto"] [];
    TF Code "tf" "text/x-terraform" ["tf"] [];

    WASM Other "wasm" "application/wasm" ["wasm"] [];
    EXE Other "exe" "application/vnd.microsoft.portable-executable" ["exe" "dll" "sys"] ["application/x-msdownload" "application/x-dosexec" "application/x-ms-dos-executable"];
    ELF Other "elf" "application/x-executable" ["elf" "so"] ["application/x-elf" "application/x-sharedlib"];
    MACH Other "mach" "application/x-mach-binary" ["mach" "dylib"] [];
    OBJ Other "obj" "application/x-object" ["obj" "o"] [];
    LLVM Other "bc" "application/x-llvm" ["bc"] [];
    CLASS Other "class" "application/java-vm" ["class"] ["application/java" "application/x-java"];
    DEX Other "dex" "application/vnd.android.dex" ["dex"] [];
    DEY Other "dey" "application/vnd.android.dey" ["dey"] [];
    DER Other "der" "application/x-x509-ca-cert" ["der" "crt" "cer"] ["application/pkix-cert"];
    PEM Other "pem" "application/x-pem-file" ["pem"] ["application/pem-certificate-chain"];
    QCOW2 Other "qcow2" "application/x-qemu-disk" ["qcow2"] [];
    SWF Other "swf" "application/x-shockwave-flash" ["swf"] ["application/vnd.adobe.flash.movie"];
    SQLITE Other "sqlite" "application/vnd.sqlite3" ["sqlite" "sqlite3" "db"] ["application/x-sqlite3"];
    NES Other "nes" "application/x-nintendo-nes-rom" ["nes"] [];
    DICOM Other "dcm" "application/dicom" ["dcm" "dicom"] [];
    OLE Other "ole" "application/x-ole-storage" [] ["application/x-cfb"];
    MSI Other "msi" "application/x-msi" ["msi"] ["application/x-ms-installer"] in OLE;
    TORRENT Other "torrent" "application/x-bittorrent" ["torrent"] [];
    PARQUET Other "parquet" "application/vnd.apache.parquet" ["parquet"] [];
    STL Other "stl" "model/stl" ["stl"] ["application/sla"];
    GLB Other "glb" "model/gltf-binary" ["glb"] [];
    GLTF Other "gltf" "model/gltf+json" ["gltf"] [];
    THREEMF Other "3mf" "model/3mf" ["3mf"] [] in ZIP;
    USDZ Other "usdz" "model/vnd.usdz+zip" ["usdz"] [] in ZIP;
    WOFF Other "woff" "font/woff" ["woff"] ["application/font-woff" "application/x-font-woff"];
    WOFF2 Other "woff2" "font/woff2" ["woff2"] ["application/font-woff2"];
    TTF Other "ttf" "font/ttf" ["ttf" "ttc"] ["application/x-font-ttf" "application/font-sfnt" "font/sfnt" "application/x-font-truetype"];
    OTF Other "otf" "font/otf" ["otf"] ["application/x-font-otf" "application/x-font-opentype"];
    EOT Other "eot" "application/vnd.ms-fontobject" ["eot"] [];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MIME_BYTES_MAX;

    #[test]
    fn no_two_rows_contradict_each_other() {
        let (mut mimes, mut extensions, mut kinds) = (HashMap::new(), HashMap::new(), HashMap::new());
        for row in TABLE {
            for mime in row.aliases.iter().chain([&row.mime]) {
                assert_eq!(mimes.insert(*mime, row.kind), None, "{mime} stands in two places");
                assert!(
                    mime.len() <= MIME_BYTES_MAX && *mime == mime.to_ascii_lowercase() && mime.contains('/')
                );
            }
            for extension in row.extensions {
                assert_eq!(
                    extensions.insert(*extension, row.kind),
                    None,
                    ".{extension} stands in two places"
                );
                assert!(
                    extension.len() <= EXTENSION_BYTES_MAX && *extension == extension.to_ascii_lowercase()
                );
            }
            assert_eq!(kinds.insert((row.media_type.as_str(), row.kind), ()), None, "{}", row.kind);
            assert!(row.kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{}", row.kind);
        }
    }

    #[test]
    fn an_extension_is_found_in_either_case_and_at_any_length() {
        assert_eq!(by_extension("JPeG").map(|row| row.kind), Some("jpg"));
        assert_eq!(by_extension(""), None);
        assert_eq!(by_extension(&"x".repeat(100_000)), None);
        assert_eq!(by_extension("\u{212a}ey"), None, "the Kelvin sign is not a k");
    }

    #[test]
    fn containers_are_refined_through_the_chain_and_never_in_circles() {
        assert!(DOCM.refines(&DOCX) && DOCM.refines(&ZIP) && NEF.refines(&TIFF));
        assert!(!ZIP.refines(&DOCX) && !DOCX.refines(&XLSX) && !ZIP.refines(&ZIP));
        for row in TABLE {
            assert!(!row.refines(row), "{} contains itself", row.kind);
        }
    }

    #[test]
    fn media_types_read_what_they_write() {
        for media in MediaType::ALL {
            assert_eq!(media.as_str().parse(), Ok(media));
        }
        assert_eq!("Images".parse::<MediaType>(), Err(()));
    }
}
