"""The sections that demand an error of a server, in the order of the RFCs, and the sections that do not.

A section with a title alone needs a case. A reason states why no case is possible.
"""

NONE = "defines no error"
CLIENT = "binds clients"
NO_TLS12 = "TLS 1.2 is not enabled, and rustls has neither compression, renegotiation nor a prohibited cipher suite"

RFC9113 = [
    ("3.1", "HTTP/2 Version Identification", NONE),
    ("3.2", "Starting HTTP/2 for \"https\" URIs"),
    ("3.3", "Starting HTTP/2 with Prior Knowledge"),
    ("3.4", "HTTP/2 Connection Preface"),
    ("4.1", "Frame Format", "demands that a server ignores unknown types, flags and the reserved bit"),
    ("4.2", "Frame Size"),
    ("4.3", "Field Section Compression and Decompression"),
    ("4.3.1", "Compression State", "the server never lowers SETTINGS_HEADER_TABLE_SIZE"),
    ("5.1", "Stream States"),
    ("5.1.1", "Stream Identifiers"),
    ("5.1.2", "Stream Concurrency"),
    ("5.2", "Flow Control", NONE),
    ("5.2.1", "Flow-Control Principles", NONE),
    ("5.2.2", "Appropriate Use of Flow Control", NONE),
    ("5.2.3", "Flow-Control Performance", NONE),
    ("5.3", "Prioritization", NONE),
    ("5.3.1", "Background on Priority in RFC 7540", NONE),
    ("5.3.2", "Priority Signaling in This Document", NONE),
    ("5.4", "Error Handling", "allows generic codes: see `expected.py`, which each case applies"),
    ("5.4.1", "Connection Error Handling"),
    ("5.4.2", "Stream Error Handling"),
    ("5.4.3", "Connection Termination", NONE),
    ("5.5", "Extending HTTP/2"),
    ("6.1", "DATA"),
    ("6.2", "HEADERS"),
    ("6.3", "PRIORITY"),
    ("6.4", "RST_STREAM"),
    ("6.5", "SETTINGS"),
    ("6.5.1", "SETTINGS Format", NONE),
    ("6.5.2", "Defined Settings"),
    ("6.5.3", "Settings Synchronization", "SETTINGS_TIMEOUT is optional, and the server does not use it"),
    ("6.6", "PUSH_PROMISE"),
    ("6.7", "PING"),
    ("6.8", "GOAWAY"),
    ("6.9", "WINDOW_UPDATE"),
    ("6.9.1", "The Flow-Control Window"),
    ("6.9.2", "Initial Flow-Control Window Size"),
    ("6.9.3", "Reducing the Stream Window Size", "the server never lowers SETTINGS_INITIAL_WINDOW_SIZE"),
    ("6.10", "CONTINUATION"),
    ("7", "Error Codes", "demands that unknown error codes have no effect"),
    ("8.1", "HTTP Message Framing"),
    ("8.1.1", "Malformed Messages"),
    ("8.2", "HTTP Fields", "its one rule, lower-case names, is an error by 8.2.1"),
    ("8.2.1", "Field Validity"),
    ("8.2.2", "Connection-Specific Header Fields"),
    ("8.2.3", "Compressing the Cookie Header Field", NONE),
    ("8.3", "HTTP Control Data"),
    ("8.3.1", "Request Pseudo-Header Fields"),
    ("8.3.2", "Response Pseudo-Header Fields", CLIENT),
    ("8.4", "Server Push"),
    ("8.4.1", "Push Requests", CLIENT),
    ("8.4.2", "Push Responses", CLIENT),
    ("8.5", "The CONNECT Method"),
    ("8.6", "The Upgrade Header Field", "Upgrade is malformed by 8.2.2"),
    ("8.7", "Request Reliability", "forbids REFUSED_STREAM for processed requests: see 5.1.2"),
    ("9.1", "Connection Management", NONE),
    ("9.1.1", "Connection Reuse", "421 is that of RFC 9110, 15.5.20"),
    ("9.2", "Use of TLS Features"),
    ("9.2.1", "TLS 1.2 Features", NO_TLS12),
    ("9.2.2", "TLS 1.2 Cipher Suites", NO_TLS12),
    ("9.2.3", "TLS 1.3 Features", CLIENT),
    ("10.1", "Server Authority", CLIENT),
    ("10.2", "Cross-Protocol Attacks", "the preface after ALPN is what prevents them: 3.2 to 3.4"),
    ("10.3", "Intermediary Encapsulation Attacks", "refers to the grammar: RFC 9110, 5, and RFC 9112, 3"),
    ("10.4", "Cacheability of Pushed Responses", CLIENT),
    ("10.5", "Denial-of-Service Considerations"),
    ("10.5.1", "Limits on Field Block Size"),
    ("10.5.2", "CONNECT Issues", "CONNECT is refused: 8.5"),
    ("10.6", "Use of Compression", NONE),
    ("10.7", "Use of Padding", NONE),
    ("10.8", "Privacy Considerations", NONE),
    ("10.9", "Remote Timing Attacks", NONE),
]

