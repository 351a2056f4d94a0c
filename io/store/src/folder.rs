//! Where the data lies (XDG Base Directory Specification).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::defaults::FILE_NAME;

/// The user's data folder for wayleave: `$XDG_DATA_HOME/wayleave`, else
/// `~/.local/share/wayleave`; `None` if the environment names no home.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    choose(std::env::var_os("XDG_DATA_HOME").map(Into::into), std::env::home_dir())
}

fn choose(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let base = xdg.filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(home?.join(".local/share")));
    Some(base?.join("wayleave"))
}

/// Makes the folder and the database's file in it, both for their owner alone, and returns the
/// file's path.
pub(crate) fn prepare(folder: &Path) -> Result<PathBuf, Error> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    if !folder.is_dir() {
        make_folder(folder).map_err(at(folder))?;
    }
    let file = folder.join(FILE_NAME);
    make_file(&file).map_err(at(&file))?;
    Ok(file)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(unix)]
fn make_file(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    const OWNER_ALONE: u32 = 0o600;
    // SQLite gives its side files the permissions of this one.
    let opened = fs::OpenOptions::new().append(true).create(true).mode(OWNER_ALONE).open(file)?;
    let mut permissions = opened.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(OWNER_ALONE);
        opened.set_permissions(permissions)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn make_file(file: &Path) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).open(file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn xdg_then_home_then_nothing() {
        let path = |p: &str| Some(p.into());
        assert_eq!(choose(path("/data"), path("/home/a")), path("/data/wayleave"));
        assert_eq!(choose(path("data"), path("/home/a")), path("/home/a/.local/share/wayleave"));
        assert_eq!(choose(None, None), None);
    }
}
