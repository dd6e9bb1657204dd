//! A case of the probe: bytes, and what has to come of them.

/// The request line that most cases use.
pub(super) const PAGE: &str = "GET /patients?page=2 HTTP/1.1";

/// The line of the form that most cases with a body use.
pub(super) const FORM: &str = "POST /fhir/Patient/_search HTTP/1.1";

/// A request that must never be seen behind the edge, though by itself it would pass.
pub(super) const SMUGGLED: &str = "GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n";

/// What has to come of a case.
pub(crate) enum Expect {
    /// It is malformed: a 4xx (or the 501 and 505 of RFC 9110) and the end of the connection, and
    /// nothing of it reaches the origin.
    Refused,
    /// It is well-formed and not served: a 4xx, and nothing of it reaches the origin. If the
    /// connection goes on, it does so with the next request.
    Declined,
    /// It ends in the midst: no success is answered, and nothing whole reaches the origin.
    Cut,
    /// It turns out to be wrong after it had to be handed on: as refused, but that the origin sees
    /// the beginning of a request that never ends.
    Broken,
    /// The origin sees exactly these messages, and each is answered.
    Passed(Vec<Sees>),
    /// The origin sees exactly these, and what follows them is refused.
    PassedThenRefused(Vec<Sees>),
}

/// A message as the origin has to see it, besides what the edge says of its own.
#[derive(Clone, Debug)]
pub(crate) struct Sees {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A case with its name.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
    /// Whether the client asks for the end of the connection itself.
    pub(crate) closes: bool,
}

impl Case {
    pub(super) fn new(name: impl Into<String>, text: impl AsRef<str>, expect: Expect) -> Self {
        Self {
            name: name.into(),
            bytes: bytes(text.as_ref()),
            expect,
            closes: false,
        }
    }

    /// The same case, whose client asks for the end of the connection.
    pub(super) fn closing(mut self) -> Self {
        self.closes = true;
        self
    }
}

pub(super) fn refused(name: impl Into<String>, text: impl AsRef<str>) -> Case {
    Case::new(name, text, Expect::Refused)
}

pub(super) fn declined(name: impl Into<String>, text: impl AsRef<str>) -> Case {
    Case::new(name, text, Expect::Declined)
}

pub(super) fn cut(name: impl Into<String>, text: impl AsRef<str>) -> Case {
    Case::new(name, text, Expect::Cut)
}

pub(super) fn passed(name: impl Into<String>, text: impl AsRef<str>, sees: Sees) -> Case {
    Case::new(name, text, Expect::Passed(vec![sees]))
}

/// Text whose characters are bytes: `\u{80}` is the byte 80.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let byte = |letter| u8::try_from(u32::from(letter)).unwrap();
    text.chars().map(byte).collect()
}

/// A page's request with fields, each with its line's end, between `Host` and the empty line.
pub(super) fn page(fields: &str) -> String {
    format!("{PAGE}\r\nHost: clinic.example\r\n{fields}\r\n")
}

/// A form's request with fields and whatever follows them.
pub(super) fn form(fields: &str, rest: &str) -> String {
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    format!("{FORM}\r\nHost: clinic.example\r\n{kind}{fields}\r\n{rest}")
}

/// What the origin sees of [`page`].
pub(crate) fn sees_page() -> Sees {
    Sees {
        line: PAGE.to_owned(),
        fields: Vec::new(),
        body: Vec::new(),
    }
}

/// What the origin sees of [`form`].
pub(super) fn sees_form(body: &str) -> Sees {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    Sees {
        line: FORM.to_owned(),
        fields: Vec::new(),
        body: bytes(body),
    }
    .with(kind.0, kind.1)
}

impl Sees {
    /// The same with a field more.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}
