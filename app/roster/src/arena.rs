//! Memory of texts.

use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Bytes in a page. Pages never grow, so that growth leaves no unwiped copy behind.
const PAGE: usize = 16 * 1024;
/// Allocations are multiples of this many bytes, so that freed ones fit texts of similar length.
const GRAIN: usize = 4;

/// Short texts in pages that are wiped: a text when it is freed, a page when it is dropped.
#[derive(Default)]
pub(crate) struct TextArena {
    pages: Vec<Zeroizing<Box<[u8]>>>,
    /// Bytes in use of the last page.
    used: usize,
    /// Starts of freed allocations, by their number of grains.
    free: Vec<Vec<u32>>,
}

/// Where a text is stored. An empty text has no memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct TextRef {
    start: u32,
    len: u8,
}

impl TextArena {
    /// Largest address space of an arena, in bytes: addresses have 32 bits.
    pub(crate) const MAX_BYTES: usize = 4 << 30;

    /// Stores a text of at most 255 bytes; the rest of a longer one is left out.
    pub(crate) fn store(&mut self, text: &[u8]) -> TextRef {
        let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let text = text.get(..usize::from(len)).unwrap_or(text);
        if text.is_empty() {
            return TextRef::default();
        }
        let place = TextRef {
            start: self.allocate(text.len().div_ceil(GRAIN)),
            len,
        };
        if let Some(memory) = self.memory_mut(place) {
            memory.copy_from_slice(text);
        }
        place
    }

    /// The text stored there.
    pub(crate) fn text(&self, place: TextRef) -> &[u8] {
        let (page, start) = address(place);
        let page = self.pages.get(page);
        page.and_then(|page| page.get(start..start + usize::from(place.len)))
            .unwrap_or_default()
    }

    /// Wipes a text and makes its memory available.
    pub(crate) fn free(&mut self, place: TextRef) {
        if let Some(memory) = self.memory_mut(place) {
            memory.zeroize();
        }
        let grains = usize::from(place.len).div_ceil(GRAIN);
        if grains == 0 {
            return;
        }
        if self.free.len() <= grains {
            self.free.resize_with(grains + 1, Vec::new);
        }
        if let Some(free) = self.free.get_mut(grains) {
            free.push(place.start);
        }
    }

    /// Memory of the texts.
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

    fn memory_mut(&mut self, place: TextRef) -> Option<&mut [u8]> {
        let (page, start) = address(place);
        let page = self.pages.get_mut(page)?;
        page.get_mut(start..start + usize::from(place.len))
    }
}

/// Page, and offset within it.
fn address(place: TextRef) -> (usize, usize) {
    let start = crate::ids::index(place.start);
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
