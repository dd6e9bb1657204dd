//! The resource types of R4 that are not stored.

/// The reason for which resources of a type of R4 are not stored; none for a stored type, and for a name
/// that is not a type of R4.
#[must_use]
pub fn refused_reason(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find_map(|(refused, reason)| (*refused == name).then_some(*reason))
}

/// The names of the types that are not stored.
pub(crate) fn refused_names() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().map(|(name, _)| *name)
}

/// The types, each with its reason.
pub(crate) const REFUSED: [(&str, &str); 6] = [
    (
        "AuditEvent",
        "audit events are recorded by this server only, in its own trail",
    ),
    (
        "Bundle",
        "a Bundle is a request: send a transaction or a batch to the base, and a document as Composition \
         and DocumentReference",
    ),
    (
        "MessageHeader",
        "a MessageHeader has a meaning only in a message, and messages are not supported",
    ),
    (
        "OperationOutcome",
        "an OperationOutcome is a response, which is not stored",
    ),
    (
        "Parameters",
        "Parameters are the input or output of an operation, which are not stored",
    ),
    (
        "Subscription",
        "subscriptions are not supported: a stored one would promise notifications",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceType;

    #[test]
    fn a_type_is_stored_or_has_a_reason_why_it_is_not() {
        for (name, reason) in REFUSED {
            assert_eq!(refused_reason(name), Some(reason));
            assert!(name.parse::<ResourceType>().is_err(), "{name}");
        }
        for resource_type in ResourceType::ALL {
            assert_eq!(refused_reason(resource_type.name()), None);
        }
        assert_eq!(refused_reason("Bot"), None);
        assert_eq!(refused_reason("bundle"), None);
    }
}
