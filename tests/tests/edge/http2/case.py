"""A row of the tables, and requests that many rows share."""

from typing import Callable, NamedTuple, Optional, Union

from expected import SERVED, Expected
from wire import HOST, Wire

# The fields of a request that is served.
PAGE = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", HOST),
    (":path", "/patients?page=2"),
]

# The same of a form.
FORM = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", HOST),
    (":path", "/fhir/Patient/_search"),
    ("content-type", "application/x-www-form-urlencoded"),
]


def exactly(*messages):
    """The origin receives these messages, and nothing else, not even the beginning of another one."""
    return {"exactly": list(messages)}


def at_most(count):
    """The origin receives at most this number of complete requests; others may begin, and are aborted."""
    return {"at_most": count}


def received(fields, body=b""):
    """The message that the origin receives of a request."""
    given = dict(fields)
    kept = [[name, value] for name, value in fields if name == "content-type"]
    line = f"{given[':method']} {given[':path'].split('#')[0]} HTTP/1.1"
    return {"line": line, "fields": kept, "body": (body or b"").decode("latin-1")}


NOTHING = exactly()
GET = exactly(received(PAGE))
POST = exactly(received(FORM, b"a=b"))


class Case(NamedTuple):
    """A violation of a section, and what the client and the origin must see of it."""

    rfc: int
    section: str
    # What the client sends.
    name: str
    # Bytes that follow the client's SETTINGS, or a function that sends on a connection.
    send: Union[bytes, Callable]
    expected: Expected
    # What the origin must see: by default no complete request.
    origin: dict = at_most(0)
    # How the connection is made.
    connect: Callable = Wire
    # Where the server does not do what the section demands: what the client sees instead.
    seen: Optional[Expected] = None

    def title(self):
        """The section and the name."""
        return f"RFC {self.rfc}, {self.section}: {self.name}"

    def is_error(self):
        """Whether the server reports the error that the section demands."""
        return self.seen is None and self.expected.is_error()

    def run(self):
        """What the client sees."""
        wire = self.connect()
        if callable(self.send):
            self.send(wire)
        else:
            wire.raw(self.send)
        seen = (self.seen or self.expected).observe(wire)
        wire.close()
        return seen

    def wrong(self, seen):
        """What is wrong with what the client has seen, or None."""
        if self.seen is None:
            return None if self.expected.allows(seen) else f"not {self.expected}"
        if self.expected.allows(seen):
            return "no deviation any more: move it to the table of its section"
        return None if self.seen.allows(seen) else f"neither {self.expected} nor {self.seen}"


def table(rfc, rows):
    """The cases of rows that begin with the section of one RFC."""
    cases = [Case(rfc, *row) for row in rows]
    for case in cases:
        # A request that is served must be compared with what the origin received.
        assert case.expected.kind != SERVED or "exactly" in case.origin, case.title()
    return cases


def page(*more, **changes):
    """The fields of a page with some changed (None removes one), and some added."""
    names = {":" + name: value for name, value in changes.items()}
    kept = [(name, names.get(name, value)) for name, value in PAGE]
    return [field for field in kept if field[1] is not None] + list(more)


def form(*more):
    """The fields of a form, and some added."""
    return FORM + list(more)


def request(fields, pieces=None, trailers=None):
    """Sends a request."""
    return lambda wire: wire.request(fields, pieces=pieces, trailers=trailers)
