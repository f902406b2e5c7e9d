//! The data directory: which store it is, and the refusal of every directory that is not one.
//!
//! Always: `FORMAT` is written last when a store is made, after all directories are durable; a directory
//! without it is either fresh, or half made (and made again), or not ours (and not touched).

use super::FlushMethod;
use super::blob;
use super::error::OpenError;
use super::format::VERSION;
use super::{scan, segment};
use crate::base::crc::Seed;
use crate::base::ids::StoreId;
use crate::limits::FORMAT_FILE_BYTES_MAX;
use crate::runtime::buffer::Pool;
use crate::runtime::disk::{DIRECT_PROBE_FILE, Disk, Open};

/// The file that says which store this is.
pub const FORMAT_FILE: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
/// The file that one daemon at a time holds a lock on.
pub const LOCK_FILE: &str = "LOCK";
/// The optional configuration.
pub const CONFIG_FILE: &str = "rhinobox.toml";
/// Directories besides those of segments and blobs.
const OTHER_DIRECTORIES: [&str; 2] = ["index", "state"];
/// What may be there before a store is made: ours, or the file system's.
const HARMLESS: [&str; 5] = [LOCK_FILE, CONFIG_FILE, FORMAT_NEW, DIRECT_PROBE_FILE, "lost+found"];

/// Whether a thing of this name may be in a directory where a store is still to be made.
#[must_use]
pub fn may_be_there_before(name: &str) -> bool {
    HARMLESS.contains(&name)
        || OTHER_DIRECTORIES.contains(&name)
        || name == segment::DIRECTORY
        || name == blob::DIRECTORY
}

/// What the FORMAT file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The store.
    pub store: StoreId,
    /// How batches are flushed here; probed when the store was made.
    pub flush: FlushMethod,
}

impl Identity {
    /// The FORMAT file.
    #[must_use]
    pub fn encode(&self) -> String {
        let fields =
            format!("rhinobox store\nversion {VERSION}\nstore {}\nflush {}\n", self.store, self.flush);
        let sum = Seed::PLAIN.sum(fields.as_bytes());
        format!("{fields}crc32c {sum:08x}\n")
    }

    /// Reads the FORMAT file.
    ///
    /// # Errors
    /// Why it cannot be used, to follow "the data directory cannot be used: ".
    pub fn decode(text: &str) -> Result<Identity, String> {
        let Some(("rhinobox store", rest)) = text.split_once('\n') else {
            return Err("its FORMAT file is not rhinobox's".to_owned());
        };
        let field = |name: &str| rest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let version = field("version").unwrap_or("?");
        if version != VERSION.to_string() {
            return Err(format!(
                "it has format version {version}, and this rhinobox knows version {VERSION}"
            ));
        }
        let damaged = || "its FORMAT file is damaged".to_owned();
        let (fields, sum) = text.split_at(text.rfind("crc32c ").ok_or_else(damaged)?);
        if sum != format!("crc32c {:08x}\n", Seed::PLAIN.sum(fields.as_bytes())) {
            return Err(damaged());
        }
        let store = field("store").and_then(parse_store_id).ok_or_else(damaged)?;
        let flush = field("flush").and_then(FlushMethod::parse).ok_or_else(damaged)?;
        Ok(Identity { store, flush })
    }
}

fn parse_store_id(hex: &str) -> Option<StoreId> {
    let number = u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?;
    let mut id = [0; 16];
    for (index, byte) in id.iter_mut().enumerate() {
        *byte = u8::try_from(number >> (8 * (15 - index)) & 0xff).ok()?;
    }
    Some(StoreId(id))
}

