//! The mark of a tombstone: a version that deletes a resource.

/// The mark of a version that deletes its resource. A row without it has no value in the column, which leaves its MAC as
/// it was before the column existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deleted;

impl Deleted {
    /// The permanent number of the mark.
    #[must_use]
    pub const fn code(self) -> u8 {
        1
    }

    /// The mark with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_alone_is_the_mark() {
        let marks: Vec<u8> = (0..=u8::MAX)
            .filter(|code| Deleted::from_code(*code).is_some())
            .collect();
        assert_eq!(marks, [Deleted.code()]);
    }
}
