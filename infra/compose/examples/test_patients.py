"""Waits for the stack, signs in, writes a patient and reads it: `docker compose run --rm tests`."""
import json
import os

import pytest
import requests
from urllib3.util import Retry


@pytest.fixture(scope="session")
def fhir():
    session, url = requests.Session(), os.environ["STACK_URL"]
    session.verify = os.environ["STACK_CA"]
    retries = Retry(60, backoff_factor=0.1, backoff_max=1, status_forcelist=[502, 503])
    session.mount(url, requests.adapters.HTTPAdapter(max_retries=retries))
    session.get(f"{url}/readyz").raise_for_status()
    sign_ins = json.load(open(os.environ["STACK_SIGN_INS"]))
    person = next(p for p in sign_ins["organizations"][0]["people"] if p["role"] == "clinician")
    account = {"email": person["email"], "password": person["password"]}
    token = session.post(f"{url}/api/v1/tokens", json=account).json()["token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return lambda method, path="", **more: session.request(method, f"{url}/fhir{path}", **more).json()


def test_a_patient_is_written_and_read(fhir):
    patient = {"resourceType": "Patient", "name": [{"family": "Example"}]}
    entry = {"resource": patient, "request": {"method": "POST", "url": "Patient"}}
    written = fhir("POST", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    path = written["entry"][0]["response"]["location"].split("/_history")[0]
    assert fhir("GET", f"/{path}")["name"] == patient["name"]
