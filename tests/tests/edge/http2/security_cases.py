"""RFC 9113, sections 9 and 10: TLS, limits, and floods, which cost the client little and the server much work.

A body above the limit of its route is RFC 9110, 15.5.14.
"""

import time
from functools import partial
from ssl import TLSVersion

from hyperframe import frame as frames

from case import FORM, NOTHING, PAGE, at_most, table
from connection_cases import CANCEL, WHOLE
from expected import bounded, connection_or_closed, malformed, no_handshake, status
from wire import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, Wire, frame,
)

# How many requests of a flood may reach the origin before it is ended.
THROUGH = at_most(1000)

# A request for a response of one megabyte.
LARGE = PAGE[:3] + [(":path", "/assets/style.0123456789abcdef.css")]


def pour(wire, payloads, seconds=4.0, at_once=500):
    """Sends frames until the connection ends or does not accept more, without reading a response."""
    wire.socket.settimeout(1)
    deadline = time.monotonic() + seconds
    bundle = []
    for payload in payloads:
        bundle.append(payload)
        if len(bundle) == at_once:
            wire.raw(b"".join(bundle))
            bundle = []
            if wire.closed or wire.stalled or time.monotonic() > deadline:
                break
    wire.raw(b"".join(bundle))


def opened(wire):
    """A stream whose body is awaited."""
    wire.open(FORM)


def rapid_reset(wire):
    """CVE-2023-44487: requests that are cancelled at once."""
    block = wire.block(PAGE)
    streams = range(1, 40_000, 2)
    pour(wire, (frame(HEADERS, WHOLE, at, block) + frame(RST_STREAM, 0, at, CANCEL) for at in streams))


def made_to_reset(wire):
    """CVE-2025-8671: requests that the server itself must reset, because they violate a rule."""
    block = wire.block(FORM)
    none = (0).to_bytes(4, "big")
    streams = range(1, 40_000, 2)
    pour(wire, (frame(HEADERS, END_HEADERS, at, block) + frame(WINDOW_UPDATE, 0, at, none) for at in streams))


def refused_streams(wire):
    """Far more requests at a time than are allowed."""
    block = wire.block(FORM)
    pour(wire, (frame(HEADERS, END_HEADERS, at, block) for at in range(1, 40_000, 2)))


def continuation(payload):
    """CVE-2024-27983 and others: a field block without an end."""

    def flood(wire):
        first = frame(HEADERS, END_STREAM, 1, wire.block(PAGE))
        pour(wire, [first] + [frame(CONTINUATION, 0, 1, payload)] * 20_000)

    return flood


def repeated(payload, count):
    """One frame, many times."""
    return lambda wire: pour(wire, (payload for _ in range(count)))


def within_a_body(payload, count):
    """One frame, many times, while a body is awaited."""

    def flood(wire):
        opened(wire)
        pour(wire, (payload for _ in range(count)))

    return flood


def priorities(wire):
    """CVE-2019-9513: the tree of priorities is shuffled."""
    streams = (1 + 2 * (at % 1000) for at in range(100_000))
    pour(wire, (frame(PRIORITY, 0, at, b"\0\0\0\0\x10") for at in streams))


def empty_names(wire):
    """CVE-2019-9516: fields without a name and without a value."""
    block = wire.block(PAGE) + b"\0\0\0" * 5000
    pour(wire, (frame(HEADERS, WHOLE, at, block) for at in range(1, 4000, 2)))


def bomb(wire):
    """A large field in the table, referred to thousands of times by one octet each."""
    field = wire.encoder.encode([("x-a", "a" * 3900)])
    block = wire.block(PAGE) + field + b"\xbe" * 12_000
    pour(wire, (frame(HEADERS, WHOLE, at, block) for at in range(1, 400, 2)))


