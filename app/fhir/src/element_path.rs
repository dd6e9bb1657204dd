//! Paths of elements, as `FHIRPath`.

use std::fmt;

use crate::definitions::definitions;

/// The path of an element as `FHIRPath`: `Patient.name[0].given[1]`.
///
/// A linked list on the stack: walking a valid resource allocates nothing.
#[derive(Clone, Copy)]
pub enum ElementPath<'a> {
    /// The root: a type name, or the path of a resource in a Bundle.
    Root(&'a str),
    /// A named element of the path before it.
    Field(&'a ElementPath<'a>, &'a str),
    /// An item of the array at the path before it.
    Item(&'a ElementPath<'a>, usize),
}

impl fmt::Display for ElementPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(before, name) => match before {
                Self::Root("") => f.write_str(redacted(name)),
                Self::Root(_) | Self::Field(..) | Self::Item(..) => {
                    write!(f, "{before}.{}", redacted(name))
                }
            },
            Self::Item(before, index) => write!(f, "{before}[{index}]"),
        }
    }
}

/// The name if it is that of an element of R4, otherwise a question mark: a name from a request may contain PHI.
fn redacted(name: &str) -> &str {
    let plain = name.strip_prefix('_').unwrap_or(name);
    let is_known = plain == "resourceType" || definitions().is_ok_and(|all| all.has_name(plain));
    if is_known { name } else { "?" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_fhirpath() {
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
    fn a_name_that_is_not_an_element_name_is_redacted() {
        let root = ElementPath::Root("Patient");
        assert_eq!(
            ElementPath::Field(&root, "ssn 999-12-3456").to_string(),
            "Patient.?"
        );
        assert_eq!(
            ElementPath::Field(&root, "_birthDate").to_string(),
            "Patient._birthDate"
        );
        for (name, shown) in [
            ("JohnSmith", "?"),
            ("_JohnSmith", "?"),
            ("", "?"),
            ("resourceType", "resourceType"),
            ("valueBase64Binary", "valueBase64Binary"),
            ("value", "value"),
        ] {
            let path = ElementPath::Field(&root, name).to_string();
            assert_eq!(path, format!("Patient.{shown}"));
        }
    }
}
