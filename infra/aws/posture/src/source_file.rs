//! Text files of a folder.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::error::InputError;

/// A text file.
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Reads the files of a folder that a filter selects, in the order of their names.
///
/// # Errors
/// When the folder or a file cannot be read.
pub(crate) fn read(
    folder: &Path,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<SourceFile>, InputError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        paths.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    paths.retain(|path| path.is_file() && is_wanted(path));
    paths.sort();
    let read = paths
        .into_iter()
        .map(|path| match fs::read_to_string(&path) {
            Ok(text) => Ok(SourceFile { path, text }),
            Err(error) => Err(unreadable(&path, &error)),
        });
    read.collect()
}

/// Reads the files with an extension.
pub(crate) fn read_with_extension(
    folder: &Path,
    extension: &str,
) -> Result<Vec<SourceFile>, InputError> {
    read(folder, |path| {
        path.extension().is_some_and(|found| found == extension)
    })
}

impl SourceFile {
    /// An error in the file.
    pub(crate) fn error(&self, what: impl Into<String>) -> InputError {
        self.within(InputError::new(what))
    }

    /// Adds the path of the file to an error.
    pub(crate) fn within(&self, fault: InputError) -> InputError {
        fault.within(&self.path.display().to_string())
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> InputError {
    InputError::new(error.to_string()).within(&path.display().to_string())
}
