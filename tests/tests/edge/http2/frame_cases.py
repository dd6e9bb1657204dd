"""RFC 9113, sections 6 and 7: the frame types, and unknown error codes."""

from hyperframe import frame as frames

from case import FORM, GET, PAGE, POST, exactly, received, table
from connection_cases import CANCEL, WHOLE, after_the_response, and_then_a_page
from expected import bounded, connection, served, stream
from wire import (
    ACK, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PRIORITY_FLAG, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
)

# A field block that is not complete, a promised stream with a field block, and `connection: close`.
BEGUN = frame(HEADERS, 0, 1, b"\x82")
PROMISED = b"\0\0\0\x02\x82"
CONNECTION_FIELD = b"\x00\x0aconnection\x05close"
LARGEST = b"\x7f\xff\xff\xff"


def on_an_open_stream(*sent):
    """Frames on a stream whose body is awaited."""

    def send(wire):
        wire.open(FORM)
        wire.raw(b"".join(sent))

    return send


def padded(wire):
    """Padding is not part of a field block or of a body."""
    wire.send(frames.HeadersFrame(1, wire.block(FORM), pad_length=20, flags=["END_HEADERS", "PADDED"]))
    wire.send(frames.DataFrame(1, b"a=b", pad_length=200, flags=["END_STREAM", "PADDED"]))


def more_than_the_window(wire):
    """A body larger than the window of its stream, from a client that waits for no WINDOW_UPDATE."""
    wire.acknowledges = False
    wire.open(FORM)
    for _ in range(80):
        wire.send(frames.DataFrame(1, b"a" * 16_384))


def one_write_of_more_than_the_window(wire):
    wire.raw(frame(HEADERS, END_HEADERS, 1, wire.block(FORM)) + frame(DATA, 0, 1, b"a" * 16_384) * 8)


def more_than_the_connection(wire):
    """Bodies within the windows of their streams, and above that of the connection together."""
    wire.acknowledges = False
    streams = range(1, 180, 2)
    heads = b"".join(frame(HEADERS, END_HEADERS, at, wire.block(FORM)) for at in streams)
    wire.raw(heads + b"".join(frame(DATA, 0, at, b"a" * 16_000) * 4 for at in streams))


def reset_for_an_unknown_reason(wire):
    wire.open(FORM)
    wire.raw(frame(RST_STREAM, 0, 1, b"\xff\xff\xff\xff"))


def malformed_and_not_continued(wire):
    """A malformed field block without its end, and a request in place of CONTINUATION."""
    wire.raw(frame(HEADERS, 0, 1, wire.block(PAGE) + CONNECTION_FIELD) + frame(HEADERS, WHOLE, 3, wire.block(PAGE)))


