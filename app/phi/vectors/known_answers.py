"""Makes known_answers.json from the README of the crate `phi` alone: an independent program.

    pip install cryptography && python3 known_answers.py > known_answers.json

Keys and nonces are fixed here, which only a vector may do.
"""

import hashlib
import hmac
import json
import struct
import uuid

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# Numbers, ids and primitives


def u16(number: int) -> bytes:
    return struct.pack(">H", number)


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def id16(number: int) -> bytes:
    return uuid.UUID(int=number, version=4).bytes


def text(id: bytes) -> str:
    return str(uuid.UUID(bytes=id))


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def derive(key: bytes, *info: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, b"".join(info)).derive(key)


def gcm(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def xaes(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    mask = int.from_bytes(block.update(bytes(16)), "big") << 1
    mask = (mask ^ 0x87 if mask >> 128 else mask) & ((1 << 128) - 1)
    derived = b""
    for counter in (1, 2):
        message = bytes([0, counter, ord("X"), 0]) + nonce[:12]
        derived += block.update((int.from_bytes(message, "big") ^ mask).to_bytes(16, "big"))
    return gcm(derived, nonce[12:], plaintext, aad)


ORGANIZATION, PATIENT, ROW, NOW = id16(0xA1), id16(0xB2), id16(0xC3), 1_700_000_000_123_456
ROOT_ID, BRANCH_ID, PATIENT_KEY_ID = id16(0xD1), id16(0xD2), id16(0xD3)
INDEX_ID, AUTHORIZATION_ID, ORGANIZATION_KEY_ID = id16(0xD4), id16(0xD5), id16(0xD6)
ROOT, BRANCH, PATIENT_KEY, INDEX, AUTHORIZATION, SERVICE_MAC, ORGANIZATION_KEY = (
    bytes([n]) * 32 for n in range(1, 8)
)
NONCE = bytes(range(24))
PATIENT_OWNER = bytes([1]) + PATIENT
ORGANIZATION_OWNER = bytes([2]) + ORGANIZATION
TOKEN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

# Sealed field


def multiple(step: int):
    return lambda length: -(-length // step) * step


def padme(length: int) -> int:
    exponent = length.bit_length() - 1
    low = exponent - exponent.bit_length()
    return -(-length >> low) << low if low > 0 else length


def sealed(suite: int, key_id: bytes, key: bytes, owner: bytes, column: int, plain: bytes) -> str:
    header = bytes([0xE1, suite]) + key_id
    subkey = derive(key, b"phi-column/1", bytes([suite]), u16(column))
    aad = b"phi-aad/2" + header + ORGANIZATION + owner + u16(column) + ROW
    nonce, cipher = (NONCE[:12], gcm) if suite == 1 else (NONCE, xaes)
    return (header + nonce + cipher(subkey, nonce, plain, aad)).hex()


def padded(kind: int, value: bytes, bucket) -> bytes:
    plain = bytes([kind]) + value + b"\x80"
    return plain.ljust(bucket(len(plain)), b"\x00")


def of_patient(column: int, plain: bytes) -> str:
    return sealed(1, PATIENT_KEY_ID, PATIENT_KEY, PATIENT_OWNER, column, plain)


def of_organization(column: int, plain: bytes) -> str:
    return sealed(2, ORGANIZATION_KEY_ID, ORGANIZATION_KEY, ORGANIZATION_OWNER, column, plain)


# Rows: a column is (tag, type, bytes, volatile); one without a value is no column

BYTES, TEXT, NUMBER, UUID, TIME, BOOL = range(1, 7)


def column(tag: int, kind: int, value, volatile: bool = False):
    encode = {
        NUMBER: lambda: struct.pack(">Q", value),
        TEXT: lambda: value.encode(),
        TIME: lambda: struct.pack(">q", value),
        BOOL: lambda: bytes([value]),
    }
    return (tag, kind, encode.get(kind, lambda: value)(), volatile)


def encoding(columns, with_volatile: bool) -> bytes:
    columns = sorted(column for column in columns if with_volatile or not column[3])
    return b"".join(
        u16(tag) + bytes([kind]) + u32(len(value)) + value for tag, kind, value, _ in columns
    )


def row_mac(subkey: bytes, key_id: bytes, table: int, columns) -> str:
    start = b"row/2" + ORGANIZATION + key_id + u16(table)
    return mac(subkey, start, encoding(columns, True)).hex()


def row_digest(table: int, columns) -> bytes:
    return sha256(b"digest/2", ORGANIZATION, u16(table), encoding(columns, False))


# Wrapped keys


def wrap(wrapping: bytes, aad: bytes, key: bytes) -> bytes:
    return NONCE + xaes(derive(wrapping, b"phi-wrap/1", b"\x02"), NONCE, key, aad)


def key_row(key: bytes, id: bytes, owner: bytes, purpose: int) -> dict:
    """A row of `keys`, wrapped, committed to and authenticated."""
    version, branch_version, current = 1, 1, 1
    if purpose == 1:
        aad = b"phi-root-aad/1" + ORGANIZATION + id + u32(version) + b"\x01"
        wrapped, provider = wrap(ROOT, aad, key), 1
        wrapper = [column(7, TEXT, text(ROOT_ID), True)]
    else:
        aad = b"phi-wrap-aad/1" + ORGANIZATION + owner + bytes([purpose]) + id + u32(version)
        wrapped, provider = wrap(BRANCH, aad + BRANCH_ID + u32(branch_version), key), 0
        wrapper = [column(8, UUID, BRANCH_ID, True), column(9, NUMBER, branch_version, True)]
    commitment = derive(key, b"phi-commit/1", id)
    columns = wrapper + [
        column(1, UUID, id),
        column(2, UUID, ORGANIZATION),
        column(3, NUMBER, owner[0]),
        column(4, BYTES, owner[1:]),
        column(5, NUMBER, purpose),
        column(6, NUMBER, version),
        column(10, NUMBER, provider, True),
        column(11, BYTES, wrapped, True),
        column(12, BYTES, commitment),
        column(13, NUMBER, current),
        column(14, TIME, NOW),
    ]
    return {
        "id": text(id),
        "owner": owner[1:].hex(),
        "owner_kind": owner[0],
        "purpose": purpose,
        "wrapped": wrapped.hex(),
        "commitment": commitment.hex(),
        "mac": row_mac(derive(key, b"phi-key-row/2", id), id, 2, columns),
        "digest": row_digest(2, columns).hex(),
    }


# Blind index

IDENTIFIER, IDENTIFIER_VALUE, PHONE = 2, 3, 4


def lengthed(value: bytes) -> bytes:
    return u32(len(value)) + value


def index_message(parameter: int, system, value: bytes) -> bytes:
    system = b"\x00" if system is None else b"\x01" + lengthed(system)
    return ORGANIZATION + u16(parameter) + u16(1) + system + lengthed(value)


def token(parameter: int, system, value: bytes) -> str:
    subkey = derive(INDEX, b"phi-index/2")
    return mac(subkey, index_message(parameter, system, value))[:16].hex()


def service_token(parameter: int, system, value: bytes) -> str:
    a = mac(derive(INDEX, b"phi-index-inner/2"), index_message(parameter, system, value))
    b = mac(SERVICE_MAC, a)
    outer = derive(INDEX, b"phi-index-outer/2")
    return mac(outer, ORGANIZATION, u16(parameter), u16(1), b)[:16].hex()


# Heads


def heads(key: bytes, current) -> bytes:
    sums = {}
    for kind, id, version, digest in current:
        message = lengthed(kind) + id + u32(version) + digest
        summand = int.from_bytes(mac(derive(key, b"phi-heads/1"), message), "big")
        count, total = sums.get(kind, (0, 0))
        sums[kind] = (count + 1, (total + summand) % (1 << 256))
    return b"".join(
        bytes([len(kind)]) + kind + u32(count) + total.to_bytes(32, "big")
        for kind, (count, total) in sorted(sums.items())
    )


# Column 2 has no value; column 8 is volatile.
access_row = [
    column(1, TEXT, "ada"),
    column(3, NUMBER, 7),
    column(4, UUID, ROW),
    column(5, BYTES, b"\x01\x02"),
    column(6, BOOL, True),
    column(7, TIME, NOW),
    column(8, NUMBER, 9, True),
    column(300, TIME, -1),
]
current_heads = [
    (b"Observation", id16(1), 1, bytes([1]) * 32),
    (b"Observation", id16(2), 3, bytes([2]) * 32),
    (b"Observation", id16(3), 1, bytes([3]) * 32),
    (b"Condition", id16(4), 2, bytes([4]) * 32),
]
message_key = derive(AUTHORIZATION, b"phi-message/2")
pseudonym_key = derive(ORGANIZATION_KEY, b"phi-pseudonym/1", b"address")

print(
    json.dumps(
        {
            "organization": text(ORGANIZATION),
            "patient": text(PATIENT),
            "row": text(ROW),
            "created_at_microseconds": NOW,
            "root": text(ROOT_ID),
            "root_key": ROOT.hex(),
            "service_mac_key": SERVICE_MAC.hex(),
            "branch": text(BRANCH_ID),
            "index": text(INDEX_ID),
            "authorization": text(AUTHORIZATION_ID),
            "keys": [
                key_row(BRANCH, BRANCH_ID, ORGANIZATION_OWNER, 1),
                key_row(PATIENT_KEY, PATIENT_KEY_ID, PATIENT_OWNER, 2),
                key_row(ORGANIZATION_KEY, ORGANIZATION_KEY_ID, ORGANIZATION_OWNER, 2),
                key_row(INDEX, INDEX_ID, ORGANIZATION_OWNER, 3),
                key_row(AUTHORIZATION, AUTHORIZATION_ID, ORGANIZATION_OWNER, 4),
            ],
            "family_ada": of_patient(10, padded(1, b"Ada", multiple(32))),
            "family_absent": of_patient(10, padded(0, b"", multiple(32))),
            "body_of_1000_sevens": of_patient(30, padded(2, b"\x07" * 1000, padme)),
            "person_name_ada": of_organization(2, padded(1, b"Ada", multiple(64))),
            "access_row_mac": row_mac(
                derive(AUTHORIZATION, b"phi-row/2"), AUTHORIZATION_ID, 4, access_row
            ),
            "access_row_digest": row_digest(4, access_row).hex(),
            "audit_message_mac_of_x": mac(
                message_key, ORGANIZATION, lengthed(b"audit"), b"x"
            ).hex(),
            "token": TOKEN,
            "session_token_hash": sha256(
                b"phi-token/2", lengthed(b"session"), TOKEN.encode()
            ).hex(),
            "pseudonym_of_192_0_2_1": mac(pseudonym_key, ORGANIZATION, b"192.0.2.1")[:16].hex(),
            "sign_in_email_ada_at_example": token(1, None, b"ada@example.org"),
            "email_ada_at_example": token(5, None, b"ada@example.org"),
            "identifier_with_system": token(IDENTIFIER, b"urn:Example", b"MRN-7A"),
            "identifier_without_system": token(IDENTIFIER, None, b"MRN-7A"),
            "identifier_value": token(IDENTIFIER_VALUE, None, b"MRN-7A"),
            "phone": token(PHONE, None, b"16175550100"),
            "social_security_number": service_token(IDENTIFIER, b"urn:ssn", b"999123456"),
            "heads": heads(PATIENT_KEY, current_heads).hex(),
        },
        indent=1,
    )
)
