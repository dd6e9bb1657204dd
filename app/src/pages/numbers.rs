//! Counts as people read them.

/// `1,204`: digits in groups of three.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What templates call a filter; askama looks for `filters` beside the page.
pub(crate) mod filters {
    /// The filter `count`.
    #[askama::filter_fn]
    pub(crate) fn count(value: &usize, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(super::grouped(*value))
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        let read = [0, 7, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(read, ["0", "7", "999", "1,000", "1,234,567"]);
    }
}
