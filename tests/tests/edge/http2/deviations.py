"""Where the server does not do what a section demands.

A row says what the section demands, and what is seen instead. It fails as soon as the server does what it must:
then it belongs in the table of its section.
"""

from case import FORM, GET, NOTHING, PAGE, POST, Case, ask, at_most, exactly, form, page, received
from connection_cases import INDEX, STORED, WHOLE, first_bytes
from expected import connection, connection_or_closed, malformed, served, status, stream
from frame_cases import PROMISED, on_an_open_stream
from message_cases import CONNECTION
from wire import (
    DATA, END_HEADERS, END_STREAM, HEADERS, HOST, PING, PREFACE, PRIORITY, PRIORITY_FLAG, PUSH_PROMISE, Wire, frame,
)

# Stream 1 depends on itself: an error of RFC 7540, and none of RFC 9113.
OWN_PARENT = b"\0\0\0\x01\x10"

# Values that begin or end with a space or a tab.
PADDED_VALUES = [" a", "a ", "\ta", "a\t", " ", "\t"]

PADDED_TYPES = [
    FORM[:4] + [("content-type", value)]
    for value in (" application/x-www-form-urlencoded", "application/x-www-form-urlencoded ")
]

FRAGMENT = page(path="/patients#top")
WITHOUT_SETTINGS = first_bytes(PREFACE, False)


def ping_and_a_page(wire):
    wire.raw(frame(PING, 0, 0, b"\0" * 8))
    wire.request(PAGE)


def own_parent(wire):
    wire.raw(frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, OWN_PARENT + wire.block(PAGE)))


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


def own_parent_in_priority(wire):
    wire.raw(frame(PRIORITY, 0, 1, OWN_PARENT))
    wire.request(PAGE)


def malformed_and_not_continued(wire):
    """A malformed field block without its end, and a request in place of CONTINUATION."""
    wire.raw(frame(HEADERS, 0, 1, wire.block(PAGE) + CONNECTION) + frame(HEADERS, WHOLE, 3, wire.block(PAGE)))


def table(rows):
    """Cases of RFC 9113."""
    return [
        Case(9113, section, name, send, demanded, origin, (more or [Wire])[0], seen)
        for section, name, send, demanded, seen, origin, *more in rows
    ]


# Section, what the client sends, the error that the section demands, what is seen, and what the origin receives.
CONNECTIONS = table([
    # h2 does not require that SETTINGS is the first frame.
    ("3.4", "a request where SETTINGS must be", ask(PAGE), connection_or_closed("PROTOCOL_ERROR"), served(), GET,
     WITHOUT_SETTINGS),
    ("3.4", "PING where SETTINGS must be", ping_and_a_page, connection_or_closed("PROTOCOL_ERROR"), served(), GET,
     WITHOUT_SETTINGS),
    # h2 resets a stream that depends on itself, as RFC 7540 demands, and does not decompress its field block.
    ("4.3", "the field block of a stream that depends on itself", field_of_own_parent, served(on=3),
     connection("COMPRESSION_ERROR"), NOTHING),
    ("4.3", "a field that was indexed behind a stream that depends on itself", field_that_is_misread,
     connection("COMPRESSION_ERROR"), served(on=5), exactly(received(PAGE + FORM[4:]), received(FORM, b"a=b"))),
    ("5.3.2", "a stream that depends on itself", own_parent, served(), stream("PROTOCOL_ERROR"), NOTHING),
    ("6.3", "PRIORITY of an idle stream that depends on itself", own_parent_in_priority, served(),
     stream("PROTOCOL_ERROR"), NOTHING),
    # h2 does not await the rest of a field block once it is malformed.
    ("6.2", "a malformed field block that is not continued", malformed_and_not_continued,
     connection("PROTOCOL_ERROR"), served(on=3), GET),
])

MESSAGES = table([
    # h2 drops pseudo-header fields of trailers: the edge cannot see them.
    ("8.1", "a pseudo-header field in trailers", ask(form(), [b"a=b"], [(":path", "/audit")]), malformed(), served(),
     POST),
    ("8.1", "a status in trailers", ask(form(), [b"a=b"], [(":status", "200")]), malformed(), served(), POST),
    # Neither h2 nor the edge refuses white space around values, and the edge forwards it.
    *(("8.2.1", f"the value {value!r}", ask(page(("x-a", value))), malformed(), served(), GET)
      for value in PADDED_VALUES),
    *(("8.2.1", f"the cookie {value!r}", ask(page(("cookie", value))), malformed(), served(), GET)
      for value in (" a=b", "a=b\t")),
    *(("8.2.1", f"the type {fields[4][1]!r}", ask(fields, [b"a=b"]), malformed(), served(),
       exactly(received(fields, b"a=b"))) for fields in PADDED_TYPES),
    # The http crate drops the fragment: what is left has one meaning.
    ("8.3.1", "a fragment", ask(FRAGMENT), malformed(), served(), exactly(received(FRAGMENT))),
    # The edge compares hosts without the normalization of a default port.
    ("8.3.1", "the default port beside the authority", ask(page(("host", HOST + ":443"))), served(), status(400),
     NOTHING),
    ("8.3.1", "the authority with the default port", ask(page(authority=HOST + ":443")), served(), status(421),
     NOTHING),
    # h2 takes a malformed PUSH_PROMISE for a malformed request.
    ("8.4", "PUSH_PROMISE with a malformed field block",
     on_an_open_stream(frame(PUSH_PROMISE, END_HEADERS, 1, PROMISED + CONNECTION)), connection("PROTOCOL_ERROR"),
     stream("PROTOCOL_ERROR"), at_most(0)),
])
