"""RFC 9113, section 8: malformed requests. Each is a stream error of type PROTOCOL_ERROR, or a status."""

from hyperframe import frame as frames

from case import FORM, NOTHING, PAGE, POST, GET, request, at_most, form, page, table
from expected import connection, malformed, served
from frame_cases import CONNECTION_FIELD, PROMISED, on_an_open_stream
from wire import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, HOST, PUSH_PROMISE, frame

PATIENT = "/fhir/Patient/8c1b9d2e-4c8a-4b7e-9f0a-0d2f5a1b3c4d"
SMUGGLED = "a\r\n\r\nGET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n"

# Names with characters in the ranges 0x00 to 0x20, 0x41 to 0x5a and 0x7f to 0xff, or with a colon.
NAMES = [
    " ", "Accept", "ACCEPT", "aCcept", "x y", "x ", " x", "x:", "x:y", "x\0", "x\r", "x\n", "x\r\ny: z\r\n", "x\t",
    "x\x7f", "\u00e9",
]

# Values with NUL, LF or CR at any position.
VALUES = ["a\r\nx: y", "a\nx: y", "a\rx: y", "\r\n", "\n", "\r", "\0", "a\0b", SMUGGLED]

# Values that begin or end with a space or a tab.
PADDED_VALUES = [" a", "a ", "\ta", "a\t", " ", "\t"]
PADDED_TYPES = [" application/x-www-form-urlencoded", "application/x-www-form-urlencoded "]

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

# Lengths that are not that of the body `a=b`.
LENGTHS = ["0", "2", "4", "30", "-3", "+3", "0x3", "3, 3", "", "3 ", "a", "18446744073709551619"]

# Trailers with fields that are malformed.
TRAILERS = [
    ("8.2.1", "capitals in trailers", [("X-A", "1")]),
    ("8.2.1", "a line's end in trailers", [("x-a", "1\r\nx: y")]),
    ("8.2.2", "a connection in trailers", [("connection", "close")]),
    ("8.2.2", "a coding in trailers", [("transfer-encoding", "chunked")]),
]


def head_within_a_body(wire):
    """A second header section that does not end the stream."""
    wire.open(FORM)
    wire.send(frames.DataFrame(1, b"a=b"))
    wire.open(PAGE)


def connection_field_in_two_frames(wire):
    block = wire.block(PAGE)
    wire.raw(frame(HEADERS, END_STREAM, 1, block + CONNECTION_FIELD) + frame(CONTINUATION, END_HEADERS, 1, b""))


def framing():
    """8.1 and 8.1.1: the frames of a message, and its length."""
    yield "8.1", "trailers that do not end the stream", head_within_a_body, malformed(), at_most(0)
    for length in LENGTHS:
        name = f"a body of 3 octets with the length {length!r}"
        yield "8.1.1", name, request(form(("content-length", length)), [b"a=b"]), malformed(), at_most(0)
    yield ("8.1.1", "two lengths and a body",
           request(form(("content-length", "3"), ("content-length", "4")), [b"a=b"]), malformed(), at_most(0))
    yield ("8.1.1", "a length and more in a second frame",
           request(form(("content-length", "3")), [b"a=b", b"&c=d"]), malformed(), at_most(0))
    yield ("8.1.1", "a length and less before trailers",
           request(form(("content-length", "4")), [b"a=b"], [("x-a", "1")]), malformed(), at_most(0))
    yield "8.1.1", "a length without a body", request(form(("content-length", "3"))), malformed(), NOTHING
    yield "8.1.1", "a length of a page without a body", request(page(("content-length", "3"))), malformed(), NOTHING
    head = page(("content-length", "3"), method="HEAD")
    yield "8.1.1", "a length of a HEAD without a body", request(head), malformed(), NOTHING
    yield "8.1.1", "a page's negative length", request(page(("content-length", "-1"))), malformed(), NOTHING
    yield ("8.1.1", "two lengths",
           request(page(("content-length", "0"), ("content-length", "1"))), malformed(), NOTHING)
    yield "8.1.1", "a length of two numbers", request(page(("content-length", "0, 0"))), malformed(), NOTHING


def fields():
    """8.2: names, values and connection-specific fields."""
    for name in NAMES:
        yield "8.2.1", f"the name {name!r}", request(page((name, "1"))), malformed(), NOTHING
    for value in VALUES + PADDED_VALUES:
        yield "8.2.1", f"the value {value!r}", request(page(("x-a", value))), malformed(), NOTHING
        yield "8.2.1", f"the cookie {value!r}", request(page(("cookie", value))), malformed(), NOTHING
    for value in PADDED_TYPES:
        yield "8.2.1", f"the type {value!r}", request(FORM[:4] + [("content-type", value)], [b"a=b"]), malformed(), NOTHING
    for section, name, trailers in TRAILERS:
        if section == "8.2.1":
            yield section, name, request(form(), [b"a=b"], trailers), malformed(), at_most(0)
    for name, value in CONNECTION_SPECIFIC:
        yield "8.2.2", f"{name}: {value}", request(page((name, value))), malformed(), NOTHING
    for section, name, trailers in TRAILERS:
        if section == "8.2.2":
            yield section, name, request(form(), [b"a=b"], trailers), malformed(), at_most(0)
    yield "8.2.2", "a connection in CONTINUATION", connection_field_in_two_frames, malformed(), NOTHING
    yield "8.2.2", "te: trailers, which is allowed", request(page(("te", "trailers"))), served(), GET


