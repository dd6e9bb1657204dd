//! Prefix lists that AWS manages.

/// The prefix list of S3 addresses, by region.
pub(crate) const S3_PREFIX_LISTS: &[(&str, &str)] = &[
    ("us-east-1", "pl-63a5400a"),
    ("us-east-2", "pl-7ba54012"),
    ("us-west-1", "pl-6ba54002"),
    ("us-west-2", "pl-68a54001"),
];
