//! The errors of a store. None repeats a name or a path.

use std::io;

/// An object was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The name has an object that was not to be replaced, or it is the folder of another name, or another name is its
    /// folder.
    #[error("the name of the object is taken")]
    NameTaken,
    /// The object is longer than [`MAX_OBJECT_BYTES`](crate::MAX_OBJECT_BYTES).
    #[error("the object is too large")]
    TooLarge,
    /// The store has no space, or a quota is used up.
    #[error("the object store is full")]
    Full,
    /// The store failed. Whether the object was stored is unknown if the failure is that of a commit.
    #[error("the object store is unavailable")]
    Unavailable(#[source] io::Error),
}

/// An object was not read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The name has no object.
    #[error("there is no such object")]
    NotFound,
    /// The store failed.
    #[error("the object store is unavailable")]
    Unavailable(#[source] io::Error),
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
#[error("the object store is unavailable")]
pub struct StoreUnavailable(#[source] pub io::Error);

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the standard library's list of kinds is open"
        )]
        match error.kind() {
            io::ErrorKind::AlreadyExists
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::DirectoryNotEmpty => Self::NameTaken,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            _ => Self::Unavailable(error),
        }
    }
}

impl From<io::Error> for GetError {
    fn from(error: io::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the standard library's list of kinds is open"
        )]
        match error.kind() {
            // A name below another object's name.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            _ => Self::Unavailable(error),
        }
    }
}

impl From<io::Error> for StoreUnavailable {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_store_is_told_from_one_that_is_unavailable() {
        // ENOSPC, EDQUOT and EIO.
        for (code, is_full) in [(28, true), (122, true), (5, false)] {
            let error = PutError::from(io::Error::from_raw_os_error(code));
            assert_eq!(matches!(error, PutError::Full), is_full, "{code}");
        }
    }
}
