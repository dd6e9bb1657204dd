"""The part that the programs of both Python clients share; each is run as one text with this one before it. A program
performs the operations of the table in app/fhir/README.md with its client, and prints one line of JSON for each:
{"operation": ..., "result": "ok" | "not offered by the client" | "failed", "detail": ...}. A detail never holds a
value of a record."""

import json
import os
import secrets

BASE = os.environ["FHIR_BASE"]
TOKEN = os.environ["FHIR_TOKEN"]

WORD = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))
FAMILY = f"Sample{WORD}"
CODE_AND_DATE = {"code": "http://loinc.org|8310-5", "date": "le2024-05-10"}


class Unexpected(Exception):
    """Ends an operation as failed. The sentence must not hold a value of a record."""


class NotOffered(Exception):
    """Ends an operation that the client has no call for."""


def expect(condition, sentence):
    if not condition:
        raise Unexpected(sentence)


def describe(error, refusal):
    """What an exception of a client tells without values of records."""
    if isinstance(error, (Unexpected, NotOffered)):
        return str(error)
    status, outcome = refusal(error)
    codes = [issue.get("code") for issue in (outcome or {}).get("issue", [])]
    return " ".join(str(part) for part in [type(error).__name__, status, *codes] if part)


def perform(operations, refusal):
    """Performs the operations in their order, and prints the result of each."""
    for operation, run in operations.items():
        line = {"operation": operation, "result": "ok"}
        try:
            run()
        except Exception as error:
            result = "not offered by the client" if isinstance(error, NotOffered) else "failed"
            line = {"operation": operation, "result": result, "detail": describe(error, refusal)}
        print(json.dumps(line), flush=True)


def refused(statuses, refusal, call):
    """Runs a call that the server must refuse with one of these statuses, and returns the OperationOutcome that the
    client shows of it."""
    try:
        call()
    except Unexpected:
        raise
    except Exception as error:
        status, outcome = refusal(error)
        expect(status is None or status in statuses, f"refused with {status}")
        is_outcome = isinstance(outcome, dict) and outcome.get("resourceType") == "OperationOutcome"
        expect(is_outcome, "the client shows no OperationOutcome")
        expect(outcome.get("issue"), "the OperationOutcome has no issue")
        return outcome
    raise Unexpected("the server accepted what it must refuse")


def patient_resource():
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "http://example.org/fhir-clients", "value": WORD}],
        "name": [{"use": "official", "family": FAMILY, "given": ["Wilhelmina"]}],
        "gender": "female",
        "birthDate": "1961-04-23",
    }


def observation_resource(patient_id, code, day):
    category = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": category, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": f"2024-05-{day:02}T07:08:09Z",
        "valueQuantity": {
            "value": 72.5,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def transaction_bundle(patient_id):
    """A transaction that creates Observations of the days 10 to 16."""
    entries = [
        {
            "resource": observation_resource(patient_id, "8310-5", day),
            "request": {"method": "POST", "url": "Observation"},
        }
        for day in range(10, 17)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def conditional_bundle():
    """A transaction that must create nothing, since the patient exists."""
    condition = f"identifier=http://example.org/fhir-clients|{WORD}"
    request = {"method": "POST", "url": "Patient", "ifNoneExist": condition}
    entry = {"resource": patient_resource(), "request": request}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}


def batch_bundle(patient_id):
    """A batch of a read, a search, and a read of what does not exist."""
    urls = [
        f"Patient/{patient_id}",
        f"Observation?patient={patient_id}&_count=1",
        "Patient/00000000-0000-4000-8000-000000000000",
    ]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def expect_statuses(bundle, expected):
    statuses = [entry["response"]["status"][:3] for entry in bundle["entry"]]
    expect(statuses == expected, f"the entries have the statuses {', '.join(statuses)}")


def expect_transaction(bundle):
    expect(bundle["type"] == "transaction-response", "the response is no transaction-response")
    expect_statuses(bundle, ["201"] * 7)


def expect_conditional(bundle, patient_id):
    expect_statuses(bundle, ["200"])
    location = bundle["entry"][0]["response"].get("location", "")
    expect(f"Patient/{patient_id}" in location, "the response names another patient")


def expect_batch(bundle):
    expect(bundle["type"] == "batch-response", "the response is no batch-response")
    expect_statuses(bundle, ["200", "200", "404"])


def expect_history(bundle, patient_id):
    expect(bundle["type"] == "history", "the response is no history")
    resources = [entry["resource"] for entry in bundle["entry"]]
    versions = [int(resource["meta"]["versionId"]) for resource in resources]
    ordered = len(versions) >= 2 and versions == sorted(set(versions), reverse=True)
    expect(ordered, "the versions are not listed newest first")
    ids = {resource["id"] for resource in resources}
    expect(ids == {patient_id}, "the history has another id")
    expect(all(entry.get("request") for entry in bundle["entry"]), "an entry has no request")


def by_date(resource):
    return resource["effectiveDateTime"]


def by_update(resource):
    return resource["meta"]["lastUpdated"]


def expect_one(resources, resource_id):
    expect(len(resources) == 1, f"{len(resources)} resources were found")
    expect(resources[0]["id"] == resource_id, "another resource was found")


def expect_code_and_date(resources):
    """The Observation that has both the code and the date of a search: seven have the code, two the date."""
    days = [resource["effectiveDateTime"][:10] for resource in resources]
    expect(len(days) == 1, f"{len(days)} resources were found")
    expect(days == ["2024-05-10"], "another resource was found")


def expect_pages(resources, order):
    """Every Observation of the patient once, in order: one was created, seven by the transaction."""
    ordered = sorted(resources, key=order, reverse=order is by_update)
    same = [order(it) for it in ordered] == [order(it) for it in resources]
    expect(same, "the resources are not in order")
    ids = [resource["id"] for resource in resources]
    expect(len(ids) == 8, f"{len(ids)} resources were on the pages")
    expect(len(set(ids)) == len(ids), "a resource was on two pages")


