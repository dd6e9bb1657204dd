"""RFC 7541, HPACK. A decoding error is a connection error of type COMPRESSION_ERROR (RFC 9113, 4.3)."""

from case import GET, PAGE, at_most, table
from connection_cases import WHOLE
from expected import connection, served
from wire import HEADERS, frame

ERROR = connection("COMPRESSION_ERROR")


def alone(block):
    """A field block of these octets."""
    return frame(HEADERS, WHOLE, 1, block)


def behind_a_page(block):
    """The same behind the fields of a request that would be served."""
    return lambda wire: wire.raw(frame(HEADERS, WHOLE, 1, wire.block(PAGE) + block))


def before_a_page(block):
    """The same before the fields of a request that would be served."""
    return lambda wire: wire.raw(frame(HEADERS, WHOLE, 1, block + wire.block(PAGE)))


def stored(value):
    """A field that enters the dynamic table, where it has the index 62."""
    length = bytes([len(value)]) if len(value) < 127 else b"\x7f" + integer(len(value) - 127)
    return b"\x40\x03x-a" + length + value


def integer(value):
    """The octets of an integer that follow its prefix (RFC 7541, 5.1)."""
    octets = b""
    while value >= 128:
        octets += bytes([value % 128 + 128])
        value //= 128
    return octets + bytes([value])


# A value that does not fit the dynamic table of 4,096 octets.
TOO_LARGE = stored(b"a" * 4100)

# Section, the field block, the error that the section demands, and what the origin receives.
ROWS = [
    ("2.3.2", "a field twice in the table, which is allowed", behind_a_page(stored(b"1") * 2 + b"\xbe\xbf"), served(),
     GET),
    ("2.3.3", "an index beyond both tables", alone(b"\xfe"), ERROR),
    ("2.3.3", "the first index beyond both tables", behind_a_page(b"\xbe"), ERROR),
    ("2.3.3", "a name whose index is beyond both tables", behind_a_page(b"\x7e\x011"), ERROR),
    ("2.3.3", "a name that is never indexed, and its index beyond both tables", behind_a_page(b"\x1f\x2f\x011"), ERROR),
    ("4.2", "a change of the table's size behind a field", alone(b"\x82\x20"), ERROR),
    ("4.2", "a change of the table's size at the end", behind_a_page(b"\x20"), ERROR),
    ("4.2", "two changes of the table's size at the beginning, which are allowed", before_a_page(b"\x20\x3f\xe1\x1f"),
     served(), GET),
    ("4.3", "an index that a change of the table's size has evicted", lambda wire: wire.raw(
        frame(HEADERS, WHOLE, 1, wire.block(PAGE) + stored(b"1"))
        + frame(HEADERS, WHOLE, 3, b"\x20" + wire.block(PAGE) + b"\xbe")), ERROR, at_most(1)),
    ("4.4", "a field larger than the table, which is allowed", behind_a_page(TOO_LARGE), served(), GET),
    ("4.4", "an index that a field larger than the table has evicted", behind_a_page(TOO_LARGE + b"\xbe"), ERROR),
    ("5.1", "an integer without an end", alone(b"\xff" * 12 + b"\x01"), ERROR),
    ("5.1", "an integer of 13 octets of zero", behind_a_page(b"\xff" + b"\x80" * 12 + b"\x00"), ERROR),
    ("5.1", "an integer above 2^32", behind_a_page(b"\xff" + integer(1 << 32)), ERROR),
    ("5.1", "the length of a string above 2^32", behind_a_page(b"\x00\x7f" + integer(1 << 32) + b"x\x011"), ERROR),
    ("5.1", "an integer that breaks off", behind_a_page(b"\xff\x80"), ERROR),
    ("5.2", "a string that breaks off", alone(b"\x00\x05ab"), ERROR),
    ("5.2", "a value that breaks off", behind_a_page(b"\x00\x01x\x05ab"), ERROR),
    ("5.2", "no value", behind_a_page(b"\x00\x01x"), ERROR),
    ("5.2", "Huffman: wrong codes", alone(b"\x00\x81\x00\x81\xff"), ERROR),
    ("5.2", "Huffman: padding of 11 bits", behind_a_page(b"\x00\x01x\x82\x1f\xff"), ERROR),
    ("5.2", "Huffman: padding of 8 bits alone", behind_a_page(b"\x00\x01x\x81\xff"), ERROR),
    ("5.2", "Huffman: padding of zeros", behind_a_page(b"\x00\x01x\x81\x18"), ERROR),
    ("5.2", "Huffman: EOS", behind_a_page(b"\x00\x01x\x84\xff\xff\xff\xff"), ERROR),
    ("5.2", "Huffman: EOS in a name", behind_a_page(b"\x00\x84\xff\xff\xff\xff\x011"), ERROR),
    ("6.1", "the index 0", alone(b"\x80"), ERROR),
    ("6.1", "the index 0 behind a page", behind_a_page(b"\x80"), ERROR),
    ("6.3", "a table above the limit", alone(b"\x3f\xe1\xff\x7f\x82"), ERROR),
    ("6.3", "a table of one octet above the limit", before_a_page(b"\x3f\xe2\x1f"), ERROR),
]

CASES = table(7541, ROWS)
