//! Where an export may write: the target folder, and the paths below it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX};
use crate::media::name::ROOT;

/// Refuses a target that holds anything, or that lies in the data folder.
///
/// # Errors
/// In one sentence, why.
pub(super) fn check(dir: &Path, to: &Path) -> Result<(), String> {
    let name = to.display();
    let cannot = |error: io::Error| format!("cannot write to {name}: {error}");
    // A data folder that cannot be found is told of when it is opened.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if real_path(to).map_err(cannot)?.starts_with(&dir) {
        return Err(format!("cannot export to {name}: it lies in the data folder"));
    }
    match fs::read_dir(to) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(format!("cannot export to {name}: it is not empty")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot(error)),
    }
}

/// The path with all links and dots followed, as far as it exists, and the rest as it is.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            component => real.push(component),
        }
        match real.canonicalize() {
            Ok(resolved) => real = resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(real)
}

/// Whether a path of the log is one that an upload can have: `storage/` and components of `[a-z0-9_.-]`, none of them
/// dots only. The paths were made so; a log that says otherwise is not ours, whatever its checksums say.
pub(super) fn is_safe(path: &str) -> bool {
    let component_is_safe = |component: &str| {
        (1..=PATH_COMPONENT_BYTES_MAX).contains(&component.len())
            && component.bytes().any(|byte| byte != b'.')
            && component.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
    };
    path.len() <= PATH_BYTES_MAX
        && path.strip_prefix(ROOT).is_some_and(|rest| rest.split('/').all(component_is_safe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_uploads_get_are_safe() {
        for path in ["storage/images/jpg/0a1b_x.jpg", "storage/a", "storage/..a/b.-_9"] {
            assert!(is_safe(path), "{path}");
        }
        let long = format!("storage/{}", "a".repeat(256));
        for path in [
            "",
            "storage",
            "storage/",
            "/storage/a",
            "images/a",
            "storage//a",
            "storage/../etc/passwd",
            "storage/./a",
            "storage/...",
            "storage/a/",
            "storage/A",
            "storage/a b",
            "storage/a\0",
            "storage/a\\b",
            "storage/\u{e9}",
            "storage/a\n",
            &long,
        ] {
            assert!(!is_safe(path), "{path:?}");
        }
    }

    #[test]
    fn a_target_within_the_data_folder_is_refused_however_it_is_written() {
        let base = std::env::temp_dir().join(format!("rhinobox-target-{}", std::process::id()));
        let (data, other) = (base.join("data"), base.join("other"));
        fs::create_dir_all(&data).unwrap();
        fs::create_dir_all(&other).unwrap();
        let link = base.join("link");
        std::os::unix::fs::symlink(&data, &link).unwrap();
        for inside in [
            data.clone(),
            data.join("x"),
            link.join("x/y"),
            other.join("../data/x"),
            base.join("new/../data"),
        ] {
            let why = check(&data, &inside).unwrap_err();
            assert!(why.ends_with("it lies in the data folder"), "{why}");
        }
        for outside in [other.clone(), base.join("datax"), base.join("new/deep")] {
            assert_eq!(check(&data, &outside), Ok(()), "{}", outside.display());
        }
        assert!(check(&data, &base).unwrap_err().ends_with("it is not empty"));
        fs::remove_dir_all(base).unwrap();
    }
}
