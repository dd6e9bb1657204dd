"""Requests over HTTP/2 that are malformed, or mean two things (RFC 9113, section 8)."""

from wire import FORM, HOST, PAGE, Wire

PATIENT = "/fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d"


def page(*more, **changes):
    """The fields of a page with some changed (None takes one away), and some added."""
    names = {":" + name: value for name, value in changes.items()}
    kept = [(name, names.get(name, value)) for name, value in PAGE]
    return [field for field in kept if field[1] is not None] + list(more)


def form(*more):
    return FORM + list(more)


# The target of each is what a client says; none is served.
TARGETS = [
    "", "*", "patients", "../patients", "?page=2", "//patients", "/patients//", "/./patients",
    "/../patients", "/patients/..", "/%2e%2e/patients", "/%2fpatients", "/fhir%5cPatient", "/patients%00",
    "/patients\\", "/patients;x=1", "/patients ?page=2", "/patients\t", "/patients\0",
    "/patients HTTP/1.1\r\nHost: other.example\r\n\r\nGET /audit", "/patients\r\nx: y", "/patients\n",
    "/patients\r", "/patients\x7f", "/p\u00e4tients", "/%c0%ae", "https://clinic.example/patients",
    "https://other.example/patients", "/patients?q=Archer", "/patients?page=2\r\nx: y", "/patients?page=123-45-6789",
    "/admin", "/" + "a" * 6000,
]

AUTHORITIES = [
    "", "other.example", "clinic.example.other.example", "user@clinic.example", "clinic.example@other.example",
    "clinic.example, other.example", "clinic.example other.example", "clinic.example:8443", "clinic.example:x",
    "clinic.example:99999", "clinic.example/", "clinic.example#", "clinic.example\r\nx: y", "clinic.example\0",
    "clinic.example\x85", "[::1]", "[::1", "localhost", "127.0.0.1", "app.internal", ":443", "*",
]

METHODS = [
    "", "get", "TRACE", "OPTIONS", "PUT", "FOO", "GE T", "GET ", " GET", "G\0T", "GET\r\nx: y",
    "GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\nGET", "G\u00cbT", "PRI", "DELETE",
]

SCHEMES = ["", "http", "ftp", "file", "javascript", "https\r\nx: y", "https://other.example", "HTTPS\0", "1", "ws"]

# Names that no field may have.
NAMES = [
    "", " ", "Accept", "ACCEPT", "aCcept", "x y", "x ", " x", "x:", "x:y", ":x", "x\0", "x\r", "x\n", "x\r\ny: z\r\n",
    "x\t", "x\x7f", "\u00e9", "x_y", "transfer_encoding", "content_length", "x(y)", "x,y", "x/y", "x;y", "x=y",
    "x\"y", "x@y", "x[y]", "x{y}",
]

# Values that no field may have; the last ones only at their ends.
VALUES = [
    "a\r\nx: y", "a\nx: y", "a\rx: y", "\r\n", "\n", "\r", "\0", "a\0b",
    "a\r\n\r\nGET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n",
    "a\x01b", "a\x08b", "a\x0bb", "a\x0cb", "a\x1bb", "a\x1fb", "a\x7fb",
]

CONNECTION_SPECIFIC = [
    ("connection", "close"),
    ("connection", "keep-alive"),
    ("connection", "x-a"),
    ("connection", "upgrade"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "identity"),
    ("upgrade", "h2c"),
    ("upgrade", "websocket"),
    ("te", "gzip"),
    ("te", "trailers, gzip"),
    ("te", ""),
]


def refused():
    """Name and fields of requests that nothing may come of."""
    for target in TARGETS:
        yield f"the path {target[:40]!r}", page(path=target)
    for authority in AUTHORITIES:
        yield f"the authority {authority!r}", page(authority=authority)
    for method in METHODS:
        yield f"the method {method!r}", page(method=method)
    for scheme in SCHEMES:
        yield f"the scheme {scheme!r}", page(scheme=scheme)
    for name in NAMES:
        yield f"the name {name!r}", page((name, "1"))
    for value in VALUES:
        yield f"the value {value!r}", page(("x-a", value))
        yield f"the cookie {value!r}", page(("cookie", value))
    for name, value in CONNECTION_SPECIFIC:
        yield f"{name}: {value}", page((name, value))
    for name in ("method", "scheme", "path", "authority"):
        yield f"no :{name}", page(**{name: None})
        value = dict(PAGE)[":" + name]
        yield f":{name} twice", [(":" + name, value)] + PAGE
        yield f":{name} behind a field", page(("x-a", "1"), (":" + name, value), **{name: None})
    yield ":path twice, differing", PAGE + [(":path", "/audit")]
    yield ":status in a request", PAGE + [(":status", "200")]
    yield "an unknown pseudo-header", PAGE + [(":x", "1")]
    yield "a pseudo-header in capitals", page((":Path", "/audit"), path=None)
    yield "only fields", [("x-a", "1")]
    yield "no field at all", []
    yield ":protocol without CONNECT", PAGE + [(":protocol", "websocket")]
    yield "another host beside the authority", page(("host", "other.example"))
    yield "an empty host beside the authority", page(("host", ""))
    yield "two hosts beside the authority", page(("host", HOST), ("host", "other.example"))
    yield "two hosts and no authority", page(("host", HOST), ("host", HOST), authority=None)
    yield "another host and no authority", page(("host", "other.example"), authority=None)
    yield "an empty host and no authority", page(("host", ""), authority=None)
    yield "a host that is none and no authority", page(("host", HOST + "/"), authority=None)
    yield "our host beside another authority", page(("host", HOST), authority="other.example")
    yield "CONNECT", [(":method", "CONNECT"), (":authority", HOST + ":443")]
    yield "CONNECT to another host", [(":method", "CONNECT"), (":authority", "169.254.169.254:80")]
    yield "CONNECT with a path", page(method="CONNECT")
    yield "extended CONNECT", page((":protocol", "websocket"), method="CONNECT")
    yield "authorization twice", page(("authorization", "Bearer a"), ("authorization", "Bearer b"))
    yield "a length without a body", form(("content-length", "3"))
    yield "a length of a page without a body", page(("content-length", "3"))
    yield "a page's negative length", page(("content-length", "-1"))
    yield "an expectation that is none", page(("expect", "x"))
    yield "two lengths", page(("content-length", "0"), ("content-length", "1"))
    yield "a length of two numbers", page(("content-length", "0, 0"))


