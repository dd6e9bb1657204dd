"""RFC 9113, sections 3 to 5: how a connection starts, frames, and streams."""

from functools import partial

from hyperframe import frame as frames

from case import FORM, GET, NOTHING, PAGE, POST, request, at_most, exactly, received, table
from expected import connection, connection_or_closed, no_handshake, no_http2, served, stream
from wire import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PREFACE, PRIORITY, PRIORITY_FLAG, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, Wire, frame,
)

CANCEL = (8).to_bytes(4, "big")
WHOLE = END_HEADERS | END_STREAM


def half_a_preface(wire):
    wire.raw(b"GET /audit HTTP/1.1\r\n\r\n")


def ignored_parts(wire):
    """Undefined flags, and the reserved bit of the stream identifier."""
    wire.raw(frame(HEADERS, WHOLE | 0xD2, 1 | 1 << 31, wire.block(PAGE)))


def unknown_frames(wire):
    """Frames, settings and priorities that a server must ignore."""
    wire.raw(frame(0x77, 0xFF, 0, b"?"))
    wire.raw(frame(0x77, 0xFF, 1, b"?"))
    wire.raw(frame(SETTINGS, 0, 0, b"\xff\xff\0\0\0\x01"))
    wire.raw(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"))
    wire.request(PAGE)


def too_long_on_an_open_stream(wire):
    wire.open(FORM)
    # The head alone: the server need not read the payload.
    wire.raw(b"\x00\x40\x01" + bytes([DATA, 0]) + b"\0\0\0\x01")


def in_pieces(wire):
    """A field block in many frames, and a body in many."""
    block = wire.block(FORM)
    wire.send(frames.HeadersFrame(1, block[:1]))
    wire.send(*(frames.ContinuationFrame(1, block[at : at + 20]) for at in range(1, len(block), 20)))
    wire.send(frames.ContinuationFrame(1, b"", flags=["END_HEADERS"]))
    wire.send(*(frames.DataFrame(1, bytes([byte])) for byte in b"a=b"))
    wire.send(frames.DataFrame(1, b"", flags=["END_STREAM"]))


# A field that enters the dynamic table, and the index that it has then.
STORED, INDEX = b"\x40\x03x-a\x011", b"\xbe"


def block_of_a_malformed_request(wire):
    """The field block of a malformed request changes the table that the next request refers to."""
    first = frame(HEADERS, WHOLE, 1, wire.block(PAGE + [("connection", "close")]) + STORED)
    wire.raw(first + frame(HEADERS, WHOLE, 3, wire.block(PAGE) + INDEX))


def block_of_a_refused_stream(wire):
    """The same of a stream above the limit. A stream is reset to make room for the next request."""
    one_stream_too_many(wire, STORED)
    wire.raw(frame(RST_STREAM, 0, 1, CANCEL) + frame(HEADERS, WHOLE, 203, wire.block(PAGE) + INDEX))


def trailers_of_a_stream_that_was_reset(wire):
    """The same of a stream that the server has reset, because its body is longer than its length."""
    wire.open(FORM + [("content-length", "2")])
    wire.raw(frame(DATA, 0, 1, b"a=b"))
    wire.until(wire.is_over)
    wire.raw(frame(DATA, 0, 1, b"&c=d") + frame(HEADERS, WHOLE, 1, STORED))
    wire.raw(frame(HEADERS, WHOLE, 3, wire.block(PAGE) + INDEX))


def after_the_end(kind, flags, payload):
    """A frame on a stream whose request has ended, before the response."""

    def send(wire):
        first = frame(HEADERS, END_HEADERS, 1, wire.block(FORM)) + frame(DATA, END_STREAM, 1, b"a=b")
        wire.raw(first + frame(kind, flags, 1, payload or wire.block(PAGE)))

    return send


def after_the_response(*sent):
    """Frames on a stream that is closed."""

    def send(wire):
        wire.request(PAGE)
        wire.until(wire.is_over)
        wire.raw(b"".join(sent))

    return send


def and_then_a_page(send):
    """The same, and a request on stream 3."""

    def both(wire):
        send(wire)
        wire.request(PAGE, stream=3)

    return both


def after_a_reset(wire):
    """DATA on a stream that the client has reset."""
    wire.open(FORM)
    wire.raw(frame(RST_STREAM, 0, 1, CANCEL) + frame(DATA, 0, 1, b"a=b"))


def closed_stream(wire):
    """A request on a stream that has had one."""
    wire.request(PAGE)
    wire.until(wire.is_over)
    wire.request(PAGE)


def lower_stream(wire):
    """A stream with a lower number than one before."""
    wire.request(PAGE, stream=5)
    wire.until(lambda: wire.is_over(5))
    wire.request(PAGE, stream=3)


def below_the_last_stream(wire):
    wire.request(PAGE, stream=(1 << 31) - 1)
    wire.request(PAGE, stream=3)


def one_stream_too_many(wire, last=b""):
    """One more than SETTINGS_MAX_CONCURRENT_STREAMS, which is 100; with more fields on the last stream."""
    heads = [frame(HEADERS, END_HEADERS, at, wire.block(FORM)) for at in range(1, 201, 2)]
    wire.raw(b"".join(heads) + frame(HEADERS, END_HEADERS, 201, wire.block(FORM) + last))


def beside_a_malformed_request(wire):
    wire.request(PAGE + [("connection", "close")])
    wire.request(PAGE, stream=3)


def with_a_connection_error(wire):
    """A request in the same write as, and behind, a connection error."""
    wire.raw(frame(PING, 0, 1, b"\0" * 8) + frame(HEADERS, WHOLE, 1, wire.block(PAGE)))


def reset_of_a_closed_stream(wire):
    """RST_STREAM must not be sent in response to RST_STREAM. The response on stream 3 would follow it."""
    and_then_a_page(after_the_response(frame(RST_STREAM, 0, 1, CANCEL) * 2))(wire)
    wire.until(lambda: wire.is_over(3))


def ping_and_a_page(wire):
    wire.raw(frame(PING, 0, 0, b"\0" * 8))
    wire.request(PAGE)


# Stream 1 depends on itself: an error of RFC 7540, and none of RFC 9113.
OWN_PARENT = b"\0\0\0\x01\x10"


def field_of_own_parent(wire):
    """The next request refers to a field of the stream that depends on itself."""
    first = frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, OWN_PARENT + wire.block(PAGE) + STORED)
    wire.raw(first + frame(HEADERS, WHOLE, 3, wire.block(PAGE) + INDEX))


