"""An HTTP/2 connection on which a client can send any frame, valid or not."""

import socket
import ssl
import time

import hpack
from hyperframe import frame as frames

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# The host that the edge serves: `tests::edge::HOST`.
HOST = "clinic.example"

# Frame types and flags (RFC 9113, 6).
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 32


def frame(kind, flags, stream, payload):
    """A frame of any type, with any flags, stream identifier and payload."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


class Edge:
    """The port of the edge, and the file of the CA that verifies it."""

    port = 0
    authority = ""


def connect(protocol="h2", versions=(None, None)):
    """A TLS connection to the edge. None as the protocol: no ALPN."""
    context = ssl.create_default_context(cafile=Edge.authority)
    if protocol is not None:
        context.set_alpn_protocols([protocol])
    oldest, newest = versions
    if newest is not None:
        # OpenSSL has no cipher suite for TLS 1.1 at its default security level.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = oldest, newest
    tcp = socket.create_connection(("127.0.0.1", Edge.port), timeout=5)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(tcp, server_hostname=HOST)


class Wire:
    """The connection, after the client's preface and SETTINGS, unless they are to be sent otherwise."""

    def __init__(self, preface=PREFACE, settings=True, values=None, **tls):
        self.socket = None
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.received = b""
        self.is_http1 = False
        self.streams = {}
        self.goaway = None
        self.last_stream = None
        self.closed = False
        self.stalled = False
        self.acknowledges = True
        self.alert = None
        try:
            self.socket = connect(**tls)
        except (OSError, ValueError) as error:
            self.closed, self.alert = True, str(error)
        first = preface
        if settings:
            first += frames.SettingsFrame(settings=values or {}).serialize()
        self.raw(first)

    def raw(self, data):
        """Sends bytes. Bytes that the server does not accept any more are dropped."""
        if self.closed or self.stalled:
            return
        try:
            self.socket.sendall(data)
        except OSError:
            # The server does not read, or has closed: bytes that it sent before may still be read.
            self.stalled = True

    def send(self, *many):
        self.raw(b"".join(one.serialize() for one in many))

    def block(self, fields):
        """Fields as HPACK: none of them validated, none indexed."""
        coded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        return self.encoder.encode([hpack.NeverIndexedHeaderTuple(*field) for field in coded])

    def request(self, fields, stream=1, body=None, trailers=None, pieces=None):
        """Sends a request in one write: HEADERS, and DATA and trailers if there are any."""
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

    def open(self, fields, stream=1):
        """Sends a request's header section; its body is to follow."""
        self.raw(frame(HEADERS, END_HEADERS, stream, self.block(fields)))

    def until(self, is_over, seconds=5.0):
        """Reads until a condition holds, the connection is closed, or the time is over."""
        deadline = time.monotonic() + seconds
        while not self.closed and not is_over() and time.monotonic() < deadline:
            self.read(deadline - time.monotonic())

    def is_over(self, stream=1):
        """Whether a stream, or the connection, has ended."""
        return self.closed or self.failed or "ended" in self.streams.get(stream, {})

    @property
    def failed(self):
        """Whether the server reported a connection error."""
        return self.goaway not in (None, 0)

    def outcome(self, stream=1):
        """What the client has seen of a stream and of the connection."""
        seen = {name: value for name, value in self.streams.get(stream, {}).items() if name != "body"}
        seen.update(goaway=self.goaway, closed=self.closed, stalled=self.stalled)
        seen.update(last_stream=self.last_stream, alert=self.alert, is_http1=self.is_http1)
        return seen

    def close(self):
        if self.socket is not None:
            self.socket.close()

    def read(self, seconds):
        """Reads frames that arrive within a time."""
        self.socket.settimeout(max(seconds, 0.01))
        try:
            data = self.socket.recv(1 << 16)
            self.closed = self.closed or not data
            self.received += data
        except TimeoutError:
            return
        except OSError:
            self.closed = True
        finally:
            self.socket.settimeout(5)
        self.is_http1 = self.is_http1 or self.received.startswith(b"HTTP/1.1 ")
        while not self.is_http1 and len(self.received) >= 9:
            one, length = frames.Frame.parse_frame_header(memoryview(self.received[:9]))
            if len(self.received) < 9 + length:
                return
            one.parse_body(memoryview(self.received[9 : 9 + length]))
            self.received = self.received[9 + length :]
            self.on_frame(one)

    def on_frame(self, one):
        """Records a frame of the server."""
        stream = self.streams.setdefault(one.stream_id, {"body": ""})
        if isinstance(one, frames.SettingsFrame) and "ACK" not in one.flags:
            if self.acknowledges:
                self.send(frames.SettingsFrame(flags=["ACK"]))
        elif isinstance(one, frames.GoAwayFrame):
            self.goaway, self.last_stream = one.error_code, one.last_stream_id
        elif isinstance(one, frames.RstStreamFrame):
            stream["reset"], stream["ended"] = one.error_code, True
        elif isinstance(one, frames.HeadersFrame):
            fields = dict(self.decoder.decode(one.data))
            stream.setdefault("status", int(fields.get(":status", 0)))
        elif isinstance(one, frames.DataFrame):
            stream["body"] += one.data.decode("latin-1")
        if "END_STREAM" in one.flags:
            stream["ended"] = True
