"""Waits for the stack, signs in, writes a patient and reads it: `docker compose run --rm tests`."""
import base64
import hmac
import json
import os
import time

import pytest
import requests
from urllib3.util import Retry


def code(key):
    """The present code of an authenticator app (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(key), int(time.time() // 30).to_bytes(8, "big"), "sha1")
    offset = digest[-1] % 16
    number = int.from_bytes(digest[offset : offset + 4], "big") % 2**31
    return f"{number % 10**6:06}"


def sign_in(session, url, person):
    for _ in range(3):
        account = {"email": person["email"], "password": person["password"], "code": code(person["totp"])}
        response = session.post(f"{url}/api/v1/tokens", json=account)
        if response.status_code != 401:
            break
        # A code is accepted once: the next one is.
        time.sleep(30 - time.time() % 30)
    response.raise_for_status()
    return response.json()["token"]


@pytest.fixture(scope="session")
def fhir():
    session, url = requests.Session(), os.environ["STACK_URL"]
    session.verify = os.environ["STACK_CA"]
    retries = Retry(60, backoff_factor=0.1, backoff_max=1, status_forcelist=[502, 503])
    session.mount(url, requests.adapters.HTTPAdapter(max_retries=retries))
    session.get(f"{url}/readyz").raise_for_status()
    sign_ins = json.load(open(os.environ["STACK_SIGN_INS"]))
    person = next(p for p in sign_ins["organizations"][0]["people"] if p["role"] == "clinician")
    session.headers["Authorization"] = f"Bearer {sign_in(session, url, person)}"
    return lambda method, path="", **more: session.request(method, f"{url}/fhir{path}", **more).json()


def test_a_patient_is_written_and_read(fhir):
    patient = {"resourceType": "Patient", "name": [{"family": "Example"}]}
    entry = {"resource": patient, "request": {"method": "POST", "url": "Patient"}}
    written = fhir("POST", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    path = written["entry"][0]["response"]["location"].split("/_history")[0]
    assert fhir("GET", f"/{path}")["name"] == patient["name"]
