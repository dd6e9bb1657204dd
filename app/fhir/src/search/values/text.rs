//! A text of a resource that is searched.

use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::fold_name;

/// A text, as sent and folded. It is folded at most once, however many conditions it is compared with.
#[derive(Clone)]
pub(in crate::search) struct SearchedText {
    sent: Zeroizing<String>,
    folded: OnceLock<Zeroizing<String>>,
}

impl SearchedText {
    /// The text as sent.
    pub(in crate::search) fn new(sent: &str) -> Self {
        Self {
            sent: Zeroizing::new(sent.to_owned()),
            folded: OnceLock::new(),
        }
    }

    /// The text as sent.
    pub(in crate::search) fn sent(&self) -> &str {
        &self.sent
    }

    /// The text without case, accents and punctuation.
    pub(in crate::search) fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold_name(&self.sent))
    }
}

impl PartialEq for SearchedText {
    fn eq(&self, other: &Self) -> bool {
        self.sent == other.sent
    }
}
