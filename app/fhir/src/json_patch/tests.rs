//! Patches: the rules of RFC 6902, and limits.
