//! A column that holds sealed values.

use std::marker::PhantomData;

use crate::normalize::Normalizer;
use crate::padding::Bucket;

/// A sealed column: what is sealed in it, where it stands, its permanent id, its bucket, and in its
/// type how it can be searched (`I`).
///
/// The id, not the name, enters the cryptography: renaming a column changes nothing, and an id is
/// never used twice. All columns stand in [`columns`](crate::columns).
pub struct Column<T, I = Unindexed> {
    table: &'static str,
    name: &'static str,
    id: u16,
    bucket: Bucket,
    index: I,
    value: PhantomData<fn() -> T>,
}

/// A column that cannot be searched.
#[derive(Clone, Copy, Debug)]
pub struct Unindexed;

/// A column found by exact match, through a 128-bit blind index.
#[derive(Clone, Copy, Debug)]
pub struct Exact(pub(crate) Normalizer);

/// A column found by exact match whose values are few enough to be tried one by one: its index goes
/// through a key that never leaves the key service.
#[derive(Clone, Copy, Debug)]
pub struct ByKeyService(pub(crate) Normalizer);

impl<T> Column<T> {
    /// Declares a column that cannot be searched. Only the registry does this.
    pub(crate) const fn new(
        table: &'static str,
        name: &'static str,
        id: u16,
        bucket: Bucket,
    ) -> Self {
        Self {
            table,
            name,
            id,
            bucket,
            index: Unindexed,
            value: PhantomData,
        }
    }

    /// The same column, found by exact match.
    pub(crate) const fn exact(self, normalizer: Normalizer) -> Column<T, Exact> {
        let Self {
            table,
            name,
            id,
            bucket,
            ..
        } = self;
        Column {
            table,
            name,
            id,
            bucket,
            index: Exact(normalizer),
            value: PhantomData,
        }
    }

    /// The same column, found by exact match through the key service.
    pub(crate) const fn by_key_service(self, normalizer: Normalizer) -> Column<T, ByKeyService> {
        let Self {
            table,
            name,
            id,
            bucket,
            ..
        } = self;
        Column {
            table,
            name,
            id,
            bucket,
            index: ByKeyService(normalizer),
            value: PhantomData,
        }
    }
}

impl<T, I> Column<T, I> {
    /// The table the column stands in.
    #[must_use]
    pub const fn table(&self) -> &'static str {
        self.table
    }

    /// The column's name in its table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The column's permanent number.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// The lengths its padded values can have.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// How it is searched.
    pub(crate) const fn index(&self) -> &I {
        &self.index
    }
}
