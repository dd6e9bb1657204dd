//! Files of a folder.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::fault::Fault;

/// A file that was read.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The files of a folder that are wanted, in the order of their names.
///
/// # Errors
/// The first that cannot be read.
pub(crate) fn files(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<File>, Fault> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        paths.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    paths.retain(|path| path.is_file() && wanted(path));
    paths.sort();
    let read = paths
        .into_iter()
        .map(|path| match fs::read_to_string(&path) {
            Ok(text) => Ok(File { path, text }),
            Err(error) => Err(unreadable(&path, &error)),
        });
    read.collect()
}

/// Those whose names end so.
pub(crate) fn files_of(folder: &Path, extension: &str) -> Result<Vec<File>, Fault> {
    files(folder, |path| {
        path.extension().is_some_and(|found| found == extension)
    })
}

impl File {
    /// Something wrong in it.
    pub(crate) fn fault(&self, what: impl Into<String>) -> Fault {
        self.within(Fault::new(what))
    }

    /// The same, where it is already said what.
    pub(crate) fn within(&self, fault: Fault) -> Fault {
        fault.within(&self.path.display().to_string())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(error.to_string()).within(&path.display().to_string())
}
