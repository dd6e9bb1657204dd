"""Floods: much work for the server at little cost for the client. Each is bounded: the connection is
ended, or what comes is answered, or nothing more is taken."""

import time

from hyperframe import frame as frames

from frames import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RESET, SETTINGS, WINDOW, frame
from wire import FORM, HOST, PAGE, Wire

# What the origin answers with a megabyte.
LARGE = PAGE[:3] + [(":path", "/assets/style.0123456789abcdef.css")]


def pour(wire, payloads, seconds=4.0, at_once=500):
    """Sends frames until the connection ends or does not take more, without ever reading an answer."""
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
    return settle(wire)


def settle(wire):
    """Whether the server has ended the connection, or still answers."""
    wire.stalled = False
    wire.acknowledges = False
    outcome = wire.end(1.0)
    wire.close()
    return outcome


def opened():
    """A connection with a form whose body is awaited."""
    wire = Wire()
    wire.send(frames.HeadersFrame(1, wire.block(FORM), flags=["END_HEADERS"]))
    return wire


def rapid_reset():
    """CVE-2023-44487: requests that are taken back at once."""
    wire = Wire()
    block = wire.block(PAGE)
    cancel = (8).to_bytes(4, "big")
    streams = range(1, 40_000, 2)
    return pour(
        wire,
        (frame(HEADERS, END_HEADERS | END_STREAM, at, block) + frame(RESET, 0, at, cancel) for at in streams),
    )


def made_to_reset():
    """CVE-2025-8671: requests that the server itself has to take back, for they break a rule."""
    wire = Wire()
    block = wire.block(FORM)
    nothing = (0).to_bytes(4, "big")
    streams = range(1, 40_000, 2)
    return pour(wire, (frame(HEADERS, END_HEADERS, at, block) + frame(WINDOW, 0, at, nothing) for at in streams))


def refused_streams():
    """Far more requests at a time than are allowed."""
    wire = Wire()
    block = wire.block(FORM)
    return pour(wire, (frame(HEADERS, END_HEADERS, at, block) for at in range(1, 40_000, 2)))


def continuation(payload):
    """CVE-2024-27983 and others: a head that never ends."""

    def flood():
        wire = Wire()
        first = frame(HEADERS, END_STREAM, 1, wire.block(PAGE))
        return pour(wire, [first] + [frame(CONTINUATION, 0, 1, payload)] * 20_000)

    return flood


def repeated(payload, count):
    """The same frame, over and over."""

    def flood():
        return pour(Wire(), (payload for _ in range(count)))

    return flood


def within_a_body(payload, count):
    """The same frame, over and over, while a body is awaited."""

    def flood():
        return pour(opened(), (payload for _ in range(count)))

    return flood


def priorities():
    """CVE-2019-9513: the tree of priorities is shuffled."""
    streams = (1 + 2 * (at % 1000) for at in range(100_000))
    return pour(Wire(), (frame(PRIORITY, 0, at, b"\0\0\0\0\x10") for at in streams))


def empty_names():
    """CVE-2019-9516: fields without a name and without a value."""
    wire = Wire()
    block = wire.block(PAGE) + b"\0\0\0" * 5000
    return pour(wire, (frame(HEADERS, END_HEADERS | END_STREAM, at, block) for at in range(1, 4000, 2)))


def bomb():
    """A large field in the table, named thousands of times by one byte each."""
    wire = Wire()
    field = wire.encoder.encode([("x-a", "a" * 3900)])
    block = wire.block(PAGE) + field + b"\xbe" * 12_000
    return pour(wire, (frame(HEADERS, END_HEADERS | END_STREAM, at, block) for at in range(1, 400, 2)))


def long_head():
    """A head of a megabyte."""
    wire = Wire()
    block = wire.block(PAGE + [(f"x-{at}", "a" * 1000) for at in range(1000)])
    pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
    first = frame(HEADERS, END_STREAM, 1, pieces[0])
    rest = [frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1]]
    return pour(wire, [first] + rest + [frame(CONTINUATION, END_HEADERS, 1, pieces[-1])])


def slow_read(window):
    """CVE-2019-9517 and others: large answers are asked for, and hardly read."""

    def flood():
        wire = Wire(values={frames.SettingsFrame.INITIAL_WINDOW_SIZE: window})
        for at in range(1, 200, 2):
            wire.request(LARGE, stream=at)
        for _ in range(20):
            time.sleep(0.1)
            wire.raw(b"".join(frame(WINDOW, 0, at, b"\0\0\0\x01") for at in range(1, 200, 2)))
        return settle(wire)

    return flood


