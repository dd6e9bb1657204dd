//! Counts as display text.

use std::fmt;

/// A count, displayed with separators of thousands: `1,204`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count(pub(crate) usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn thousands_are_separated() {
        let read = [0, 7, 999, 1_000, 1_234_567].map(|count| Count(count).to_string());
        assert_eq!(read, ["0", "7", "999", "1,000", "1,234,567"]);
    }
}
