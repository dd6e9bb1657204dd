//! The wrapper of PHI in the clear.

use std::fmt;

use zeroize::Zeroize;

/// A PHI value in the clear: it cannot be serialized, its `Debug` reveals nothing, and it is zeroized on drop.
pub struct Phi<T: Zeroize>(T);

impl<T: Zeroize> Phi<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Copies that the caller makes of it are not zeroized.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Phi<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> zeroize::ZeroizeOnDrop for Phi<T> {}

impl<T: Zeroize + Clone> Clone for Phi<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> From<T> for Phi<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        assert_eq!(format!("{:?}", Phi::new("Ada".to_owned())), "Phi(..)");
    }
}
