//! A case: the bytes of a client, and the expected outcome on both sides of web.

/// The request line of most cases.
pub(super) const PAGE: &str = "GET /patients?page=2 HTTP/1.1";

/// The request line of most cases with a body.
pub(super) const FORM: &str = "POST /fhir/Patient/_search HTTP/1.1";

/// A valid request that must not reach the app as part of another one.
pub(super) const SMUGGLED: &str = "GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n";

/// The expected outcome of a case.
pub(crate) enum Expect {
    /// Malformed: the response is 4xx (or 501 or 505 of RFC 9110), the connection ends, and the
    /// origin receives nothing.
    Refused,
    /// Well-formed and not served: the response is 4xx, and the origin receives nothing. If the
    /// connection continues, then with the next request.
    Declined,
    /// Incomplete: there is no successful response, and the origin receives no complete request.
    Incomplete,
    /// Malformed after a part was forwarded: as [`Expect::Refused`], except that the origin
    /// receives the beginning of a request.
    Broken,
    /// The origin receives exactly these messages, and each gets a response.
    Passed(Vec<ExpectedMessage>),
    /// The origin receives exactly these messages, and the bytes after them are refused.
    PassedThenRefused(Vec<ExpectedMessage>),
}

/// A message as the origin has to receive it, without the edge's own fields.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedMessage {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A case with its name.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
    /// Whether the client requests the end of the connection.
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

    /// The same case with a client that requests the end of the connection.
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

pub(super) fn incomplete(name: impl Into<String>, text: impl AsRef<str>) -> Case {
    Case::new(name, text, Expect::Incomplete)
}

pub(super) fn passed(
    name: impl Into<String>,
    text: impl AsRef<str>,
    wanted: ExpectedMessage,
) -> Case {
    Case::new(name, text, Expect::Passed(vec![wanted]))
}

/// The bytes of a text whose characters stand for bytes: `\u{80}` is the byte 0x80.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let byte = |letter| u8::try_from(u32::from(letter)).unwrap();
    text.chars().map(byte).collect()
}

/// The request of a page with these additional field lines.
pub(super) fn page(fields: &str) -> String {
    format!("{PAGE}\r\nHost: clinic.example\r\n{fields}\r\n")
}

/// The request of a form with these additional field lines, and the bytes after the head.
pub(super) fn form(fields: &str, rest: &str) -> String {
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    format!("{FORM}\r\nHost: clinic.example\r\n{kind}{fields}\r\n{rest}")
}

/// What the origin receives of [`page`].
pub(crate) fn expected_page() -> ExpectedMessage {
    ExpectedMessage {
        line: PAGE.to_owned(),
        fields: Vec::new(),
        body: Vec::new(),
    }
}

/// What the origin receives of [`form`].
pub(super) fn expected_form(body: &str) -> ExpectedMessage {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    ExpectedMessage {
        line: FORM.to_owned(),
        fields: Vec::new(),
        body: bytes(body),
    }
    .with(kind.0, kind.1)
}

impl ExpectedMessage {
    /// The same with an additional field.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}
