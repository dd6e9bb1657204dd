"""What a server may do about an error: the codes of GOAWAY and of RST_STREAM, and the statuses.

A row of a table names the error that the RFC demands. Beyond it, RFC 9113 allows a server

* to use a generic code in place of a specific one (5.4),
* to treat a stream error as a connection error (5.4.1),
* to send a response before it ends the stream of a malformed request (8.1.1).
"""

from dataclasses import dataclass
from typing import Optional

# Error codes (RFC 9113, 7).
CODES = [
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
]
GENERIC = ("PROTOCOL_ERROR", "INTERNAL_ERROR")

# The kinds of expectations, as the table shows them.
CONNECTION = "GOAWAY"
STREAM = "RST_STREAM"
STATUS = "status"
SERVED = "served"
SERVED_OR_REFUSED = "served or refused"
BOUNDED = "served or GOAWAY"
NO_HTTP2 = "HTTP/1.1"
NO_HANDSHAKE = "TLS alert"


@dataclass(frozen=True)
class Expected:
    """What the client must see."""

    kind: str
    # The error codes that the RFC names.
    codes: tuple = ()
    # The statuses that may stand in place of a reset; for `STATUS`, the only ones.
    statuses: tuple = ()
    # The stream that is observed.
    on: int = 1
    # Whether the server may close without GOAWAY. Also true where it closes before it has read all
    # bytes: TCP then resets the connection, and GOAWAY may be lost (RFC 9113, 5.4.1).
    or_closed: bool = False
    # The last stream that GOAWAY must name.
    last_stream: Optional[int] = None

    def __str__(self):
        """The cell of the table."""
        words = [*self.codes, *(str(status) for status in self.statuses), *(["closed"] if self.or_closed else [])]
        return f"{self.kind} {' or '.join(words)}".strip()

    def is_error(self):
        """Whether the server has to report an error, or to refuse."""
        return self.kind not in (SERVED, SERVED_OR_REFUSED)

    def observe(self, wire):
        """Reads until the outcome is known."""
        if self.kind == BOUNDED:
            # A client that has not read its responses reads what there is.
            wire.acknowledges = False
            wire.until(lambda: wire.failed, 1.0)
        elif self.kind in (CONNECTION, NO_HTTP2, NO_HANDSHAKE):
            wire.until(lambda: wire.closed)
        elif self.kind == STREAM and not self.statuses:
            wire.until(lambda: wire.failed or "reset" in wire.streams.get(self.on, {}))
        else:
            wire.until(lambda: wire.is_over(self.on))
        if wire.failed and self.kind != BOUNDED:
            # After GOAWAY the server must close the connection (RFC 9113, 5.4.1).
            wire.until(lambda: wire.closed)
        return wire.outcome(self.on)

    def allows(self, seen):
        """Whether an outcome is one of those that the RFC allows."""
        status, reset, goaway = seen.get("status"), seen.get("reset"), seen["goaway"] or None
        if self.kind == SERVED:
            return status == 200 and reset is None and goaway is None
        if self.kind == SERVED_OR_REFUSED:
            refused = status is not None and (400 <= status < 500 or status in (501, 505))
            return status == 200 or refused or reset is not None or goaway is not None or seen["closed"]
        if self.kind == NO_HANDSHAKE:
            return "alert" in (seen["alert"] or "").lower()
        if self.kind == NO_HTTP2:
            return seen["is_http1"] and seen["closed"]
        if goaway is not None:
            named = self.last_stream in (None, seen["last_stream"])
            return self.is_code(goaway) and named and (seen["closed"] or self.kind == BOUNDED)
        if self.kind == BOUNDED:
            return True
        if status is not None and self.statuses:
            return status in self.statuses and bool(seen.get("ended"))
        if reset is not None and self.kind == STREAM:
            return self.is_code(reset)
        return self.or_closed and seen["closed"]

    def is_code(self, code):
        """Whether a code is one that the RFC names, or a generic one in its place."""
        return bool(self.codes) and code < len(CODES) and CODES[code] in self.codes + GENERIC


def connection(*codes, last_stream=None):
    """A connection error: GOAWAY, and the end of the connection (RFC 9113, 5.4.1)."""
    return Expected(CONNECTION, codes, last_stream=last_stream)


def connection_or_closed(*codes):
    """A connection error whose GOAWAY may be missing."""
    return Expected(CONNECTION, codes, or_closed=True)


def stream(*codes, on=1, statuses=()):
    """A stream error: RST_STREAM (RFC 9113, 5.4.2), or a status where the request is refused before."""
    return Expected(STREAM, codes, statuses, on)


def malformed(status=400):
    """A malformed request: a stream error of type PROTOCOL_ERROR, or a status before it (RFC 9113, 8.1.1)."""
    return Expected(STREAM, ("PROTOCOL_ERROR",), (status,))


def status(code):
    """A well-formed request that is refused: a status, and no other error."""
    return Expected(STATUS, statuses=(code,))


def served(on=1):
    """No error: the response is 200."""
    return Expected(SERVED, on=on)


def served_or_refused():
    """A request whose fields the edge may drop: 200 without them, or any refusal."""
    return Expected(SERVED_OR_REFUSED)


def bounded(*codes):
    """The server continues, or ends the connection: with ENHANCE_YOUR_CALM if the load is excessive (RFC 9113, 10.5)."""
    return Expected(BOUNDED, codes or ("ENHANCE_YOUR_CALM",))


def no_http2():
    """HTTP/2 was not negotiated: the response is that of HTTP/1.1, and the connection ends."""
    return Expected(NO_HTTP2)


def no_handshake():
    """The TLS handshake fails with an alert of the server."""
    return Expected(NO_HANDSHAKE)
