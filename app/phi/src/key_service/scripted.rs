//! A key service whose failures a test controls.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::DevelopmentKeyring;
use super::ServiceError;

/// A development keyring that fails on demand and counts its calls.
#[derive(Clone, Debug)]
pub struct Scripted {
    keyring: Arc<DevelopmentKeyring>,
    failure: Arc<Mutex<Option<ServiceError>>>,
    calls: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keyring = DevelopmentKeyring::create(&folder.path().join("keyring.json")).unwrap();
        Self {
            keyring: Arc::new(keyring),
            failure: Arc::default(),
            calls: Arc::default(),
        }
    }

    /// Sets the failure of every further call; with `None`, they succeed.
    pub(crate) fn fail(&self, failure: Option<ServiceError>) {
        *self.failure.lock().unwrap() = failure;
    }

    /// The number of calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(super) fn call(&self) -> Result<&DevelopmentKeyring, ServiceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.failure.lock().unwrap().map_or(Ok(&self.keyring), Err)
    }
}
