"""Deviations of the server from what a section demands.

A row has what the section demands, and what is observed instead. It fails as soon as the server complies: then it
belongs in the table of its section.
"""

from case import NOTHING, PAGE, POST, Case, request, exactly, form, page, received
from connection_cases import OWN_PARENT, WHOLE
from expected import connection, malformed, served, stream
from wire import HEADERS, PRIORITY, PRIORITY_FLAG, Wire, frame

FRAGMENT = page(path="/patients#top")


def own_parent(wire):
    wire.raw(frame(HEADERS, WHOLE | PRIORITY_FLAG, 1, OWN_PARENT + wire.block(PAGE)))


def own_parent_in_priority(wire):
    wire.raw(frame(PRIORITY, 0, 1, OWN_PARENT))
    wire.request(PAGE)


def table(rows):
    """Cases of RFC 9113."""
    return [
        Case(9113, section, name, send, demanded, origin, Wire, seen)
        for section, name, send, demanded, seen, origin in rows
    ]


# Section, what the client sends, the error that the section demands, what is seen, and what the origin receives.
CONNECTIONS = table([
    # h2 resets a stream that depends on itself, as RFC 7540 demands, and does not decompress its field block: the
    # edge ends the connection.
    ("5.3.2", "a stream that depends on itself", own_parent, served(), connection("PROTOCOL_ERROR"), NOTHING),
    ("6.3", "PRIORITY of an idle stream that depends on itself", own_parent_in_priority, served(),
     stream("PROTOCOL_ERROR"), NOTHING),
])

MESSAGES = table([
    # h2 drops pseudo-header fields of trailers: the edge cannot see them.
    ("8.1", "a pseudo-header field in trailers", request(form(), [b"a=b"], [(":path", "/audit")]), malformed(), served(),
     POST),
    ("8.1", "a status in trailers", request(form(), [b"a=b"], [(":status", "200")]), malformed(), served(), POST),
    # The http crate drops the fragment: what is left has one meaning.
    ("8.3.1", "a fragment", request(FRAGMENT), malformed(), served(), exactly(received(FRAGMENT))),
])
