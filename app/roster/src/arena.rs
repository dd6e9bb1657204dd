//! An arena for short texts.

use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Size of a page, in bytes. A page never grows, since growing would leave an unwiped copy.
const PAGE: usize = 16 * 1024;
/// Granularity of allocations, in bytes, so that freed ones fit texts of similar length.
const GRAIN: usize = 4;

/// An arena of short texts in pages. A text is zeroized when it is freed, a page when it is dropped.
#[derive(Default)]
pub(crate) struct TextArena {
    pages: Vec<Zeroizing<Box<[u8]>>>,
    /// Allocated bytes of the last page.
    used: usize,
    /// Addresses of freed allocations, by their number of grains.
    free: Vec<Vec<u32>>,
}

/// The address and length of a stored text. An empty text has no memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct TextRef {
    start: u32,
    len: u8,
}

impl TextArena {
    /// Maximum size of an arena, in bytes: addresses have 32 bits.
    pub(crate) const MAX_BYTES: usize = 4 << 30;

    /// Stores a text, truncated to 255 bytes.
    pub(crate) fn store(&mut self, text: &[u8]) -> TextRef {
        let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let text = text.get(..usize::from(len)).unwrap_or(text);
        if text.is_empty() {
            return TextRef::default();
        }
        let stored = TextRef {
            start: self.allocate(text.len().div_ceil(GRAIN)),
            len,
        };
        if let Some(memory) = self.memory_mut(stored) {
            memory.copy_from_slice(text);
        }
        stored
    }

    /// A stored text.
    pub(crate) fn text(&self, stored: TextRef) -> &[u8] {
        let (page, start) = address(stored);
        let page = self.pages.get(page);
        page.and_then(|page| page.get(start..start + usize::from(stored.len)))
            .unwrap_or_default()
    }

    /// Zeroizes a text and makes its memory available.
    pub(crate) fn free(&mut self, stored: TextRef) {
        if let Some(memory) = self.memory_mut(stored) {
            memory.zeroize();
        }
        let grains = usize::from(stored.len).div_ceil(GRAIN);
        if grains == 0 {
            return;
        }
        if self.free.len() <= grains {
            self.free.resize_with(grains + 1, Vec::new);
        }
        if let Some(free) = self.free.get_mut(grains) {
            free.push(stored.start);
        }
    }

    /// Memory of the arena, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * (PAGE + size_of::<Box<[u8]>>())
    }

    fn allocate(&mut self, grains: usize) -> u32 {
        if let Some(start) = self.free.get_mut(grains).and_then(Vec::pop) {
            return start;
        }
        if self.pages.is_empty() || self.used + grains * GRAIN > PAGE {
            self.pages
                .push(Zeroizing::new(vec![0; PAGE].into_boxed_slice()));
            self.used = 0;
        }
        let start = (self.pages.len() - 1) * PAGE + self.used;
        self.used += grains * GRAIN;
        // The limit of a roster keeps its arena below `MAX_BYTES`.
        u32::try_from(start).unwrap_or(u32::MAX)
    }

    fn memory_mut(&mut self, stored: TextRef) -> Option<&mut [u8]> {
        let (page, start) = address(stored);
        let page = self.pages.get_mut(page)?;
        page.get_mut(start..start + usize::from(stored.len))
    }
}

/// The page of a text, and the offset within it.
fn address(stored: TextRef) -> (usize, usize) {
    let start = crate::ids::index(stored.start);
    (start / PAGE, start % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_text_is_wiped_and_its_memory_used_again() {
        let mut arena = TextArena::default();
        let place = arena.store(b"garcia");
        assert_eq!(arena.text(place), b"garcia");
        arena.free(place);
        assert_eq!(arena.text(place), [0; 6]);
        let other = arena.store(b"lopezes");
        assert_eq!(other.start, place.start);
        assert_eq!(arena.text(other), b"lopezes");
    }

    #[test]
    fn texts_of_any_length_and_number_are_kept() {
        let mut arena = TextArena::default();
        let texts: Vec<_> = (0..5_000_usize)
            .map(|i| vec![u8::try_from(i % 251).unwrap(); i % 97])
            .collect();
        let places: Vec<_> = texts.iter().map(|text| arena.store(text)).collect();
        for (text, place) in texts.iter().zip(places) {
            assert_eq!(arena.text(place), text);
        }
    }
}