/// The identity of the store in this directory; `None` where one may be made.
///
/// # Errors
/// `Refused` where the directory is something else, in a sentence.
pub async fn identify(disk: &Disk, pool: &Pool) -> Result<Option<Identity>, OpenError> {
    let entries = disk.list("").await.map_err(OpenError::io("list the data directory"))?;
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    if has(FORMAT_FILE) {
        let doing = "read the FORMAT file of the data directory";
        let file = disk.open(FORMAT_FILE, Open::default()).await.map_err(OpenError::io(doing))?;
        let buffer = pool.take(FORMAT_FILE_BYTES_MAX);
        let (result, buffer) = scan::read_up_to(&file, buffer, FORMAT_FILE_BYTES_MAX, 0).await;
        result.map_err(OpenError::io(doing))?;
        let text = String::from_utf8_lossy(buffer.as_slice());
        return match Identity::decode(&text) {
            Ok(identity) => Ok(Some(identity)),
            Err(why) => Err(OpenError::Refused(format!("the data directory cannot be used: {why}"))),
        };
    }
    if has("files.json") || has("storage") && has("metadata") || has("storage") && !has(segment::DIRECTORY) {
        let why = "the data directory belongs to the Go predecessor of rhinobox, whose format this is not: \
                   give rhinobox a directory of its own (--data-dir), and bring the files in with `rhinobox import`";
        return Err(OpenError::Refused(why.to_owned()));
    }
    if let Some(foreign) = entries.iter().find(|entry| !may_be_there_before(&entry.name)) {
        let why = format!(
            "the data directory is neither empty nor a rhinobox store (it holds {:?} and no FORMAT file): \
             give rhinobox a directory of its own",
            foreign.name
        );
        return Err(OpenError::Refused(why));
    }
    if has(segment::DIRECTORY) {
        let segments = disk.list(segment::DIRECTORY).await.map_err(OpenError::io("list the segments"))?;
        if !segments.is_empty() {
            let why = "the data directory holds segments but its FORMAT file is missing: restore that file";
            return Err(OpenError::Refused(why.to_owned()));
        }
    }
    Ok(None)
}

/// Makes the directories of a store and, once they are durable, its FORMAT file.
///
/// # Errors
/// What the disk gave.
pub async fn create(disk: &Disk, pool: &Pool, identity: Identity) -> Result<(), OpenError> {
    create_directories(disk).await.map_err(OpenError::io("make the store's directories"))?;
    write_format(disk, pool, identity).await.map_err(OpenError::io("write the store's FORMAT file"))
}

async fn create_directories(disk: &Disk) -> std::io::Result<()> {
    disk.create_dir(segment::DIRECTORY).await?;
    disk.create_dir(blob::DIRECTORY).await?;
    for name in OTHER_DIRECTORIES {
        disk.create_dir(name).await?;
    }
    for number in 0..=0xff_u64 {
        disk.create_dir(&blob::directory(crate::base::ids::BlobId(number))).await?;
    }
    disk.sync_dir(blob::DIRECTORY).await?;
    disk.sync_dir("").await
}

async fn write_format(disk: &Disk, pool: &Pool, identity: Identity) -> std::io::Result<()> {
    match disk.remove(FORMAT_NEW).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let how = Open { write: true, create_new: true, ..Open::default() };
    let file = disk.open(FORMAT_NEW, how).await?;
    let text = identity.encode();
    let mut buffer = pool.take(text.len());
    buffer.extend_from_slice(text.as_bytes());
    let (result, _buffer) = file.write_all_at(buffer, 0..text.len(), 0).await;
    result?;
    file.sync_all().await?;
    disk.rename(FORMAT_NEW, FORMAT_FILE).await?;
    disk.sync_dir("").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_and_damage_and_other_versions_are_told_apart() {
        let identity = Identity { store: StoreId([0xab; 16]), flush: FlushMethod::Dsync };
        let text = identity.encode();
        assert_eq!(Identity::decode(&text), Ok(identity));
        assert_eq!(
            Identity::decode(&text.replace("dsync", "fsync")).unwrap_err(),
            "its FORMAT file is damaged"
        );
        let later = Identity::decode(&text.replace("version 1", "version 2")).unwrap_err();
        assert!(later.contains("format version 2"), "{later}");
        assert!(Identity::decode("something else").unwrap_err().contains("not rhinobox's"));
        assert!(Identity::decode("rhinobox store\nversion 1\n").is_err());
    }
}
