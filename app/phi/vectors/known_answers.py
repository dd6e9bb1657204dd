"""Makes known_answers.json by the README of the crate `phi` alone: an independent program.

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


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def derive(key: bytes, *info: bytes) -> bytes:
    return mac(key, *info, b"\x01")


def xaes(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    mask = int.from_bytes(block.update(bytes(16)), "big") << 1
    mask = (mask ^ 0x87 if mask >> 128 else mask) & ((1 << 128) - 1)
    derived = b""
    for counter in (1, 2):
        message = bytes([0, counter, ord("X"), 0]) + nonce[:12]
        derived += block.update((int.from_bytes(message, "big") ^ mask).to_bytes(16, "big"))
    return AESGCM(derived).encrypt(nonce[12:], plaintext, aad)


def id16(number: int) -> bytes:
    return uuid.UUID(int=number, version=4).bytes


def text(id: bytes) -> str:
    return str(uuid.UUID(bytes=id))


def multiple(length: int, step: int) -> int:
    return -(-length // step) * step


def padme(length: int) -> int:
    exponent = length.bit_length() - 1
    low = exponent - exponent.bit_length()
    return -(-length >> low) << low if low > 0 else length


def padded(kind: int, value: bytes, bucket) -> bytes:
    plain = bytes([kind]) + value + b"\x80"
    return plain.ljust(bucket(len(plain)), b"\x00")


def seal(suite, key, key_id, organization, owner, column, row, nonce, plain) -> bytes:
    header = bytes([0xE1, suite]) + key_id
    subkey = derive(key, b"phi-column/1", bytes([suite]), struct.pack(">H", column))
    aad = b"phi-aad/1" + header + organization + owner + struct.pack(">H", column) + row
    cipher = xaes if suite == 2 else lambda k, n, p, a: AESGCM(k).encrypt(n, p, a)
    return header + nonce + cipher(subkey, nonce, plain, aad)


def field(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + struct.pack(">Q", len(value)) + value


def number(value: int) -> bytes:
    return field(3, struct.pack(">Q", value))


def wrap(wrapping: bytes, nonce: bytes, aad: bytes, key: bytes) -> bytes:
    return nonce + xaes(derive(wrapping, b"phi-wrap/1", b"\x02"), nonce, key, aad)


ORGANIZATION, PATIENT, ROW, NOW = id16(0xA1), id16(0xB2), id16(0xC3), 1_700_000_000_123_456
ROOT_ID, BRANCH_ID, SEAL_ID, INDEX_ID = id16(0xD1), id16(0xD2), id16(0xD3), id16(0xD4)
AUTHORIZATION_ID = id16(0xD5)
ROOT, BRANCH, SEAL, INDEX, AUTHORIZATION, MAC = (bytes([n]) * 32 for n in range(1, 7))
NONCE = bytes(range(24))


def key_row(key, id, owner, kind, purpose) -> dict:
    """A row of `keys`, wrapped, committed to and authenticated."""
    is_branch = purpose == 1
    if is_branch:
        aad = b"phi-root-aad/1" + ORGANIZATION + id + struct.pack(">I", 1) + b"\x01"
        wrapped = wrap(ROOT, NONCE, aad, key)
    else:
        aad = b"phi-wrap-aad/1" + ORGANIZATION + bytes([kind]) + owner + bytes([purpose]) + id
        aad += struct.pack(">I", 1) + BRANCH_ID + struct.pack(">I", 1)
        wrapped = wrap(BRANCH, NONCE, aad, key)
    commitment = derive(key, b"phi-commit/1", id)
    encoding = field(2, b"keys") + field(4, id) + field(4, ORGANIZATION) + field(1, owner)
    encoding += number(kind) + number(purpose) + number(1)
    encoding += field(2, text(ROOT_ID).encode()) if is_branch else field(0, b"")
    encoding += field(0, b"") if is_branch else field(4, BRANCH_ID)
    encoding += field(0, b"") if is_branch else number(1)
    encoding += number(1 if is_branch else 0) + field(1, wrapped) + field(1, commitment)
    encoding += number(1) + field(5, NOW.to_bytes(16, "big", signed=True))
    return {
        "id": text(id),
        "owner": owner.hex(),
        "owner_kind": kind,
        "purpose": purpose,
        "wrapped": wrapped.hex(),
        "commitment": commitment.hex(),
        "mac": mac(derive(key, b"phi-key-row/1", id), encoding).hex(),
    }


def index(label: bytes, column: int, value: bytes) -> bytes:
    place = ORGANIZATION + struct.pack(">HH", column, 1)
    return mac(derive(INDEX, label), place, value)


def sealed(suite: int, owner: bytes, column: int, plain: bytes) -> str:
    nonce = NONCE[:12] if suite == 1 else NONCE
    return seal(suite, SEAL, SEAL_ID, ORGANIZATION, owner, column, ROW, nonce, plain).hex()


def labelled(subkey: bytes, label: bytes, message: bytes) -> str:
    key = derive(AUTHORIZATION, subkey)
    return mac(key, ORGANIZATION, struct.pack(">Q", len(label)), label, message).hex()


access_row = field(2, b"people") + field(2, b"ada") + field(0, b"") + number(7)
access_row += field(4, ROW) + field(1, b"\x01\x02") + field(6, b"\x01")
access_row += field(5, NOW.to_bytes(16, "big", signed=True))
ssn = index(b"phi-index-outer/1", 15, mac(MAC, index(b"phi-index-inner/1", 15, b"999123456")))

print(
    json.dumps(
        {
            "organization": text(ORGANIZATION),
            "patient": text(PATIENT),
            "row": text(ROW),
            "created_at_microseconds": NOW,
            "root": text(ROOT_ID),
            "root_key": ROOT.hex(),
            "mac_key": MAC.hex(),
            "branch": text(BRANCH_ID),
            "seal_key": text(SEAL_ID),
            "keys": [
                key_row(BRANCH, BRANCH_ID, ORGANIZATION, 2, 1),
                key_row(SEAL, SEAL_ID, PATIENT, 1, 2),
                key_row(INDEX, INDEX_ID, ORGANIZATION, 2, 3),
                key_row(AUTHORIZATION, AUTHORIZATION_ID, ORGANIZATION, 2, 4),
            ],
            "family_ada": sealed(1, PATIENT, 10, padded(1, b"Ada", lambda n: multiple(n, 32))),
            "family_absent": sealed(1, PATIENT, 10, padded(0, b"", lambda n: multiple(n, 32))),
            "body_of_1000_sevens": sealed(1, PATIENT, 30, padded(2, b"\x07" * 1000, padme)),
            "people_name_ada": sealed(2, ORGANIZATION, 2, padded(1, b"Ada", lambda n: multiple(n, 64))),
            "email_index_ada_at_example": index(b"phi-index/1", 1, b"ada@example.org")[:16].hex(),
            "mrn_index_mrn_7a": index(b"phi-index/1", 14, b"MRN-7A")[:16].hex(),
            "ssn_index_999123456": ssn[:16].hex(),
            "access_row_digest": hashlib.sha256(access_row).hexdigest(),
            "access_row_mac": mac(
                derive(AUTHORIZATION, b"phi-access-row/1"), ORGANIZATION, access_row
            ).hex(),
            "session_token_hash_of_x": labelled(b"phi-token/1", b"session", b"x"),
            "audit_message_mac_of_x": labelled(b"phi-message/1", b"audit", b"x"),
        },
        indent=1,
    )
)
