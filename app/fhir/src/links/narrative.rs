//! Links in a narrative: the `href` and `src` attributes of XHTML elements.

use std::ops::Range;

use zeroize::Zeroizing;

use super::Link;

/// A narrative with its links replaced; `None` if no link changes. Text outside of attributes is kept, and each byte is
/// read once.
pub(super) fn with_links(
    text: &str,
    replace: &dyn Fn(Link<'_>) -> Option<String>,
) -> Option<String> {
    let mut scanner = Scanner {
        text,
        at: 0,
        is_in_tag: false,
    };
    let mut replaced: Vec<(Range<usize>, Zeroizing<String>)> = Vec::new();
    while let Some(range) = scanner.next_link() {
        if let Some(other) = replace(Link::Address(text.get(range.clone())?)) {
            replaced.push((range, Zeroizing::new(other)));
        }
    }
    if replaced.is_empty() {
        return None;
    }
    // Allocated once: a string that grew would leave copies that are not zeroized.
    let added: usize = replaced.iter().map(|(_, other)| other.len()).sum();
    let mut output = Zeroizing::new(String::with_capacity(text.len().saturating_add(added)));
    let mut done = 0;
    for (range, other) in replaced {
        output.push_str(text.get(done..range.start)?);
        output.push_str(&other);
        done = range.end;
    }
    output.push_str(text.get(done..)?);
    Some(std::mem::take(&mut *output))
}

/// A scanner of XHTML for attributes. It never goes back.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
    /// Whether the position is between the attributes of a start tag.
    is_in_tag: bool,
}

impl Scanner<'_> {
    /// The range of the next link: the value of a `href` or `src` attribute.
    fn next_link(&mut self) -> Option<Range<usize>> {
        loop {
            if !self.is_in_tag {
                self.enter_tag()?;
            }
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b'/');
            match self.byte()? {
                b'>' => {
                    self.at = self.at.saturating_add(1);
                    self.is_in_tag = false;
                }
                // Malformed: a tag begins inside a tag.
                b'<' => self.is_in_tag = false,
                _ => {
                    if let Some(link) = self.attribute() {
                        return Some(link);
                    }
                }
            }
        }
    }

    /// Goes to the attributes of the next start tag.
    fn enter_tag(&mut self) -> Option<()> {
        self.skip_to("<")?;
        let rest = self.text.get(self.at..)?;
        if rest.starts_with("!--") {
            return self.skip_to("-->");
        }
        // End tags and declarations have no attributes.
        if !rest.starts_with(['/', '!', '?']) {
            self.skip(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'>' | b'/' | b'<'));
            self.is_in_tag = true;
        }
        Some(())
    }

    /// Reads an attribute; the range of its value if it is a link.
    fn attribute(&mut self) -> Option<Range<usize>> {
        let begin = self.at;
        // At least one byte, so that the scanner always goes on.
        self.at = self.at.saturating_add(1);
        self.skip(|byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'/' | b'<' | b'"' | b'\'')
        });
        let is_link = matches!(self.text.get(begin..self.at), Some("href" | "src"));
        self.skip(|byte| byte.is_ascii_whitespace());
        if self.byte() != Some(b'=') {
            return None;
        }
        self.at = self.at.saturating_add(1);
        self.skip(|byte| byte.is_ascii_whitespace());
        let quote = match self.byte() {
            Some(b'"') => "\"",
            Some(b'\'') => "'",
            Some(_) | None => return None,
        };
        let begin = self.at.saturating_add(1);
        self.at = begin;
        if self.skip_to(quote).is_none() {
            self.at = self.text.len();
            return None;
        }
        is_link.then_some(begin..self.at.saturating_sub(1))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, matches: impl Fn(u8) -> bool) {
        while self.byte().is_some_and(&matches) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Goes behind the next occurrence of a text.
    fn skip_to(&mut self, end: &str) -> Option<()> {
        let offset = self.text.get(self.at..)?.find(end)?;
        self.at = self.at.saturating_add(offset).saturating_add(end.len());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replaced(text: &str) -> Option<String> {
        with_links(text, &|link| {
            (link.text() == "urn:x").then(|| "Y/1".to_owned())
        })
    }

    #[test]
    fn the_links_of_elements_are_replaced_whatever_their_spacing() {
        for (text, expected) in [
            ("<a href=\"urn:x\">", "<a href=\"Y/1\">"),
            (
                "<a\n class='ü'\n href = 'urn:x' >",
                "<a\n class='ü'\n href = 'Y/1' >",
            ),
            (
                "<img alt=\"a > b\" src='urn:x'/>",
                "<img alt=\"a > b\" src='Y/1'/>",
            ),
            (
                "<p>1 &lt; 2 <a href='b'/><a href='urn:x'/></p>",
                "<p>1 &lt; 2 <a href='b'/><a href='Y/1'/></p>",
            ),
            ("<!-- <a --><a href='urn:x'/>", "<!-- <a --><a href='Y/1'/>"),
        ] {
            assert_eq!(replaced(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_attribute_is_kept() {
        for text in [
            "href=\"urn:x\"",
            "<p>href=\"urn:x\"</p>",
            "<p title='href=\"urn:x\"'/>",
            "<a xhref='urn:x' data-src='urn:x'/>",
            "<!-- <a href='urn:x'/> -->",
            "<a href='urn:x",
            "<a href=urn:x>",
            "<a href='urn:x#'/>",
            "<",
            "<!--",
        ] {
            assert_eq!(replaced(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends_and_keeps_what_is_around_links(text in "[<>a-c ='\"/!-]{0,60}") {
            let link = "<i src='urn:x'/>";
            let whole = format!("{text}><!-- -->{link}");
            let unquoted = text.matches('\'').count() % 2 == 0 && text.matches('"').count() % 2 == 0;
            if let Some(output) = replaced(&whole) {
                prop_assert_eq!(output, whole.replace("urn:x", "Y/1"));
            } else {
                prop_assert!(!text.is_empty() || !unquoted);
            }
        }
    }
}