# The sections that bind a decoder, or could.
RFC7541 = [
    ("2.1", "Header List Ordering", NONE),
    ("2.3.1", "Static Table", NONE),
    ("2.3.2", "Dynamic Table", "demands that duplicate entries are no error"),
    ("2.3.3", "Index Address Space"),
    ("3.1", "Header Block Processing", NONE),
    ("3.2", "Header Field Representation Processing", NONE),
    ("4.1", "Calculating Table Size", NONE),
    ("4.2", "Maximum Table Size"),
    ("4.3", "Entry Eviction When Dynamic Table Size Changes"),
    ("4.4", "Entry Eviction When Adding New Entries"),
    ("5.1", "Integer Representation"),
    ("5.2", "String Literal Representation"),
    ("6.1", "Indexed Header Field Representation"),
    ("6.2.1", "Literal Header Field with Incremental Indexing", NONE),
    ("6.2.2", "Literal Header Field without Indexing", NONE),
    ("6.2.3", "Literal Header Field Never Indexed", NONE),
    ("6.3", "Dynamic Table Size Update"),
    ("7.1", "Probing Dynamic Table State", NONE),
    ("7.2", "Static Huffman Encoding", NONE),
    ("7.3", "Memory Consumption", "the limit of the table is 6.3; of field blocks, RFC 9113, 10.5.1"),
    ("7.4", "Implementation Limits", "of integers, 5.1; of field blocks, RFC 9113, 10.5.1"),
]

# The sections that RFC 9113 refers to from 8.1 to 8.5 and 10.3, and those of the requests that the edge refuses.
RFC9110 = [
    ("4.1", "URI References", NONE),
    ("5.1", "Field Names"),
    ("5.2", "Field Lines and Combined Field Value", NONE),
    ("5.5", "Field Values"),
    ("6.2", "Control Data", "its parts are RFC 9113, 8.3.1"),
    ("6.3", "Header Fields", NONE),
    ("6.4", "Content"),
    ("6.4.1", "Content Semantics", "of responses"),
    ("6.5", "Trailer Fields", "allows that trailer fields are dropped"),
    ("7.1", "Determining the Target Resource"),
    ("7.2", "Host and :authority"),
    ("7.6.1", "Connection", "connection-specific fields are malformed by RFC 9113, 8.2.2"),
    ("9.1", "Overview"),
    ("9.2.1", "Safe Methods", "of pushed requests"),
    ("9.2.2", "Idempotent Methods", NONE),
    ("9.2.3", "Methods and Caching", "of pushed requests"),
    ("9.3.6", "CONNECT", "RFC 9113, 8.5"),
    ("10.1.1", "Expect"),
    ("11.6.2", "Authorization"),
    ("15.2.2", "101 Switching Protocols", "Upgrade is malformed by RFC 9113, 8.2.2"),
    ("15.5", "Client Error 4xx"),
    ("15.5.1", "400 Bad Request", "the status that stands in place of a reset: see `expected.py`"),
    ("15.5.14", "413 Content Too Large"),
    ("15.5.20", "421 Misdirected Request"),
]

RFC9112 = [
    ("3", "Request Line"),
    ("3.2", "Request Target"),
    ("3.2.3", "authority-form", "RFC 9113, 8.5"),
    ("3.3", "Reconstructing the Target URI"),
    ("7.1", "Chunked Transfer Coding"),
]

SECTIONS = {9113: RFC9113, 7541: RFC7541, 9110: RFC9110, 9112: RFC9112}


def complaints(cases):
    """Defects of the lists: sections without a case, and cases without a section."""
    for rfc, sections in SECTIONS.items():
        order = [section for section, *_ in sections]
        of_rfc = [case for case in cases if case.rfc == rfc]
        for section, title, *reason in sections:
            errors = [case for case in of_rfc if case.section == section and case.is_error()]
            if not errors and not reason:
                yield f"RFC {rfc}, {section} {title}: no case"
        for case in of_rfc:
            if case.section not in order:
                yield f"RFC {rfc}, {case.section} is not in the list: {case.name}"
    names = [case.title() for case in cases]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two cases of one name: {name}"


def misplaced(cases):
    """Cases of one table that do not follow the order of their RFC."""
    order = {(rfc, section): at for rfc, sections in SECTIONS.items() for at, (section, *_) in enumerate(sections)}
    places = [(case, order.get((case.rfc, case.section))) for case in cases]
    for (last, before), (case, at) in zip(places, places[1:]):
        if case.rfc == last.rfc and None not in (at, before) and at < before:
            yield f"not in the order of the RFC: {case.title()}"


def lines(cases):
    """All sections with their cases, as a table."""
    for rfc, sections in SECTIONS.items():
        yield f"RFC {rfc}"
        for section, title, *reason in sections:
            yield f"  {section} {title}" + "".join(f": {text}" for text in reason)
            for case in cases:
                if (case.rfc, case.section) == (rfc, section):
                    yield f"    {case.name[:70]:72}{case.expected}" + (f"; seen: {case.seen}" if case.seen else "")