def opened_window():
    """CVE-2019-9517: the windows of HTTP/2 are open, and nothing is read from TCP."""
    wire = Wire(values={frames.SettingsFrame.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
    wire.raw(frame(WINDOW, 0, 0, ((1 << 31) - 1 - 65_535).to_bytes(4, "big")))
    for at in range(1, 200, 2):
        wire.request(LARGE, stream=at)
    time.sleep(2)
    return settle(wire)


def window_and_table():
    """The window and the table grow and shrink, with streams open."""
    wire = Wire()
    for at in range(1, 200, 2):
        wire.send(frames.HeadersFrame(at, wire.block(FORM), flags=["END_HEADERS"]))
    small, large = b"\0\x04\0\0\0\0" + b"\0\x01\0\0\0\0", b"\0\x04\x7f\xff\xff\xff" + b"\0\x01\0\0\x10\0"
    return pour(wire, (frame(SETTINGS, 0, 0, small) + frame(SETTINGS, 0, 0, large) for _ in range(10_000)))


def too_large(length):
    """A body above the limit of its route, said beforehand or not."""

    def flood():
        wire = Wire()
        fields = [(":path", "/fhir") if name == ":path" else (name, value) for name, value in FORM[:4]]
        fields.append(("content-type", "application/fhir+json"))
        wire.send(frames.HeadersFrame(1, wire.block(fields + length), flags=["END_HEADERS"]))
        piece = frames.DataFrame(1, b" " * 16_384).serialize()
        deadline = time.monotonic() + 8
        # As an honest client: as much as the windows allow.
        left = {0: 65_535, 1: 65_535}
        heard = wire.heard

        def windows(one):
            if isinstance(one, frames.WindowUpdateFrame):
                left[one.stream_id] = left.get(one.stream_id, 0) + one.window_increment
            if isinstance(one, frames.SettingsFrame):
                left[1] += one.settings.get(frames.SettingsFrame.INITIAL_WINDOW_SIZE, 65_535) - 65_535
            heard(one)

        wire.heard = windows
        sent = 0
        while sent < 12 << 20 and not wire.is_over(1) and time.monotonic() < deadline:
            if min(left.values()) >= 16_384:
                wire.raw(piece)
                left[0], left[1], sent = left[0] - 16_384, left[1] - 16_384, sent + 16_384
                wire.read(0.001 if sent % (1 << 20) == 0 else 0)
            else:
                wire.read(0.05)
        outcome = wire.outcome()
        wire.close()
        return outcome

    return flood


def cases():
    """Name, what is expected, what the app has to see, and how to ask."""
    floods = [
        ("rapid reset", "ended", rapid_reset),
        ("a server that is made to reset", "ended", made_to_reset),
        ("streams above the limit", "bounded", refused_streams),
        ("CONTINUATION of nothing", "ended", continuation(b"")),
        ("CONTINUATION of fields", "ended", continuation(b"\x00\x03x-a\x01a" * 100)),
        ("PING", "bounded", repeated(frame(PING, 0, 0, b"\0" * 8), 100_000)),
        ("PING of answers", "bounded", repeated(frame(PING, 1, 0, b"\0" * 8), 100_000)),
        ("SETTINGS", "bounded", repeated(frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x01"), 50_000)),
        ("SETTINGS of nothing", "bounded", repeated(frame(SETTINGS, 0, 0, b""), 50_000)),
        ("DATA of nothing", "bounded", within_a_body(frame(DATA, 0, 1, b""), 100_000)),
        ("DATA of padding alone", "bounded", within_a_body(frame(DATA, 8, 1, b"\xff" + b"\0" * 255), 20_000)),
        ("PRIORITY", "bounded", priorities),
        ("WINDOW_UPDATE of a connection", "bounded", repeated(frame(WINDOW, 0, 0, b"\0\0\0\x01"), 100_000)),
        ("WINDOW_UPDATE of a stream", "bounded", within_a_body(frame(WINDOW, 0, 1, b"\0\0\0\x01"), 100_000)),
        ("unknown frames", "bounded", repeated(frame(0x77, 0, 0, b"?" * 100), 50_000)),
        ("empty names", "ended", empty_names),
        ("a bomb of HPACK", "bounded", bomb),
        ("a head of a megabyte", "bounded", long_head),
        ("windows of nothing", "bounded", slow_read(0)),
        ("windows of a byte", "bounded", slow_read(1)),
        ("windows that are open and not read", "bounded", opened_window),
        ("windows and tables that change", "bounded", window_and_table),
        ("a body above the limit", "too large", too_large([])),
        ("a body that says so", "too large", too_large([("content-length", str(12 << 20))])),
    ]
    for name, expected, flood in floods:
        yield f"a flood: {name}", expected, [], flood