def field_that_is_misread(wire):
    """The server's table lacks a field, so that an index of the last request means another one."""

    def typed(kind):
        return b"\x5f" + bytes([len(kind)]) + kind

    wire.raw(frame(HEADERS, WHOLE, 1, wire.block(PAGE) + typed(b"application/x-www-form-urlencoded")))
    wire.until(wire.is_over)
    wire.raw(frame(HEADERS, WHOLE | PRIORITY_FLAG, 3, b"\0\0\0\x03\x10" + wire.block(PAGE) + typed(b"text/plain")))
    wire.raw(frame(HEADERS, END_HEADERS, 5, wire.block(FORM[:4]) + INDEX) + frame(DATA, END_STREAM, 5, b"a=b"))


def first_bytes(preface, settings=True):
    """A connection that begins otherwise."""
    return lambda: Wire(preface, settings)


# Section, what the client sends, the error that the section demands, and what the origin receives.
ROWS = [
    ("3.2", "ALPN that offers h2c alone", b"", no_handshake(), NOTHING, partial(Wire, protocol="h2c")),
    ("3.3", "a preface without ALPN", b"", no_http2(), NOTHING, partial(Wire, protocol=None)),
    ("3.3", "a preface where HTTP/1.1 was negotiated", b"", no_http2(), NOTHING, partial(Wire, protocol="http/1.1")),
    ("3.4", "no preface", b"", connection_or_closed("PROTOCOL_ERROR"), at_most(0), first_bytes(b"")),
    ("3.4", "half a preface", half_a_preface, connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(PREFACE[:10])),
    ("3.4", "another preface", b"", connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(PREFACE.replace(b"SM", b"XX"))),
    ("3.4", "HTTP/1.1 where HTTP/2 was negotiated", b"", connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(b"GET /audit HTTP/1.1\r\nHost: clinic.example\r\n\r\n", False)),
    ("3.4", "an upgrade where HTTP/2 was negotiated", b"", connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n" + PREFACE)),
    ("3.4", "a request where SETTINGS must be", request(PAGE), connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(PREFACE, False)),
    ("3.4", "PING where SETTINGS must be", ping_and_a_page, connection_or_closed("PROTOCOL_ERROR"), at_most(0),
     first_bytes(PREFACE, False)),
    ("4.1", "undefined flags and the reserved bit", ignored_parts, served(), GET),
    ("4.1", "frames, settings and priorities that are ignored", unknown_frames, served(), GET),
    ("4.2", "HEADERS of 16,385 octets", frame(HEADERS, WHOLE, 1, b"\0" * 16_385),
     connection_or_closed("FRAME_SIZE_ERROR")),
    ("4.2", "the head of HEADERS of 16,385 octets", b"\x00\x40\x01\x01\x05\0\0\0\x01", connection("FRAME_SIZE_ERROR")),
    ("4.2", "a frame of 16 MiB", b"\xff\xff\xff\x01\x05\0\0\0\x01" + b"\0" * 16_384,
     connection_or_closed("FRAME_SIZE_ERROR")),
    ("4.2", "SETTINGS of 18,000 octets", frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x01" * 3000),
     connection_or_closed("FRAME_SIZE_ERROR")),
    ("4.2", "the head of an unknown frame of 16,385 octets", b"\x00\x40\x01\x77\0\0\0\0\0",
     connection("FRAME_SIZE_ERROR")),
    ("4.2", "the head of DATA of 16,385 octets", too_long_on_an_open_stream, stream("FRAME_SIZE_ERROR")),
    ("4.2", "HEADERS without the length of its padding", frame(HEADERS, WHOLE | PADDED, 1, b""),
     connection("FRAME_SIZE_ERROR")),
    ("4.2", "HEADERS with 4 octets of priority", frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, b"\0" * 4),
     connection("FRAME_SIZE_ERROR")),
    ("4.2", "GOAWAY of 7 octets", frame(7, 0, 0, b"\0" * 7), connection("FRAME_SIZE_ERROR")),
    ("4.3", "a field block that breaks off", frame(HEADERS, WHOLE, 1, b"\x00\x05ab"), connection("COMPRESSION_ERROR")),
    ("4.3", "PING within a field block", frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, b"\0" * 8),
     connection("PROTOCOL_ERROR")),
    ("4.3", "a request in pieces", in_pieces, served(), POST),
    ("4.3", "the field block of a malformed request", block_of_a_malformed_request, served(on=3), GET),
    ("4.3", "the field block of a refused stream", block_of_a_refused_stream, served(on=203), GET),
    ("4.3", "the trailers of a stream that the server has reset", trailers_of_a_stream_that_was_reset, served(on=3),
     GET),
    ("4.3", "the field block of a stream that depends on itself", field_of_own_parent,
     connection("COMPRESSION_ERROR")),
    ("4.3", "a field that was indexed behind a stream that depends on itself", field_that_is_misread,
     connection("COMPRESSION_ERROR"), at_most(1)),
    ("5.1", "idle: DATA", frame(DATA, END_STREAM, 1, b"a=b"), connection("PROTOCOL_ERROR")),
    ("5.1", "idle: WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"), connection("PROTOCOL_ERROR")),
    ("5.1", "idle: WINDOW_UPDATE on a stream of the server", frame(WINDOW_UPDATE, 0, 2, b"\0\0\0\x01"),
     connection("PROTOCOL_ERROR")),
    ("5.1", "idle: RST_STREAM on a stream of the server", frame(RST_STREAM, 0, 2, CANCEL),
     connection("PROTOCOL_ERROR")),
    ("5.1", "idle: CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, b"\x82"), connection("PROTOCOL_ERROR")),
    ("5.1", "half-closed: DATA", after_the_end(DATA, END_STREAM, b"&c=d"), stream("STREAM_CLOSED"), at_most(1)),
    ("5.1", "half-closed: HEADERS", after_the_end(HEADERS, END_HEADERS, None), stream("STREAM_CLOSED"), at_most(1)),
    ("5.1", "half-closed: HEADERS with END_STREAM", after_the_end(HEADERS, WHOLE, None), stream("STREAM_CLOSED"),
     at_most(1)),
    ("5.1", "closed: HEADERS", closed_stream, connection("STREAM_CLOSED"), at_most(1)),
    ("5.1", "closed: DATA", after_the_response(frame(DATA, END_STREAM, 1, b"a=b")), stream("STREAM_CLOSED"),
     at_most(1)),
    ("5.1", "closed by RST_STREAM: DATA", after_a_reset, stream("STREAM_CLOSED")),
    ("5.1", "closed: WINDOW_UPDATE, RST_STREAM and PRIORITY, which are allowed",
     and_then_a_page(after_the_response(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"), frame(RST_STREAM, 0, 1, CANCEL),
                                        frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"))),
     served(on=3), exactly(received(PAGE), received(PAGE))),
    ("5.1.1", "HEADERS on an even stream", frame(HEADERS, WHOLE, 2, b"\x82\x87\x84"), connection("PROTOCOL_ERROR")),
    ("5.1.1", "a lower stream", lower_stream, connection("PROTOCOL_ERROR"), at_most(1)),
    ("5.1.1", "a stream below the last that there is", below_the_last_stream, connection("PROTOCOL_ERROR"), at_most(1)),
    ("5.1.2", "a stream above the limit", one_stream_too_many, stream("REFUSED_STREAM", "PROTOCOL_ERROR", on=201)),
    ("5.4.1", "a request behind a connection error", with_a_connection_error, connection("PROTOCOL_ERROR"), NOTHING),
    ("5.4.1", "a connection error after a response", after_the_response(frame(PING, 0, 1, b"\0" * 8)),
     connection("PROTOCOL_ERROR", last_stream=1), at_most(1)),
    ("5.4.2", "a malformed request", request(PAGE + [("connection", "close")]), stream("PROTOCOL_ERROR"), NOTHING),
    ("5.4.2", "a request beside a stream error", beside_a_malformed_request, served(on=3), GET),
    ("5.4.2", "RST_STREAM on a closed stream, which gets no RST_STREAM", reset_of_a_closed_stream, served(),
     exactly(received(PAGE), received(PAGE))),
    ("5.5", "an unknown frame within a field block", frame(HEADERS, 0, 1, b"\x82") + frame(0x77, 0, 0, b""),
     connection("PROTOCOL_ERROR")),
]

CASES = table(9113, ROWS)