# Lengths that are not that of the body `a=b`.
LENGTHS = ["0", "2", "4", "30", "-3", "+3", "0x3", "3, 3", "", "3 ", "a", "18446744073709551619"]


def with_bodies():
    """Name, fields and pieces of requests whose body is not what they say."""
    for length in LENGTHS:
        yield f"a body of 3 bytes with the length {length!r}", form(("content-length", length)), [b"a=b"]
    yield "two lengths and a body", form(("content-length", "3"), ("content-length", "4")), [b"a=b"]
    yield "a length and more in a second frame", form(("content-length", "3")), [b"a=b", b"&c=d"]
    yield "a page with a body", page(), [b"a=b"]
    yield "a page with a length and a body", page(("content-length", "3")), [b"a=b"]
    yield "a form that is chunked", form(("transfer-encoding", "chunked")), [b"0\r\n\r\nGET /audit"]


TRAILERS = [
    ("capitals in trailers", [("X-A", "1")]),
    ("a line's end in trailers", [("x-a", "1\r\nx: y")]),
    ("a connection in trailers", [("connection", "close")]),
    ("a coding in trailers", [("transfer-encoding", "chunked")]),
]

DROPPED = [
    # Malformed by RFC 9113, 8.1; the library drops them before anybody could see them.
    ("a pseudo-header in trailers", [(":path", "/audit")]),
    ("a status in trailers", [(":status", "200")]),
    ("a checksum in trailers", [("x-checksum", "1")]),
    ("an identity in trailers", [("x-forwarded-for", "6.6.6.6"), ("authorization", "Bearer forged")]),
]


def passed():
    """Name, fields, body and trailers of requests that are served."""
    yield "a page", PAGE, None, None
    yield "a HEAD", page(method="HEAD"), None, None
    yield "a patient", page(path=PATIENT), None, None
    # The library drops it before anybody could see it: what is left can be read in one way.
    yield "a fragment, dropped", page(path="/patients#top"), None, None
    yield "the authority in capitals", page(authority="CLINIC.Example"), None, None
    # As gateways send on what came over HTTP/1.1 (RFC 9113, 8.3.1).
    yield "our host and no authority", page(("host", HOST), authority=None), None, None
    yield "our host in capitals and no authority", page(("host", HOST.upper()), authority=None), None, None
    yield "a form with our host and no authority", [
        field for field in form(("host", HOST)) if field[0] != ":authority"
    ], b"a=b", None
    yield "the same host beside the authority", page(("host", HOST)), None, None
    yield "fields that are dropped", page(("x-a", "1"), ("via", "2 other"), ("x-b", "caf\u00e9")), None, None
    yield "te: trailers", page(("te", "trailers")), None, None
    yield "an empty value", page(("x-a", "")), None, None
    yield "a page with the length of nothing", page(("content-length", "0")), None, None
    yield "a form", form(), b"a=b", None
    yield "a form with its length", form(("content-length", "3")), b"a=b", None
    yield "a form whose body is a request", form(), b"GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n", None
    yield "a form whose body is chunks", form(), b"3\r\na=b\r\n0\r\n\r\n", None
    yield "a form of many bytes", form(), b"a=" + b"b" * 10_000, None
    yield "an expectation", form(("expect", "100-continue"), ("content-length", "3")), b"a=b", None
    for name, trailers in DROPPED:
        yield name, form(), b"a=b", trailers


def sees(fields, body):
    """What the app has to see of a request."""
    given = dict(fields)
    kept = [[name, value] for name, value in fields if name == "content-type"]
    path = given[":path"].split("#")[0]
    line = f"{given[':method']} {path} HTTP/1.1"
    return [{"line": line, "fields": kept, "body": (body or b"").decode("latin-1")}]


def cases():
    """All of them: name, what is expected, what the app has to see, and how to ask."""

    def ask(fields, pieces=None, trailers=None):
        wire = Wire()
        wire.request(fields, pieces=pieces, trailers=trailers)
        outcome = wire.outcome()
        wire.close()
        return outcome

    for name, fields in refused():
        yield name, "refused", [], lambda fields=fields: ask(fields)
    for name, fields, pieces in with_bodies():
        yield name, "broken", [], lambda fields=fields, pieces=pieces: ask(fields, pieces)
    for name, trailers in TRAILERS:
        yield name, "broken", [], lambda trailers=trailers: ask(form(), [b"a=b"], trailers)
    for name, fields, body, trailers in passed():
        pieces = None if body is None else [body]
        yield name, "passed", sees(fields, body), (
            lambda fields=fields, pieces=pieces, trailers=trailers: ask(fields, pieces, trailers)
        )
