//! A bounded cache with single-flight loading.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::KeyError;

/// A cache of up to `capacity` values. When it is full, the least recently used eighth is evicted.
///
/// Loading is single flight: callers that arrive while a value is loaded wait for it and share its failure,
/// so that an outage costs one call and not one for each caller. A failure is not cached.
pub(super) struct SingleFlightCache<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
    capacity: usize,
    uses: AtomicU64,
}

struct Slot<V> {
    value: Mutex<Option<V>>,
    /// Locked during a load; contains the failure of the last one.
    loading: tokio::sync::Mutex<Option<Failure>>,
    used: AtomicU64,
}

struct Failure {
    at: Instant,
    error: KeyError,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlightCache<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            slots: Mutex::new(HashMap::new()),
            capacity: capacity.max(1),
            uses: AtomicU64::new(0),
        }
    }

    /// The value of `key`, loaded if it is absent.
    pub(super) async fn load(
        &self,
        key: K,
        load: impl AsyncFnOnce() -> Result<V, KeyError>,
    ) -> Result<V, KeyError> {
        self.load_if_invalid(key, |_| true, load).await
    }

    /// The value of `key`, loaded if it is absent or not valid.
    pub(super) async fn load_if_invalid(
        &self,
        key: K,
        is_valid: impl Fn(&V) -> bool,
        load: impl AsyncFnOnce() -> Result<V, KeyError>,
    ) -> Result<V, KeyError> {
        let arrived = Instant::now();
        let slot = self.slot(&key);
        if let Some(value) = slot.value().as_ref().filter(|value| is_valid(value)) {
            return Ok(value.clone());
        }
        let mut failure = slot.loading.lock().await;
        // Another caller may have loaded the value, or failed, during the wait for the lock.
        if let Some(value) = slot.value().as_ref().filter(|value| is_valid(value)) {
            return Ok(value.clone());
        }
        if let Some(shared) = failure.as_ref().filter(|failure| failure.at > arrived) {
            return Err(shared.error.clone());
        }
        // Boxed, since most calls find the value: their futures need no memory for a load.
        match Box::pin(load()).await {
            Ok(value) => {
                *slot.value() = Some(value.clone());
                Ok(value)
            }
            Err(error) => {
                *failure = Some(Failure {
                    at: Instant::now(),
                    error: error.clone(),
                });
                self.remove(&key);
                Err(error)
            }
        }
    }

    /// The value of `key`, if it is cached. This does not count as use.
    pub(super) fn peek(&self, key: &K) -> Option<V> {
        self.slots().get(key)?.value().clone()
    }

    /// Inserts a value that the caller has loaded.
    pub(super) fn insert(&self, key: &K, value: V) {
        *self.slot(key).value() = Some(value);
    }

    /// Replaces the value of `key` if it is `expected`. Returns whether it was replaced.
    pub(super) fn replace_if(&self, key: &K, expected: impl Fn(&V) -> bool, value: V) -> bool {
        let Some(slot) = self.slots().get(key).map(Arc::clone) else {
            return false;
        };
        let mut current = slot.value();
        let is_expected = current.as_ref().is_some_and(expected);
        if is_expected {
            *current = Some(value);
        }
        is_expected
    }

    /// Removes a value.
    pub(super) fn remove(&self, key: &K) {
        self.slots().remove(key);
    }

    /// Removes the value of `key` if it is `expected`.
    pub(super) fn remove_if(&self, key: &K, expected: impl Fn(&V) -> bool) {
        let mut slots = self.slots();
        if slots
            .get(key)
            .is_some_and(|slot| slot.value().as_ref().is_some_and(expected))
        {
            slots.remove(key);
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = self.slots();
        if !slots.contains_key(key) && slots.len() >= self.capacity {
            self.evict(&mut slots);
        }
        let slot = slots
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Slot::new()));
        slot.used
            .store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(slot)
    }

    /// Removes the least recently used eighth.
    fn evict(&self, slots: &mut HashMap<K, Arc<Slot<V>>>) {
        let mut uses: Vec<_> = slots
            .values()
            .map(|slot| slot.used.load(Ordering::Relaxed))
            .collect();
        let (_, oldest, _) = uses.select_nth_unstable(self.capacity / 8);
        let oldest = *oldest;
        slots.retain(|_, slot| slot.used.load(Ordering::Relaxed) > oldest);
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<K, Arc<Slot<V>>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Slot<V> {
    fn new() -> Self {
        Self {
            value: Mutex::new(None),
            loading: tokio::sync::Mutex::new(None),
            used: AtomicU64::new(0),
        }
    }

    fn value(&self) -> MutexGuard<'_, Option<V>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
