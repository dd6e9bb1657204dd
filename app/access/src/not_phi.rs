//! Values without PHI, which may be sent without an audit event.

/// A value without PHI, for a response without an audit event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotPhi<T>(T);

/// A type whose values cannot contain PHI.
///
/// Implement it only for types without a field for PHI, such as a status; never for types that contain
/// arbitrary text or bytes.
pub trait NotPhiData {}

impl NotPhiData for () {}
impl NotPhiData for bool {}
impl NotPhiData for u16 {}
impl NotPhiData for &'static str {}
impl NotPhiData for &'static [u8] {}
impl<T: NotPhiData> NotPhiData for Option<T> {}
impl<T: NotPhiData, U: NotPhiData> NotPhiData for (T, U) {}

impl<T> NotPhi<T> {
    /// A value of a type that cannot hold PHI.
    #[must_use]
    pub const fn new(value: T) -> Self
    where
        T: NotPhiData,
    {
        Self(value)
    }

    /// A value whose type could contain PHI. The caller asserts that the value does not, for the stated
    /// `_reason`; the assertion is not checked, so reviews search for this name.
    #[must_use]
    pub const fn assert(value: T, _reason: &'static str) -> Self {
        Self(value)
    }

    /// The value, for a responder to write into a response.
    pub fn into_inner(self) -> T {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_phi_is_returned_unchanged() {
        assert_eq!(NotPhi::new((404, "not found")).into_inner().0, 404);
        let asset = NotPhi::assert(vec![1], "an asset of the build");
        assert_eq!(asset.into_inner(), [1]);
    }
}
