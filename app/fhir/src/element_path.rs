//! Where in a resource something stands.

use std::fmt;

/// A place in a resource, written as `FHIRPath`: `Patient.name[0].given[1]`.
///
/// It is a list on the stack, so that walking a sound resource allocates nothing.
#[derive(Clone, Copy)]
pub enum ElementPath<'a> {
    /// Where the walk begins: a type name, or a place in a Bundle.
    Root(&'a str),
    /// An element of the place before it.
    Field(&'a ElementPath<'a>, &'a str),
    /// One of several at the place before it.
    Item(&'a ElementPath<'a>, usize),
}

impl fmt::Display for ElementPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(before, name) => match before {
                Self::Root("") => f.write_str(shown(name)),
                Self::Root(_) | Self::Field(..) | Self::Item(..) => {
                    write!(f, "{before}.{}", shown(name))
                }
            },
            Self::Item(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}

/// The name, if it is built like a FHIR element's; otherwise a question mark, because a name
/// that was sent may be anything.
fn shown(name: &str) -> &str {
    let letters = name.strip_prefix('_').unwrap_or(name);
    let plain = letters.len() <= 40 && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = matches!(letters, "valueBase64Binary" | "defaultValueBase64Binary");
    if (plain && !letters.is_empty()) || known {
        name
    } else {
        "?"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_fhirpath() {
        let root = ElementPath::Root("Patient");
        let name = ElementPath::Field(&root, "name");
        let first = ElementPath::Item(&name, 0);
        let given = ElementPath::Field(&first, "given");
        assert_eq!(
            ElementPath::Item(&given, 1).to_string(),
            "Patient.name[0].given[1]"
        );
    }

    #[test]
    fn a_name_that_is_no_element_name_is_not_repeated() {
        let root = ElementPath::Root("Patient");
        assert_eq!(
            ElementPath::Field(&root, "ssn 999-12-3456").to_string(),
            "Patient.?"
        );
        assert_eq!(
            ElementPath::Field(&root, "_birthDate").to_string(),
            "Patient._birthDate"
        );
    }
}
