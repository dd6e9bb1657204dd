//! The folding of names for search and sorting, applied to stored names and search values alike.

use any_ascii::any_ascii_char;
use unicode_normalization::IsNormalized;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::char::is_combining_mark;
use unicode_normalization::is_nfkc_quick;
use zeroize::Zeroizing;

/// The form in which names are compared (FHIR R4 3.1.1.4.8): without case, accents, punctuation
/// and spacing, transliterated to ASCII letters and digits.
///
/// Composes first (NFKC), so that what a script composes is transliterated as one character: `が` as
/// `ga`, `한` as `han`, and `ễ` as `e`. Combining marks that remain are removed, except vowel signs,
/// which are letters. A name that has no transliteration at all keeps its letters, in lower case, so
/// that it can still be found.
#[must_use]
pub fn fold_name(name: &str) -> Zeroizing<String> {
    FoldedName::new(name).text
}

/// The words of a text between white space, each folded; words without letters and digits are left
/// out. An address is compared word by word.
pub fn folded_words(text: &str) -> impl Iterator<Item = FoldedName> {
    let words = text.split_whitespace().map(FoldedName::new);
    words.filter(|word| !word.text().is_empty())
}

/// A folded name with the offsets of its words. Zeroized on drop.
pub struct FoldedName {
    text: Zeroizing<String>,
    /// Byte offsets into `text` of the words after the first, ascending.
    later_words: Vec<usize>,
    is_within_word: bool,
}

impl FoldedName {
    /// Folds a name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut folded = Self::empty(name.len());
        // Most names are composed already.
        if name.is_ascii() || is_nfkc_quick(name.chars()) == IsNormalized::Yes {
            name.chars().for_each(|c| folded.push(c));
        } else {
            name.nfkc().for_each(|c| folded.push(c));
        }
        if folded.text.is_empty() && !name.is_ascii() {
            folded = Self::empty(name.len());
            let lower_case = name.nfkc().flat_map(char::to_lowercase);
            lower_case.for_each(|c| folded.push_untransliterated(c));
        }
        folded
    }

    /// The whole name.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The suffixes that begin at a word: `annamaria` and `maria` for `Anna-Maria`.
    pub fn suffixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(0)
            .chain(self.later_words.iter().copied())
            .filter_map(|start| self.text.get(start..))
            .filter(|suffix| !suffix.is_empty())
    }

    fn empty(capacity: usize) -> Self {
        Self {
            text: Zeroizing::new(String::with_capacity(capacity)),
            later_words: Vec::new(),
            is_within_word: false,
        }
    }

    fn push(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.open_word();
            self.append(c.to_ascii_lowercase());
        } else if is_letter(c) {
            self.open_word();
            for ascii in any_ascii_char(c)
                .chars()
                .filter(char::is_ascii_alphanumeric)
            {
                self.append(ascii.to_ascii_lowercase());
            }
        } else if !is_ignorable(c) {
            self.is_within_word = false;
        }
    }

    fn push_untransliterated(&mut self, c: char) {
        if is_letter(c) {
            self.open_word();
            self.append(c);
        } else if !is_ignorable(c) {
            self.is_within_word = false;
        }
    }

    fn open_word(&mut self) {
        if !self.is_within_word && !self.text.is_empty() {
            self.later_words.push(self.text.len());
        }
        self.is_within_word = true;
    }

    /// Appends a character. A text that must grow is copied, and its old buffer is zeroized.
    #[inline]
    fn append(&mut self, c: char) {
        if self.text.capacity() - self.text.len() < c.len_utf8() {
            let mut larger = Zeroizing::new(String::with_capacity(2 * self.text.len() + 8));
            larger.push_str(&self.text);
            self.text = larger;
        }
        self.text.push(c);
    }
}

/// Whether a character belongs to a name's spelling. Accents do not; vowel signs do.
fn is_letter(c: char) -> bool {
    // No combining mark is below U+0300.
    let is_accent = || c >= '\u{300}' && is_combining_mark(c) && canonical_combining_class(c) != 0;
    c.is_alphanumeric() && !is_accent()
}

/// Whether a character is part of a word without being one of its letters: an accent, a soft hyphen,
/// a joiner or a direction mark.
fn is_ignorable(c: char) -> bool {
    is_combining_mark(c)
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

// A name is PHI.
impl std::fmt::Debug for FoldedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FoldedName([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_of_many_scripts_fold_to_ascii() {
        for (name, folded) in [
            ("Dvořák", "dvorak"),
            ("Nguyễn", "nguyen"),
            ("Łukasz", "lukasz"),
            ("Đoković", "dokovic"),
            ("Țepeș", "tepes"),
            ("Şahin", "sahin"),
            ("Søren", "soren"),
            ("Groß", "gross"),
            ("GROẞ", "gross"),
            ("İpek Işık", "ipekisik"),
            ("Þórður", "thordur"),
            ("Kaʻiulani", "kaiulani"),
            ("O’Brien-Smith, Jr.", "obriensmithjr"),
            ("すずき", "suzuki"),
            ("한", "han"),
            ("王小明", "wangxiaoming"),
            ("Иванов", "ivanov"),
            ("كَرِيم", "krym"),
        ] {
            assert_eq!(fold_name(name).as_str(), folded, "{name}");
        }
    }

    #[test]
    fn composed_and_decomposed_spellings_fold_alike() {
        for name in ["Dvořák", "Nguyễn", "Ångström", "すずき", "한", "किरण"] {
            let decomposed: String = name.nfd().collect();
            assert_eq!(fold_name(name), fold_name(&decomposed), "{name}");
        }
    }

    #[test]
    fn every_accented_latin_letter_folds_as_its_base_letter() {
        let letters = ('\u{c0}'..='\u{24f}').chain('\u{1e00}'..='\u{1eff}');
        for letter in letters.filter(|c| c.is_alphabetic()) {
            let mut parts = letter.to_string().nfd().collect::<Vec<_>>().into_iter();
            let base = parts.next().filter(char::is_ascii_alphabetic);
            if let Some(base) = base {
                let expected = base.to_ascii_lowercase().to_string();
                assert_eq!(
                    fold_name(&letter.to_string()).as_str(),
                    expected,
                    "{letter}"
                );
            }
        }
    }

    #[test]
    fn a_name_without_transliteration_keeps_its_letters() {
        // The letter ain, which is transliterated to an apostrophe.
        assert_eq!(fold_name("ع ع").as_str(), "عع");
        assert_eq!(FoldedName::new("ع ع").suffixes().count(), 2);
    }

    #[test]
    fn words_end_at_spaces_and_punctuation_but_not_at_accents() {
        let suffixes = |name: &str| -> Vec<String> {
            FoldedName::new(name)
                .suffixes()
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(suffixes("Muñoz-García"), ["munozgarcia", "garcia"]);
        assert_eq!(
            suffixes("Mun\u{303}oz de la O"),
            ["munozdelao", "delao", "lao", "o"]
        );
        assert_eq!(suffixes(" - "), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(name in "\\PC{0,20}") {
            let once = fold_name(&name);
            prop_assert_eq!(fold_name(&once), once);
        }

        #[test]
        fn composed_and_decomposed_spellings_are_the_same(name in "[\u{c0}-\u{17f}]{0,10}") {
            let composed: String = name.nfc().collect();
            let decomposed: String = name.nfd().collect();
            prop_assert_eq!(fold_name(&composed), fold_name(&decomposed));
        }
    }
}
