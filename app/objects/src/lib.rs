#![doc = include_str!("../README.md")]

mod blocking;
mod ciphertext;
#[cfg(test)]
mod conformance;
mod error;
mod folder;
mod frames;
mod name;
mod store;

pub use ciphertext::Ciphertext;
pub use ciphertext::FrameTooLong;
pub use error::GetError;
pub use error::PutError;
pub use error::StoreUnavailable;
pub use folder::FolderError;
pub use folder::FolderStore;
pub use frames::FrameError;
pub use frames::Frames;
pub use name::InvalidName;
pub use name::ObjectName;
pub use name::ObjectPrefix;
pub use store::MAX_OBJECT_BYTES;
pub use store::MAX_PAGE;
pub use store::MAX_READ_BYTES;
pub use store::ObjectMetadata;
pub use store::ObjectPage;
pub use store::ObjectReader;
pub use store::ObjectStore;
pub use store::PutMode;
pub use store::Upload;
