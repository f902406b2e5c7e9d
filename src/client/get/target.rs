//! The file that a content is fetched into.
//!
//! Always: until it is whole it has another name, the target's with `SUFFIX`; what lies there is only gone on with if it is
//! this user's own file, under no other name; a file that is there is only replaced by force.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::To;
use crate::base::digest::{Digest, Hasher};
use crate::client::what::Head;
use crate::client::{ClientError, show};
use crate::limits::{CLIENT_READ_BYTES, PATH_COMPONENT_BYTES_MAX};

/// Of a file that is not whole.
pub(super) const SUFFIX: &str = ".rhinobox-part";
/// Of a name where there is no other.
const NAMELESS: &str = "file";

/// See the module.
pub(super) struct Target {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

impl Target {
    /// Opens it; `None` if it is there already, and whole.
    ///
    /// # Errors
    /// It cannot be written, or another file is there.
    pub(super) fn open(to: &To, head: &Head, force: bool) -> Result<Option<Target>, ClientError> {
        let name = || safe_name(head.name.as_deref().unwrap_or_default());
        let path = match to {
            To::Path(path) if path.is_dir() => path.join(name()),
            To::Path(path) => path.clone(),
            To::Here | To::Stdout => PathBuf::from(name()),
        };
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(&path, &error)),
            Ok(metadata)
                if metadata.is_file() && metadata.len() == head.size && hash(&path)? == head.digest =>
            {
                show::note(&format!("{} is there already, and whole", show::path(&path)));
                return Ok(None);
            }
            Ok(metadata) if force && metadata.is_file() => {}
            Ok(metadata) => {
                let how = if metadata.is_file() { ": --force replaces it" } else { ", and is no file" };
                return Err(ClientError::Here(format!("{} exists{how}", show::path(&path))));
            }
        }
        let mut part = path.clone().into_os_string();
        part.push(SUFFIX);
        let part = PathBuf::from(part);
        let file = open_part(&part)?;
        // Two at once would write into each other.
        file.try_lock()
            .map_err(|_| ClientError::Here(format!("another run is fetching {}", show::path(&path))))?;
        Ok(Some(Target { path, part, file }))
    }

    /// What an earlier run received, if it is no more than there is.
    pub(super) fn had(&mut self, size: u64) -> Result<(Hasher, u64), ClientError> {
        let len = self.file.metadata().map_err(|error| cannot(&self.part, &error))?.len();
        if len > size {
            self.clear()?;
            return Ok((Hasher::new(), 0));
        }
        let mut hasher = Hasher::new();
        let read = read_all(&mut self.file, |piece| hasher.update(piece));
        let read = read.map_err(|error| cannot(&self.part, &error))?;
        Ok((hasher, read))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.file.write_all(bytes).map_err(|error| cannot(&self.part, &error))
    }

    pub(super) fn clear(&mut self) -> Result<(), ClientError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        cleared.map(|_| ()).map_err(|error| cannot(&self.part, &error))
    }

    /// Gives it up.
    pub(super) fn remove(self) {
        // It is overwritten by the next run, if it stays.
        let _best_effort = fs::remove_file(&self.part);
    }

    /// It is whole: gives it its name.
    pub(super) fn finish(self, force: bool) -> Result<(), ClientError> {
        let Target { path, part, file } = self;
        file.sync_all().map_err(|error| cannot(&part, &error))?;
        let named = if force { fs::rename(&part, &path) } else { name_new(&part, &path) };
        named.map_err(|error| cannot(&path, &error))
    }
}

/// The file of an earlier run, or a new one.
///
/// # Errors
/// What lies there is not what an earlier run of this user left: to write into it would be to write where somebody else
/// says, and to name it would be to give them a file that they can still change.
fn open_part(part: &Path) -> Result<File, ClientError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    match options.clone().create_new(true).open(part) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(|error| cannot(part, &error)),
    }
    let lies = fs::symlink_metadata(part).map_err(|error| cannot(part, &error))?;
    if let Some(what) = foreign(&lies)? {
        return Err(not_taken_over(part, what));
    }
    let file = options.open(part).map_err(|error| cannot(part, &error))?;
    // It may have been replaced in between.
    let opened = file.metadata().map_err(|error| cannot(part, &error))?;
    match foreign(&opened)? {
        Some(what) => Err(not_taken_over(part, what)),
        None => Ok(file),
    }
}

/// Why this is not what an earlier run left, if it is not.
fn foreign(lies: &fs::Metadata) -> Result<Option<&'static str>, ClientError> {
    if lies.is_symlink() {
        return Ok(Some("is a link"));
    }
    if !lies.is_file() {
        return Ok(Some("is no file"));
    }
    // Whose this process is.
    let own = Path::new("/proc/self");
    let user = fs::metadata(own).map_err(|error| cannot(own, &error))?.uid();
    if lies.uid() != user {
        return Ok(Some("belongs to another user"));
    }
    Ok((lies.nlink() > 1).then_some("has another name as well"))
}

fn not_taken_over(part: &Path, what: &str) -> ClientError {
    let part = show::path(part);
    ClientError::Here(format!(
        "{part} {what}, so it is not gone on with: remove it, or fetch to another place (-o)"
    ))
}

/// Renames, unless something is there by now.
fn name_new(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) if fs::symlink_metadata(path).is_err() => fs::rename(part, path),
        Err(error) => Err(error),
    }
}

fn hash(path: &Path) -> Result<Digest, ClientError> {
    let mut hasher = Hasher::new();
    let read = File::open(path).and_then(|mut file| read_all(&mut file, |piece| hasher.update(piece)));
    read.map_err(|error| cannot(path, &error))?;
    Ok(hasher.finish())
}

fn read_all(file: &mut File, mut visit: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut piece = vec![0; CLIENT_READ_BYTES];
    let mut total = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(total),
            count => visit(&piece[..count]),
        }
        total = file.stream_position()?;
    }
}

fn cannot(path: &Path, error: &io::Error) -> ClientError {
    ClientError::Here(format!("{} cannot be written or read: {error}", show::path(path)))
}

/// A name that stays in its folder, hides nothing, is no option of a command and moves no terminal, whatever it was.
fn safe_name(raw: &str) -> String {
    let base = raw.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let mut name = String::with_capacity(base.len());
    for char in base.chars() {
        let safe =
            if show::text(char.encode_utf8(&mut [0; 4])).len() == char.len_utf8() { char } else { '_' };
        if name.len() + safe.len_utf8() > PATH_COMPONENT_BYTES_MAX - SUFFIX.len() {
            break;
        }
        name.push(if name.is_empty() && matches!(safe, '.' | '-') { '_' } else { safe });
    }
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder() {
        for (raw, safe) in [
            ("Beach Photo.JPG", "Beach Photo.JPG"),
            ("../../etc/passwd", "passwd"),
            ("C:\\a\\b.txt", "b.txt"),
            ("..", "_."),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("", "file"),
            ("a/", "file"),
            ("a\0b\u{1b}[2J\u{202e}c\n", "a_b_[2J_c"),
        ] {
            assert_eq!(safe_name(raw), safe, "{raw:?}");
        }
        let long = safe_name(&"\u{e9}".repeat(1_000));
        assert!(
            long.len() + SUFFIX.len() <= PATH_COMPONENT_BYTES_MAX
                && long.chars().all(|char| char == '\u{e9}')
        );
    }
}