def control_data():
    """8.3: pseudo-header fields."""
    yield "8.3", ":status in a request", request(PAGE + [(":status", "200")]), malformed(), NOTHING
    yield "8.3", "an undefined pseudo-header field", request(PAGE + [(":x", "1")]), malformed(), NOTHING
    yield "8.3", "an undefined pseudo-header field alone", request(page((":x", "1"))), malformed(), NOTHING
    yield "8.3", "a pseudo-header field in capitals", request(page((":Path", "/audit"), path=None)), malformed(), NOTHING
    yield "8.3", ":protocol without CONNECT", request(PAGE + [(":protocol", "websocket")]), malformed(), NOTHING
    for name in ("method", "scheme", "path", "authority"):
        value = dict(PAGE)[":" + name]
        behind = page(("x-a", "1"), (":" + name, value), **{name: None})
        yield "8.3", f":{name} twice", request([(":" + name, value)] + PAGE), malformed(), NOTHING
        yield "8.3", f":{name} behind a field", request(behind), malformed(), NOTHING
    yield "8.3", ":path twice, differing", request(PAGE + [(":path", "/audit")]), malformed(), NOTHING


def request_fields():
    """8.3.1: the pseudo-header fields of a request."""
    for name in ("method", "scheme", "path", "authority"):
        yield "8.3.1", f"no :{name}", request(page(**{name: None})), malformed(), NOTHING
    yield "8.3.1", "only fields", request([("x-a", "1")]), malformed(), NOTHING
    yield "8.3.1", "no field at all", request([]), malformed(), NOTHING
    for name in ("method", "scheme", "path", "authority"):
        yield "8.3.1", f"an empty :{name}", request(page(**{name: ""})), malformed(), NOTHING
    for authority in ("user@clinic.example", "clinic.example@other.example"):
        yield "8.3.1", f"the authority {authority!r}", request(page(authority=authority)), malformed(421), NOTHING
    for path in ("*", "patients", "../patients", "?page=2"):
        yield "8.3.1", f"the path {path!r}", request(page(path=path)), malformed(), NOTHING
    yield ("8.3.1", "another host beside the authority",
           request(page(("host", "other.example"))), malformed(), NOTHING)
    yield "8.3.1", "an empty host beside the authority", request(page(("host", ""))), malformed(), NOTHING
    yield ("8.3.1", "two hosts beside the authority",
           request(page(("host", HOST), ("host", "other.example"))), malformed(), NOTHING)
    yield ("8.3.1", "the edge's host beside another authority",
           request(page(("host", HOST), authority="other.example")), malformed(), NOTHING)
    yield "8.3.1", "the same host beside the authority", request(page(("host", HOST))), served(), GET
    yield "8.3.1", "the default port beside the authority", request(page(("host", HOST + ":443"))), served(), GET
    yield "8.3.1", "the authority with the default port", request(page(authority=HOST + ":443")), served(), GET
    # As gateways forward what they received over HTTP/1.1.
    yield "8.3.1", "a host and no authority", request(page(("host", HOST), authority=None)), served(), GET
    yield ("8.3.1", "a host in capitals and no authority",
           request(page(("host", HOST.upper()), authority=None)), served(), GET)
    yield "8.3.1", "the authority in capitals", request(page(authority="CLINIC.Example")), served(), GET
    without = [field for field in form(("host", HOST)) if field[0] != ":authority"]
    yield "8.3.1", "a form with a host and no authority", request(without, [b"a=b"]), served(), POST


def push_and_connect():
    """8.4 and 8.5: requests that a server must refuse."""
    yield ("8.4", "PUSH_PROMISE on an open stream",
           on_an_open_stream(frame(PUSH_PROMISE, END_HEADERS, 1, PROMISED)), connection("PROTOCOL_ERROR"))
    yield ("8.4", "PUSH_PROMISE that is continued",
           on_an_open_stream(frame(PUSH_PROMISE, 0, 1, PROMISED), frame(CONTINUATION, END_HEADERS, 1, b"\x87")),
           connection("PROTOCOL_ERROR"))
    yield ("8.4", "PUSH_PROMISE with a malformed field block",
           on_an_open_stream(frame(PUSH_PROMISE, END_HEADERS, 1, PROMISED + CONNECTION_FIELD)), connection("PROTOCOL_ERROR"))
    authority = (":authority", HOST + ":443")
    yield "8.5", "CONNECT", request([(":method", "CONNECT"), authority]), malformed(405), NOTHING
    yield ("8.5", "CONNECT to another host",
           request([(":method", "CONNECT"), (":authority", "169.254.169.254:80")]), malformed(405), NOTHING)
    yield "8.5", "CONNECT with a path", request(page(method="CONNECT")), malformed(), NOTHING
    yield ("8.5", "CONNECT without an authority",
           request([(":method", "CONNECT")]), malformed(405), NOTHING)
    yield ("8.5", "extended CONNECT, which was not enabled",
           request(page((":protocol", "websocket"), method="CONNECT")), malformed(), NOTHING)


CASES = table(9113, [*framing(), *fields(), *control_data(), *request_fields(), *push_and_connect()])
