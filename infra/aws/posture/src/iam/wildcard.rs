//! Patterns of actions and ARNs.

/// Whether a text matches a pattern with `*` and `?`, as IAM compares them: without regard to case.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to resume after a mismatch: the pattern after the last star, and the text that the star does not cover yet.
    let mut resume: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                resume = Some((rest, text));
                pattern = rest;
            }
            (Some((sign, rest)), Some((found, later)))
                if *sign == b'?' || sign.eq_ignore_ascii_case(found) =>
            {
                (pattern, text) = (rest, later);
            }
            (None, None) => return true,
            // The last star covers one more character.
            _ => match resume.and_then(|(rest, from)| Some((rest, from.split_first()?.1))) {
                Some((rest, from)) => {
                    resume = Some((rest, from));
                    (pattern, text) = (rest, from);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_compared_as_iam_does() {
        for (pattern, text) in [
            ("*", ""),
            ("s3:Get*", "s3:GetObject"),
            ("a?c*", "abc"),
            ("*b*d", "abcd"),
            ("KMS:*", "kms:Decrypt"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("s3:Get", "s3:GetObject"),
            ("a?c", "ac"),
            ("*b", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
