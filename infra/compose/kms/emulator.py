"""An emulator of AWS KMS for development: moto over HTTPS, with two keys that survive a restart.

moto stores keys in memory only. This program stores the two keys of the stack in a file, so that
data sealed under them can be opened after a restart. Keys created through the API are lost then.
It has no access control, no key states and no HSM.
"""

import argparse
import base64
import json
import os
import pathlib
import secrets
import uuid

from moto import server
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import Key, kms_backends

# Variable that holds the key's id -> what the key may be used for.
KEYS = {
    "KMS_KEY_ID": ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"),
    "KMS_MAC_KEY_ID": ("GENERATE_VERIFY_MAC", "HMAC_256"),
}


def load_or_create(path: pathlib.Path) -> dict[str, str]:
    """The key material by key id (Base64), created at the first start."""
    materials = json.loads(path.read_text()) if path.exists() else {}
    missing = [os.environ[name] for name in KEYS if os.environ[name] not in materials]
    if missing:
        for key_id in missing:
            uuid.UUID(key_id)
            materials[key_id] = base64.b64encode(secrets.token_bytes(32)).decode()
        aside = path.with_suffix(".new")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(materials, file)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    return materials


def install(materials: dict[str, str], region: str) -> None:
    """Adds the keys to moto's backend."""
    backend = kms_backends[DEFAULT_ACCOUNT_ID][region]
    for name, (usage, spec) in KEYS.items():
        key = Key(None, usage, spec, name, DEFAULT_ACCOUNT_ID, region)
        key.id = os.environ[name]
        key.arn = f"arn:aws:kms:{region}:{DEFAULT_ACCOUNT_ID}:key/{key.id}"
        key.key_material = base64.b64decode(materials[key.id])
        backend.keys[key.id] = key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default="4566")
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--keys", required=True, type=pathlib.Path, help="the file of the key material")
    given = parser.parse_args()
    install(load_or_create(given.keys), os.environ["AWS_REGION"])
    server.main(["-H", given.host, "-p", given.port, "-c", given.certificate, "-k", given.key])


if __name__ == "__main__":
    main()