def field_block(octets):
    """A request with a field block of this size, in as many frames as it takes."""

    def send(wire):
        block = wire.block(PAGE + [(f"x-{at}", "a" * 1000) for at in range(octets // 1000)])
        pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        first = frame(HEADERS, END_STREAM | (END_HEADERS if len(pieces) == 1 else 0), 1, pieces[0])
        rest = [frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1]]
        last = [frame(CONTINUATION, END_HEADERS, 1, pieces[-1])] if len(pieces) > 1 else []
        pour(wire, [first] + rest + last)

    return send


def slow_read(wire):
    """CVE-2019-9517 and others: large responses are requested, and hardly read."""
    for at in range(1, 200, 2):
        wire.request(LARGE, stream=at)
    for _ in range(20):
        time.sleep(0.1)
        wire.raw(b"".join(frame(WINDOW_UPDATE, 0, at, b"\0\0\0\x01") for at in range(1, 200, 2)))


def opened_window(wire):
    """CVE-2019-9517: the windows of HTTP/2 are open, and nothing is read from TCP."""
    wire.raw(frame(WINDOW_UPDATE, 0, 0, ((1 << 31) - 1 - 65_535).to_bytes(4, "big")))
    for at in range(1, 200, 2):
        wire.request(LARGE, stream=at)
    time.sleep(2)


def window_and_table(wire):
    """The window and the table grow and shrink, with streams open."""
    for at in range(1, 200, 2):
        wire.open(FORM, at)
    small, large = b"\0\x04\0\0\0\0" + b"\0\x01\0\0\0\0", b"\0\x04\x7f\xff\xff\xff" + b"\0\x01\0\0\x10\0"
    pour(wire, (frame(SETTINGS, 0, 0, small) + frame(SETTINGS, 0, 0, large) for _ in range(10_000)))


def too_large(length):
    """A body above the limit of its route, as fast as the windows allow, with or without its length."""

    def send(wire):
        fields = [(":path", "/fhir") if name == ":path" else (name, value) for name, value in FORM[:4]]
        fields.append(("content-type", "application/fhir+json"))
        wire.open(fields + length)
        piece = frames.DataFrame(1, b" " * 16_384).serialize()
        deadline = time.monotonic() + 8
        left = {0: 65_535, 1: 65_535}
        on_frame = wire.on_frame

        def windows(one):
            if isinstance(one, frames.WindowUpdateFrame):
                left[one.stream_id] = left.get(one.stream_id, 0) + one.window_increment
            if isinstance(one, frames.SettingsFrame):
                left[1] += one.settings.get(frames.SettingsFrame.INITIAL_WINDOW_SIZE, 65_535) - 65_535
            on_frame(one)

        wire.on_frame = windows
        sent = 0
        while sent < 12 << 20 and not wire.is_over() and time.monotonic() < deadline:
            if min(left.values()) >= 16_384:
                wire.raw(piece)
                left[0], left[1], sent = left[0] - 16_384, left[1] - 16_384, sent + 16_384
                wire.read(0.001 if sent % (1 << 20) == 0 else 0)
            else:
                wire.read(0.05)

    return send


def windows(octets):
    """A connection on which each stream begins with this window."""
    return partial(Wire, values={frames.SettingsFrame.INITIAL_WINDOW_SIZE: octets})


CALM = connection_or_closed("ENHANCE_YOUR_CALM")
TLS11 = partial(Wire, versions=(TLSVersion.TLSv1_1, TLSVersion.TLSv1_1))
TLS12 = partial(Wire, versions=(TLSVersion.TLSv1_2, TLSVersion.TLSv1_2))
SETTING = b"\0\x03\0\0\0\x01"

# Section, what the client sends, the error that the section demands, what the origin receives, and the connection.
ROWS = [
    ("9.2", "TLS 1.1", b"", no_handshake(), NOTHING, TLS11),
    ("9.2.1", "TLS 1.2, which is not enabled", b"", no_handshake(), NOTHING, TLS12),
    ("10.5", "rapid reset", rapid_reset, CALM, THROUGH),
    ("10.5", "streams that the server must reset", made_to_reset, CALM, THROUGH),
    ("10.5", "streams above the limit", refused_streams, bounded(), THROUGH),
    ("10.5", "CONTINUATION of nothing", continuation(b""), CALM, THROUGH),
    ("10.5", "CONTINUATION of fields", continuation(b"\x00\x03x-a\x01a" * 100), CALM, THROUGH),
    ("10.5", "PING", repeated(frame(PING, 0, 0, b"\0" * 8), 100_000), bounded(), THROUGH),
    ("10.5", "acknowledgments of PING", repeated(frame(PING, ACK, 0, b"\0" * 8), 100_000), bounded(), THROUGH),
    ("10.5", "SETTINGS", repeated(frame(SETTINGS, 0, 0, SETTING), 50_000), bounded(), THROUGH),
    ("10.5", "SETTINGS of nothing", repeated(frame(SETTINGS, 0, 0, b""), 50_000), bounded(), THROUGH),
    ("10.5", "SETTINGS that change one value often", repeated(frame(SETTINGS, 0, 0, SETTING * 2000), 2000), bounded(),
     THROUGH),
    ("10.5", "DATA of nothing", within_a_body(frame(DATA, 0, 1, b""), 100_000), bounded(), THROUGH),
    ("10.5", "DATA of padding alone", within_a_body(frame(DATA, PADDED, 1, b"\xff" + b"\0" * 255), 20_000), bounded(),
     THROUGH),
    ("10.5", "PRIORITY", priorities, bounded(), THROUGH),
    ("10.5", "WINDOW_UPDATE of a connection", repeated(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"), 100_000), bounded(),
     THROUGH),
    ("10.5", "WINDOW_UPDATE of a stream", within_a_body(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x01"), 100_000), bounded(),
     THROUGH),
    ("10.5", "unknown frames", repeated(frame(0x77, 0, 0, b"?" * 100), 50_000), bounded(), THROUGH),
    ("10.5", "empty names", empty_names, CALM, THROUGH),
    ("10.5", "windows of nothing", slow_read, bounded(), THROUGH, windows(0)),
    ("10.5", "windows of an octet", slow_read, bounded(), THROUGH, windows(1)),
    ("10.5", "windows that are open and not read", opened_window, bounded(), THROUGH, windows((1 << 31) - 1)),
    ("10.5", "windows and tables that change", window_and_table, bounded(), THROUGH),
    ("10.5.1", "a field block of 20 kilobytes", field_block(20_000), malformed(431), NOTHING),
    ("10.5.1", "a field block of a megabyte", field_block(1_000_000),
     connection_or_closed("ENHANCE_YOUR_CALM", "COMPRESSION_ERROR"), THROUGH),
    ("10.5.1", "a field that is referred to 12,000 times", bomb, CALM, THROUGH),
]

BODIES = [
    ("15.5.14", "a body above the limit", too_large([]), status(413)),
    ("15.5.14", "a body whose length is above the limit", too_large([("content-length", str(12 << 20))]), status(413)),
]

CASES = [*table(9113, ROWS), *table(9110, BODIES)]
