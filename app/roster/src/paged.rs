//! A growable array in pages of fixed size.

/// Number of elements in a page.
const PAGE: usize = 512;

/// A growable array whose elements do not move when it grows: growth takes constant time and leaves
/// no unwiped copy.
pub(crate) struct Paged<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Paged<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        full + self.pages.last().map_or(0, Vec::len)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index / PAGE)?.get_mut(index % PAGE)
    }

    pub(crate) fn push(&mut self, element: T) {
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(element),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(element);
                self.pages.push(page);
            }
        }
    }

    /// Sets an element, and appends defaults before it as needed.
    pub(crate) fn set(&mut self, index: usize, element: T)
    where
        T: Default,
    {
        while self.len() <= index {
            self.push(T::default());
        }
        if let Some(slot) = self.get_mut(index) {
            *slot = element;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten()
    }

    /// Memory of the array, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * PAGE * size_of::<T>() + self.pages.capacity() * size_of::<Vec<T>>()
    }
}

impl<T> IntoIterator for Paged<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pages.into_iter().flatten()
    }
}
