"""RFC 9110 and RFC 9112: what RFC 9113 refers to for malformed requests, and requests that the edge refuses.

An intermediary may reject fields that do not conform to the grammar of RFC 9110 (RFC 9113, 10.3). A request that is
well-formed and refused gets a status.
"""

from case import NOTHING, PAGE, POST, GET, request, at_most, exactly, form, page, received, table
from expected import malformed, served, status
from message_cases import PATIENT
from wire import HOST

# Names that are no token.
NAMES = ["", "x(y)", "x,y", "x/y", "x;y", "x=y", "x\"y", "x@y", "x[y]", "x{y}"]

# Tokens that CGI and its like read as another name.
AMBIGUOUS_NAMES = ["x_y", "transfer_encoding", "content_length"]

# Values with control characters.
VALUES = ["a\x01b", "a\x08b", "a\x0bb", "a\x0cb", "a\x1bb", "a\x1fb", "a\x7fb"]

# Trailers that the edge drops.
DROPPED = [
    ("a checksum in trailers", [("x-checksum", "1")]),
    ("an identity in trailers", [("x-forwarded-for", "6.6.6.6"), ("authorization", "Bearer forged")]),
]

# Requests for another host, or for none that could be served.
AUTHORITIES = [
    "other.example", "clinic.example.other.example", "clinic.example:8443", "[::1]", "localhost", "127.0.0.1",
    "app.internal",
]

# Methods that no resource has.
METHODS = ["TRACE", "OPTIONS", "PUT", "FOO", "PRI", "DELETE", "get"]

# Paths that are refused, with the status: that no resource has, with data that a URL must not carry, too long.
PATHS = [("/admin", 404), ("/patients?q=Archer", 400), ("/patients?page=123-45-6789", 400), ("/" + "a" * 6000, 414)]


def rfc9110():
    """Fields, content, control data and methods."""
    for name in NAMES:
        yield "5.1", f"the name {name!r}", request(page((name, "1"))), malformed(), NOTHING
    for name in AMBIGUOUS_NAMES:
        yield "5.1", f"the name {name!r}", request(page((name, "1"))), malformed(), NOTHING
    for value in VALUES:
        yield "5.5", f"the value {value!r}", request(page(("x-a", value))), malformed(), NOTHING
        yield "5.5", f"the cookie {value!r}", request(page(("cookie", value))), malformed(), NOTHING
    yield "5.5", "an empty value", request(page(("x-a", ""))), served(), GET
    fields = page(("x-a", "1"), ("via", "2 other"), ("x-b", "caf\u00e9"))
    yield "5.5", "fields that are dropped", request(fields), served(), GET
    yield "6.4", "a page with a body", request(page(), [b"a=b"]), malformed(), at_most(0)
    yield ("6.4", "a page with a length and a body",
           request(page(("content-length", "3")), [b"a=b"]), malformed(), at_most(0))
    yield "6.4", "a page", request(PAGE), served(), GET
    yield "6.4", "a page with the length of nothing", request(page(("content-length", "0"))), served(), GET
    head = page(method="HEAD")
    yield "6.4", "a HEAD", request(head), served(), exactly(received(head))
    patient = page(path=PATIENT)
    yield "6.4", "a patient", request(patient), served(), exactly(received(patient))
    yield "6.4", "a form", request(form(), [b"a=b"]), served(), POST
    yield "6.4", "a form with its length", request(form(("content-length", "3")), [b"a=b"]), served(), POST
    for name, body in [
        ("a form whose body is a request", b"GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n"),
        ("a form whose body is chunks", b"3\r\na=b\r\n0\r\n\r\n"),
        ("a form of many octets", b"a=" + b"b" * 10_000),
    ]:
        yield "6.4", name, request(form(), [body]), served(), exactly(received(form(), body))
    for name, trailers in DROPPED:
        yield "6.5", name, request(form(), [b"a=b"], trailers), served(), POST
    for path in ("https://clinic.example/patients", "https://other.example/patients"):
        yield "7.1", f"the path {path!r}", request(page(path=path)), malformed(), NOTHING
    two = page(("host", HOST), ("host", HOST), authority=None)
    yield "7.2", "two hosts and no authority", request(two), malformed(), NOTHING
    for host in ("other.example", "", HOST + "/"):
        fields = page(("host", host), authority=None)
        yield "7.2", f"the host {host!r} and no authority", request(fields), status(421), NOTHING
    # What RFC 9110, 7.6.1 calls connection-specific is malformed by RFC 9113, 8.2.2.
    for method in ("GE T", "GET ", " GET", "G\0T", "GET\r\nx: y", "G\u00cbT"):
        yield "9.1", f"the method {method!r}", request(page(method=method)), malformed(), NOTHING
    expectation = form(("expect", "100-continue"), ("content-length", "3"))
    yield "10.1.1", "an expectation", request(expectation, [b"a=b"]), served(), POST
    yield "10.1.1", "an unknown expectation", request(page(("expect", "x"))), status(417), NOTHING
    yield ("11.6.2", "authorization twice",
           request(page(("authorization", "Bearer a"), ("authorization", "Bearer b"))), status(400), NOTHING)
    for path, code in PATHS:
        yield "15.5", f"the path {path[:40]!r}", request(page(path=path)), status(code), NOTHING
    for method in METHODS:
        yield "15.5", f"the method {method!r}", request(page(method=method)), status(405), NOTHING
    for authority in AUTHORITIES:
        yield "15.5.20", f"the authority {authority!r}", request(page(authority=authority)), status(421), NOTHING


def rfc9112():
    """The request line that a gateway writes, and the chunked coding."""
    method = "GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\nGET"
    yield "3", f"the method {method!r}", request(page(method=method)), malformed(), NOTHING
    for path in (
        "//patients", "/patients//", "/./patients", "/../patients", "/patients/..", "/%2e%2e/patients",
        "/%2fpatients", "/fhir%5cPatient", "/patients%00", "/patients\\", "/patients;x=1", "/patients ?page=2",
        "/patients\t", "/patients\0", "/patients HTTP/1.1\r\nHost: other.example\r\n\r\nGET /audit",
        "/patients\r\nx: y", "/patients\n", "/patients\r", "/patients\x7f", "/p\u00e4tients", "/%c0%ae",
        "/patients?page=2\r\nx: y",
    ):
        yield "3.2", f"the path {path!r}", request(page(path=path)), malformed(), NOTHING
    for authority in (
        "clinic.example, other.example", "clinic.example other.example", "clinic.example:x", "clinic.example:99999",
        "clinic.example/", "clinic.example#", "clinic.example\r\nx: y", "clinic.example\0", "clinic.example\x85",
        "[::1", ":443", "*",
    ):
        yield "3.3", f"the authority {authority!r}", request(page(authority=authority)), malformed(421), NOTHING
    for scheme in (
        "http", "ftp", "file", "javascript", "https\r\nx: y", "https://other.example", "HTTPS\0", "1", "ws",
    ):
        yield "3.3", f"the scheme {scheme!r}", request(page(scheme=scheme)), malformed(), NOTHING
    chunked = form(("transfer-encoding", "chunked"))
    yield "7.1", "a form that is chunked", request(chunked, [b"0\r\n\r\nGET /audit"]), malformed(), at_most(0)


CASES = [*table(9110, rfc9110()), *table(9112, rfc9112())]
