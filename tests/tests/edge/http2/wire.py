"""An HTTP/2 connection on which any frame can be sent, whether it makes sense or not."""

import socket
import ssl
import sys
import time

import hpack
from hyperframe import frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PORT, AUTHORITY, HOST = int(sys.argv[1]), sys.argv[2], sys.argv[3]

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


def tls(protocol="h2"):
    """A TLS connection to the edge."""
    context = ssl.create_default_context(cafile=AUTHORITY)
    context.set_alpn_protocols([protocol])
    tcp = socket.create_connection(("127.0.0.1", PORT), timeout=5)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(tcp, server_hostname=HOST)


class Outcome(dict):
    """What came of a stream: status, body, the codes of RST_STREAM and GOAWAY, and the end."""


class Wire:
    """The connection, after its preface and SETTINGS, unless these are to be sent otherwise."""

    def __init__(self, preface=PREFACE, settings=True, **values):
        self.socket = tls()
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.received = b""
        self.outcomes = {}
        self.goaway = None
        self.closed = False
        self.stalled = False
        self.acknowledges = True
        first = preface
        if settings:
            first += frames.SettingsFrame(settings=values.get("values", {})).serialize()
        self.raw(first)

    def raw(self, data):
        """Sends bytes; what cannot be sent any more is left."""
        if self.closed or self.stalled:
            return
        try:
            self.socket.sendall(data)
        except (TimeoutError, socket.timeout):
            self.stalled = True
        except OSError:
            self.closed = True

    def send(self, *many):
        self.raw(b"".join(one.serialize() for one in many))

    def block(self, fields):
        """Fields as HPACK, none of them checked, none indexed."""
        coded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        return self.encoder.encode([hpack.NeverIndexedHeaderTuple(*field) for field in coded])

    def request(self, fields, stream=1, body=None, trailers=None, pieces=None):
        """A request: HEADERS, and DATA and trailers if there are any."""
        pieces = [body] if pieces is None and body is not None else pieces
        flags = ["END_HEADERS"] + ([] if pieces or trailers else ["END_STREAM"])
        out = [frames.HeadersFrame(stream, self.block(fields), flags=flags)]
        for at, piece in enumerate(pieces or []):
            ends = at + 1 == len(pieces) and trailers is None
            out.append(frames.DataFrame(stream, piece, flags=["END_STREAM"] if ends else []))
        if trailers is not None:
            flags = ["END_HEADERS", "END_STREAM"]
            out.append(frames.HeadersFrame(stream, self.block(trailers), flags=flags))
        self.send(*out)
        return stream

    def outcome(self, stream=1, seconds=5.0):
        """Waits until a stream has ended, one way or the other."""
        deadline = time.monotonic() + seconds
        while not self.is_over(stream) and time.monotonic() < deadline:
            self.read(deadline - time.monotonic())
        found = Outcome(self.outcomes.get(stream, {}))
        found.pop("over", None)
        found.update(goaway=self.goaway, closed=self.closed)
        return found

    def end(self, seconds=5.0):
        """Waits until the whole connection has ended."""
        deadline = time.monotonic() + seconds
        while not self.closed and self.goaway in (None, 0) and time.monotonic() < deadline:
            self.read(deadline - time.monotonic())
        return Outcome(goaway=self.goaway, closed=self.closed, stalled=self.stalled)

    def close(self):
        self.socket.close()

    def is_over(self, stream):
        told = self.goaway not in (None, 0)
        return self.closed or told or "over" in self.outcomes.get(stream, {})

    def read(self, seconds):
        """Reads what comes, at most for so long."""
        self.socket.settimeout(max(seconds, 0.01))
        try:
            data = self.socket.recv(1 << 16)
            self.closed = self.closed or not data
            self.received += data
        except (TimeoutError, socket.timeout):
            return
        except OSError:
            self.closed = True
        finally:
            self.socket.settimeout(5)
        while len(self.received) >= 9:
            one, length = frames.Frame.parse_frame_header(memoryview(self.received[:9]))
            if len(self.received) < 9 + length:
                return
            one.parse_body(memoryview(self.received[9 : 9 + length]))
            self.received = self.received[9 + length :]
            self.heard(one)

    def heard(self, one):
        outcome = self.outcomes.setdefault(one.stream_id, {"body": ""})
        if isinstance(one, frames.SettingsFrame) and "ACK" not in one.flags:
            if self.acknowledges:
                self.send(frames.SettingsFrame(flags=["ACK"]))
        elif isinstance(one, frames.GoAwayFrame):
            self.goaway = one.error_code
        elif isinstance(one, frames.RstStreamFrame):
            outcome["reset"], outcome["over"] = one.error_code, True
        elif isinstance(one, frames.HeadersFrame):
            fields = dict(self.decoder.decode(one.data))
            outcome.setdefault("status", int(fields.get(":status", 0)))
        elif isinstance(one, frames.DataFrame):
            outcome["body"] += one.data.decode("latin-1")
        if "END_STREAM" in one.flags:
            outcome["over"] = True
