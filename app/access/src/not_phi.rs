//! The other value that may leave the process: one that is no PHI.

/// A value without PHI, for a response that no event records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotPhi<T>(T);

/// A type whose every value is free of PHI.
///
/// Implement it for a type that has no field for PHI, such as a sign-in page or a capability
/// statement. Never for a type that holds any text or any bytes.
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

    /// A value that could hold PHI and does not, for the `_reason` that the code states. Reviews
    /// search for this name.
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
    fn a_value_without_phi_is_released_as_it_is() {
        assert_eq!(NotPhi::new((404, "not found")).into_inner().0, 404);
        let asset = NotPhi::assert(vec![1], "an asset of the build");
        assert_eq!(asset.into_inner(), [1]);
    }
}
