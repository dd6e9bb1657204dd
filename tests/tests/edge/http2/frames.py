"""Frames that are malformed, or come where they have no place (RFC 9113, sections 3 to 6)."""

from hyperframe import frame as frames

from wire import FORM, PAGE, PREFACE, Wire, tls


def frame(kind, flags, stream, payload):
    """A frame of any kind, with any length."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


DATA, HEADERS, PRIORITY, RESET, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITIZED = 1, 4, 8, 32

# A frame that may come at no time, or not as the first one: the connection ends.
ALONE = [
    ("DATA on no stream", frame(DATA, 0, 0, b"a=b")),
    ("DATA on an idle stream", frame(DATA, END_STREAM, 1, b"a=b")),
    ("DATA of nothing but padding that is too long", frame(DATA, PADDED, 1, b"\xff")),
    ("HEADERS on no stream", frame(HEADERS, END_HEADERS | END_STREAM, 0, b"\x82")),
    ("HEADERS on an even stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, b"\x82\x87\x84")),
    ("HEADERS with too much padding", frame(HEADERS, END_HEADERS | PADDED, 1, b"\x20\x82")),
    ("PRIORITY of 4 bytes", frame(PRIORITY, 0, 1, b"\0\0\0\0")),
    ("PRIORITY on no stream", frame(PRIORITY, 0, 0, b"\0\0\0\0\x10")),
    ("RST_STREAM on no stream", frame(RESET, 0, 0, b"\0\0\0\x08")),
    ("RST_STREAM on an idle stream", frame(RESET, 0, 1, b"\0\0\0\x08")),
    ("RST_STREAM of 3 bytes", frame(RESET, 0, 1, b"\0\0\0")),
    ("SETTINGS on a stream", frame(SETTINGS, 0, 1, b"")),
    ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"\0" * 5)),
    ("SETTINGS acknowledged with a payload", frame(SETTINGS, 1, 0, b"\0\x03\0\0\0\x01")),
    ("SETTINGS that allow pushes twice over", frame(SETTINGS, 0, 0, b"\0\x02\0\0\0\x02")),
    ("SETTINGS of too large a window", frame(SETTINGS, 0, 0, b"\0\x04\x80\0\0\0")),
    ("SETTINGS of too small a frame", frame(SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff")),
    ("SETTINGS of too large a frame", frame(SETTINGS, 0, 0, b"\0\x05\x01\0\0\0")),
    ("PUSH_PROMISE of a client", frame(PROMISE, END_HEADERS, 1, b"\0\0\0\x02\x82")),
    ("PING of 7 bytes", frame(PING, 0, 0, b"\0" * 7)),
    ("PING on a stream", frame(PING, 0, 1, b"\0" * 8)),
    ("GOAWAY on a stream", frame(GOAWAY, 0, 1, b"\0" * 8)),
    ("GOAWAY of 7 bytes", frame(GOAWAY, 0, 0, b"\0" * 7)),
    ("WINDOW_UPDATE of 3 bytes", frame(WINDOW, 0, 0, b"\0\0\x01")),
    ("WINDOW_UPDATE of nothing", frame(WINDOW, 0, 0, b"\0\0\0\0")),
    ("WINDOW_UPDATE on an idle stream", frame(WINDOW, 0, 1, b"\0\0\0\x01")),
    ("WINDOW_UPDATE that overflows", frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2),
    ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, b"\x82")),
    ("CONTINUATION on no stream", frame(CONTINUATION, END_HEADERS, 0, b"\x82")),
    ("a frame that is too long", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\0" * 16_385)),
    ("a frame of 16 MiB", (b"\xff\xff\xff\x01\x05" + b"\0\0\0\x01") + b"\0" * 16_384),
    ("SETTINGS that are too long", frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x01" * 3000)),
    ("DATA instead of CONTINUATION", frame(HEADERS, 0, 1, b"\x82") + frame(DATA, 0, 1, b"a=b")),
    ("another stream's CONTINUATION", frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 4, 3, b"\x87")),
    ("PING within a head", frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, b"\0" * 8)),
    ("an unknown frame within a head", frame(HEADERS, 0, 1, b"\x82") + frame(0x77, 0, 0, b"")),
    ("HPACK with the index 0", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")),
    ("HPACK with an index of nothing", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xfe")),
    ("HPACK with an endless number", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 12 + b"\x01")),
    ("HPACK that breaks off", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x05ab")),
    ("HPACK with wrong Huffman codes", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x81\x00\x81\xff")),
    ("HPACK with too large a table", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\x7f\x82")),
    ("HPACK with a late change of its table", frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x20")),
]

FIRST = [
    ("no preface", b"", True),
    ("half a preface", PREFACE[:10], True),
    ("another preface", PREFACE.replace(b"SM", b"XX"), True),
    ("HTTP/1.1 where HTTP/2 was agreed", b"GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n", False),
    ("an upgrade where HTTP/2 was agreed", b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n" + PREFACE, True),
]


def closed_stream(wire):
    """HEADERS on a stream whose request was answered."""
    wire.request(PAGE)
    wire.outcome()
    wire.request(PAGE)


def lower_stream(wire):
    """A stream with a lower number than one before."""
    wire.request(PAGE, stream=5)
    wire.outcome(5)
    wire.request(PAGE, stream=3)


def data_behind_the_end(wire):
    """More of a body that has ended: RFC 9113, 5.1 makes it an error of the stream at least."""
    wire.request(FORM, body=b"a=b")
    wire.send(frames.DataFrame(1, b"&c=d", flags=["END_STREAM"]))


def head_within_a_body(wire):
    """A second head that is no trailer, for it does not end the stream."""
    wire.send(frames.HeadersFrame(1, wire.block(FORM), flags=["END_HEADERS"]))
    wire.send(frames.DataFrame(1, b"a=b"))
    wire.send(frames.HeadersFrame(1, wire.block(PAGE), flags=["END_HEADERS"]))


def more_than_the_window(wire):
    """A body larger than the window of the stream, which nobody has opened."""
    wire.acknowledges = False
    wire.send(frames.HeadersFrame(1, wire.block(FORM), flags=["END_HEADERS"]))
    for _ in range(80):
        wire.send(frames.DataFrame(1, b"a" * 16_384))


def window_of_a_stream(wire):
    """A window that overflows on a stream."""
    wire.send(frames.HeadersFrame(1, wire.block(FORM), flags=["END_HEADERS"]))
    wire.raw(frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff") * 2)


def no_window_of_a_stream(wire):
    """A window that grows by nothing on a stream."""
    wire.send(frames.HeadersFrame(1, wire.block(FORM), flags=["END_HEADERS"]))
    wire.raw(frame(WINDOW, 0, 1, b"\0\0\0\0"))


def without_settings(wire):
    """A preface that is followed by no SETTINGS: the library serves it all the same, as one request."""
    wire.request(PAGE)


def own_parent(wire):
    """A stream that depends on itself; nobody heeds priorities, so it may be ignored."""
    wire.raw(frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, 1, b"\0\0\0\x01\x10" + wire.block(PAGE)))


# What begins well: name, how, how many requests may be seen, and whether it may be served.
BEGUN = [
    ("a closed stream used again", closed_stream, 1),
    ("a lower stream", lower_stream, 1),
    ("data behind the end", data_behind_the_end, 1),
    ("a head within a body", head_within_a_body, 0),
    ("more than the window", more_than_the_window, 0),
    ("a stream's window that overflows", window_of_a_stream, 0),
    ("a stream's window that grows by nothing", no_window_of_a_stream, 0),
]


def harmless(wire):
    """Frames that are unknown or no longer used are skipped."""
    wire.raw(frame(0x77, 0xFF, 0, b"?"))
    wire.raw(frame(0x77, 0xFF, 1, b"?"))
    wire.raw(frame(SETTINGS, 0, 0, b"\xff\xff\0\0\0\x01"))
    wire.raw(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"))
    wire.request(PAGE)


def padded(wire):
    """Padding is no part of a body."""
    wire.send(frames.HeadersFrame(1, wire.block(FORM), pad_length=20, flags=["END_HEADERS", "PADDED"]))
    wire.send(frames.DataFrame(1, b"a=b", pad_length=200, flags=["END_STREAM", "PADDED"]))


def in_pieces(wire):
    """A head in many frames, and a body in many."""
    block = wire.block(FORM)
    wire.send(frames.HeadersFrame(1, block[:1]))
    wire.send(*(frames.ContinuationFrame(1, block[at : at + 20]) for at in range(1, len(block), 20)))
    wire.send(frames.ContinuationFrame(1, b"", flags=["END_HEADERS"]))
    wire.send(*(frames.DataFrame(1, bytes([byte])) for byte in b"a=b"))
    wire.send(frames.DataFrame(1, b"", flags=["END_STREAM"]))


GET = [{"line": "GET /patients?page=2 HTTP/1.1", "fields": [], "body": ""}]
POST = [
    {
        "line": "POST /fhir/Patient/_search HTTP/1.1",
        "fields": [["content-type", "application/x-www-form-urlencoded"]],
        "body": "a=b",
    }
]

SERVED = [
    ("frames that are skipped", harmless, GET),
    ("padding", padded, POST),
    ("a request in pieces", in_pieces, POST),
]


def cases():
    """Name, what is expected, what the app has to see, and how to ask."""

    def ended(wire, act):
        act(wire)
        outcome = wire.outcome()
        wire.close()
        return outcome

    def alone(payload):
        wire = Wire()
        wire.raw(payload)
        outcome = wire.end()
        wire.close()
        return outcome

    def first(preface, settings):
        wire = Wire(preface, settings)
        if preface == PREFACE[:10]:
            wire.raw(b"GET /audit HTTP/1.1\r\n\r\n")
        outcome = wire.end()
        wire.close()
        return outcome

    for name, payload in ALONE:
        yield name, "ended", [], lambda payload=payload: alone(payload)
    for name, preface, settings in FIRST:
        yield name, "ended", [], lambda preface=preface, settings=settings: first(preface, settings)
    for name, act, may in BEGUN:
        yield name, f"begun {may}", [], lambda act=act: ended(Wire(), act)
    for name, act, sees in SERVED:
        yield name, "passed", sees, lambda act=act: ended(Wire(), act)
    bare = lambda: ended(Wire(settings=False), without_settings)
    yield "a preface without SETTINGS", "begun 1", [], bare
    yield "a stream that is its own parent", "begun 1", [], lambda: ended(Wire(), own_parent)