# Section, what the client sends, the error that the section demands, and what the origin receives.
ROWS = [
    ("6.1", "DATA on stream 0", frame(DATA, 0, 0, b"a=b"), connection("PROTOCOL_ERROR")),
    ("6.1", "DATA on an idle stream, padded too long", frame(DATA, PADDED, 1, b"\xff"), connection("PROTOCOL_ERROR")),
    ("6.1", "DATA padded too long", on_an_open_stream(frame(DATA, PADDED, 1, b"\x04a=b")),
     connection("PROTOCOL_ERROR")),
    ("6.1", "DATA without the length of its padding", on_an_open_stream(frame(DATA, PADDED, 1, b"")),
     stream("FRAME_SIZE_ERROR")),
    ("6.1", "DATA and HEADERS with padding", padded, served(), POST),
    ("6.2", "HEADERS on stream 0", frame(HEADERS, WHOLE, 0, b"\x82"), connection("PROTOCOL_ERROR")),
    ("6.2", "HEADERS padded too long", frame(HEADERS, END_HEADERS | PADDED, 1, b"\x20\x82"),
     connection("PROTOCOL_ERROR")),
    ("6.2", "HEADERS with priority, padded too long",
     frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, b"\x02\0\0\0\0\x10\x82"), connection("PROTOCOL_ERROR")),
    ("6.2", "DATA instead of CONTINUATION", BEGUN + frame(DATA, 0, 1, b"a=b"), connection("PROTOCOL_ERROR")),
    ("6.2", "HEADERS instead of CONTINUATION", BEGUN + frame(HEADERS, WHOLE, 3, b"\x82"),
     connection("PROTOCOL_ERROR")),
    ("6.2", "PRIORITY instead of CONTINUATION", BEGUN + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"),
     connection("PROTOCOL_ERROR")),
    ("6.2", "a malformed field block that is not continued", malformed_and_not_continued,
     connection("PROTOCOL_ERROR")),
    ("6.3", "PRIORITY on stream 0", frame(PRIORITY, 0, 0, b"\0\0\0\0\x10"), connection("PROTOCOL_ERROR")),
    ("6.3", "PRIORITY of 4 octets", frame(PRIORITY, 0, 1, b"\0" * 4), stream("FRAME_SIZE_ERROR")),
    ("6.3", "PRIORITY of 6 octets", on_an_open_stream(frame(PRIORITY, 0, 1, b"\0" * 6)), stream("FRAME_SIZE_ERROR")),
    ("6.4", "RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, CANCEL), connection("PROTOCOL_ERROR")),
    ("6.4", "RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, CANCEL), connection("PROTOCOL_ERROR")),
    ("6.4", "RST_STREAM of 3 octets", frame(RST_STREAM, 0, 1, b"\0" * 3), connection("FRAME_SIZE_ERROR")),
    ("6.4", "RST_STREAM of 5 octets", on_an_open_stream(frame(RST_STREAM, 0, 1, b"\0" * 5)),
     connection("FRAME_SIZE_ERROR")),
    ("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1, b""), connection("PROTOCOL_ERROR")),
    ("6.5", "SETTINGS of 5 octets", frame(SETTINGS, 0, 0, b"\0" * 5), connection("FRAME_SIZE_ERROR")),
    ("6.5", "SETTINGS of 7 octets", frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x01\0"), connection("FRAME_SIZE_ERROR")),
    ("6.5", "an acknowledgment with a payload", frame(SETTINGS, ACK, 0, b"\0\x03\0\0\0\x01"),
     connection("FRAME_SIZE_ERROR")),
    ("6.5.2", "ENABLE_PUSH of 2", frame(SETTINGS, 0, 0, b"\0\x02\0\0\0\x02"), connection("PROTOCOL_ERROR")),
    ("6.5.2", "INITIAL_WINDOW_SIZE of 2^31", frame(SETTINGS, 0, 0, b"\0\x04\x80\0\0\0"),
     connection("FLOW_CONTROL_ERROR")),
    ("6.5.2", "MAX_FRAME_SIZE of 16,383", frame(SETTINGS, 0, 0, b"\0\x05\0\0\x3f\xff"), connection("PROTOCOL_ERROR")),
    ("6.5.2", "MAX_FRAME_SIZE of 2^24", frame(SETTINGS, 0, 0, b"\0\x05\x01\0\0\0"), connection("PROTOCOL_ERROR")),
    ("6.6", "PUSH_PROMISE on an idle stream", frame(PUSH_PROMISE, END_HEADERS, 1, PROMISED),
     connection("PROTOCOL_ERROR")),
    ("6.6", "PUSH_PROMISE on stream 0", frame(PUSH_PROMISE, END_HEADERS, 0, PROMISED), connection("PROTOCOL_ERROR")),
    ("6.6", "PUSH_PROMISE padded too long",
     on_an_open_stream(frame(PUSH_PROMISE, END_HEADERS | PADDED, 1, b"\x20" + PROMISED)), connection("PROTOCOL_ERROR")),
    ("6.6", "PUSH_PROMISE without CONTINUATION",
     on_an_open_stream(frame(PUSH_PROMISE, 0, 1, PROMISED), frame(PING, 0, 0, b"\0" * 8)),
     connection("PROTOCOL_ERROR")),
    ("6.7", "PING on a stream", frame(PING, 0, 1, b"\0" * 8), connection("PROTOCOL_ERROR")),
    ("6.7", "PING of 7 octets", frame(PING, 0, 0, b"\0" * 7), connection("FRAME_SIZE_ERROR")),
    ("6.7", "PING of 9 octets", frame(PING, 0, 0, b"\0" * 9), connection("FRAME_SIZE_ERROR")),
    ("6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, b"\0" * 8), connection("PROTOCOL_ERROR")),
    ("6.9", "an increment of 0 of the connection's window", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
     connection("PROTOCOL_ERROR")),
    ("6.9", "an increment of 0 of a stream's window", on_an_open_stream(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0")),
     stream("PROTOCOL_ERROR")),
    ("6.9", "WINDOW_UPDATE of 3 octets", frame(WINDOW_UPDATE, 0, 0, b"\0\0\x01"), connection("FRAME_SIZE_ERROR")),
    ("6.9", "WINDOW_UPDATE of 5 octets on a stream", on_an_open_stream(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01\0")),
     connection("FRAME_SIZE_ERROR")),
    ("6.9", "WINDOW_UPDATE on a closed stream, which is allowed",
     and_then_a_page(after_the_response(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"))), served(on=3),
     exactly(received(PAGE), received(PAGE))),
    ("6.9.1", "a connection's window above 2^31 - 1", frame(WINDOW_UPDATE, 0, 0, LARGEST) * 2,
     connection("FLOW_CONTROL_ERROR")),
    ("6.9.1", "a stream's window above 2^31 - 1", on_an_open_stream(frame(WINDOW_UPDATE, 0, 1, LARGEST) * 2),
     stream("FLOW_CONTROL_ERROR")),
    ("6.9.1", "a body above the window, frame by frame", more_than_the_window,
     stream("FLOW_CONTROL_ERROR", statuses=(413,))),
    ("6.9.1", "a body above the window in one write", one_write_of_more_than_the_window,
     stream("FLOW_CONTROL_ERROR", statuses=(413,))),
    # The server may have granted credit before it has read all of it.
    ("6.9.1", "bodies above the connection's window", more_than_the_connection, bounded("FLOW_CONTROL_ERROR")),
    ("6.9.2", "INITIAL_WINDOW_SIZE that raises a stream's window above 2^31 - 1",
     on_an_open_stream(frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\0\0"), frame(SETTINGS, 0, 0, b"\0\x04\0\x02\0\0")),
     connection("FLOW_CONTROL_ERROR")),
    ("6.10", "CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
     connection("PROTOCOL_ERROR")),
    ("6.10", "CONTINUATION after END_HEADERS", on_an_open_stream(frame(CONTINUATION, END_HEADERS, 1, b"\x82")),
     connection("PROTOCOL_ERROR")),
    ("6.10", "CONTINUATION on stream 0", frame(CONTINUATION, END_HEADERS, 0, b"\x82"), connection("PROTOCOL_ERROR")),
    ("6.10", "CONTINUATION on stream 0 within a field block", BEGUN + frame(CONTINUATION, END_HEADERS, 0, b"\x87"),
     connection("PROTOCOL_ERROR")),
    ("6.10", "CONTINUATION of another stream", BEGUN + frame(CONTINUATION, END_HEADERS, 3, b"\x87"),
     connection("PROTOCOL_ERROR")),
    ("6.10", "PING between two CONTINUATION",
     BEGUN + frame(CONTINUATION, 0, 1, b"\x87") + frame(PING, 0, 0, b"\0" * 8), connection("PROTOCOL_ERROR")),
    ("7", "RST_STREAM with an unknown error code", and_then_a_page(reset_for_an_unknown_reason), served(on=3), GET),
]

CASES = table(9113, ROWS)
