"""The operations with fhirpy."""

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import (
    BaseFHIRError,
    MultipleResourcesFound,
    OperationOutcome,
    ResourceNotFound,
)

AUTHORIZATION = f"Bearer {TOKEN}"
client = SyncFHIRClient(BASE, authorization=AUTHORIZATION)
kept = {}


def refusal(error):
    """The status, as far as the client's exception tells it, and the OperationOutcome."""
    if isinstance(error, OperationOutcome):
        return None, dict(error.resource)
    if not isinstance(error, BaseFHIRError):
        return None, None
    # Exceptions of these statuses have the body as their text.
    statuses = {MultipleResourcesFound: 412, ResourceNotFound: 410}
    try:
        return statuses.get(type(error)), json.loads(str(error))
    except ValueError:
        return statuses.get(type(error)), None


def patient_id():
    return kept["patient"].id


def metadata():
    statement = client.execute("metadata", method="get")
    expect(statement["fhirVersion"] == "4.0.1", "another version of FHIR")


def create():
    patient = client.resource("Patient", **patient_resource())
    patient.save()
    expect(patient.id and patient.meta.versionId == "1", "the response lacks id or version")
    kept["patient"] = patient
    resource = observation_resource(patient.id, "8867-4", 6)
    observation = client.resource("Observation", **resource)
    observation["subject"] = patient.to_reference()
    observation.save()
    expect(observation.id, "the response lacks an id")
    kept["observation"] = observation


def read():
    found = client.reference("Observation", kept["observation"].id).to_resource()
    same = found.id == kept["observation"].id and found.get_by_path("valueQuantity.value") == 72.5
    expect(same, "another resource was read")


def conditional_read():
    # The client sends the version without the quotes of an entity tag: a read is as good an answer.
    kept["observation"].refresh()
    expect(kept["observation"].id, "the resource was lost")


def update():
    kept["first"] = client.resource("Patient", **patient_resource(), id=patient_id())
    headers = {"If-Match": 'W/"1"'}
    careful = SyncFHIRClient(BASE, authorization=AUTHORIZATION, extra_headers=headers)
    telecom = [{"system": "phone", "value": "555-010-0199"}]
    patient = careful.resource("Patient", **patient_resource(), id=patient_id(), telecom=telecom)
    patient.update()
    expect(patient.meta.versionId == "2", "the response has another version")


def update_of_an_old_version():
    headers = {"If-Match": 'W/"1"'}
    careful = SyncFHIRClient(BASE, authorization=AUTHORIZATION, extra_headers=headers)
    patient = careful.resource("Patient", **patient_resource(), id=patient_id())
    refused([412], refusal, patient.update)


def patch():
    # The client sends the changed elements as application/json, which no patch of R4 is.
    patched = client.resource("Patient", **patient_resource(), id=patient_id())
    refused([400, 415, 422], refusal, lambda: patched.patch(gender="other"))
    raise NotOffered("sends a part of the resource, which is no patch of R4, and shows the refusal")


def vread():
    first = client.execute(f"Patient/{patient_id()}/_history/1", method="get")
    expect(first["meta"]["versionId"] == "1" and "telecom" not in first, "another version was read")


def history():
    expect_history(client.execute(f"Patient/{patient_id()}/_history", method="get"), patient_id())


def transaction():
    expect_transaction(client.execute("/", data=transaction_bundle(patient_id())))


def conditional_create():
    expect_conditional(client.execute("/", data=conditional_bundle()), patient_id())


def batch():
    expect_batch(client.execute("/", data=batch_bundle(patient_id())))


def search_by_get():
    observations = client.resources("Observation")
    found = observations.search(patient=kept["patient"], category="vital-signs", status="final")
    expect(len(found.limit(100).fetch()) == 8, "not all resources were found")


def search_by_post():
    body = {"patient": patient_id(), **CODE_AND_DATE}
    # The client sends every body as JSON.
    search = lambda: client.resources("Observation").execute("_search", data=body)
    refused([400, 415], refusal, search)
    raise NotOffered("sends every body as JSON, and shows the refusal")


def search_for_a_name_by_post():
    search = lambda: client.resources("Patient").execute("_search", data={"family": FAMILY})
    refused([400, 415], refusal, search)
    raise NotOffered("sends every body as JSON, and shows the refusal")


def search_for_a_name_by_get():
    search = client.resources("Patient").search(family=FAMILY)
    refused([400], refusal, search.fetch)


def include():
    observations = client.resources("Observation").search(patient=patient_id())
    bundle = observations.include("Observation", "subject").fetch_raw()
    patients = [it.resource for it in bundle["entry"] if it.resource.resource_type == "Patient"]
    expect_one(patients, patient_id())


def pages_by_get():
    observations = client.resources("Observation").search(patient=patient_id())
    observations = observations.limit(3).sort("-_lastUpdated")
    expect(len(observations.fetch()) == 3, "the first page has another size")
    expect_pages(observations.fetch_all(), by_update)


def pages_by_post():
    raise NotOffered("sends every body as JSON")


def invalid_resource():
    resource = observation_resource(patient_id(), "8867-4", 6)
    del resource["code"]
    outcome = refused([400, 422], refusal, client.resource("Observation", **resource).save)
    expect(outcome["issue"][0].get("expression"), "the issue names no element")


def delete():
    kept["observation"].delete()


def read_after_delete():
    reference = client.reference("Observation", kept["observation"].id)
    refused([410], refusal, reference.to_resource)


perform(
    {
        "metadata": metadata,
        "create": create,
        "read": read,
        "conditional read": conditional_read,
        "update": update,
        "update of an old version": update_of_an_old_version,
        "patch": patch,
        "vread": vread,
        "history": history,
        "transaction": transaction,
        "conditional create": conditional_create,
        "batch": batch,
        "search by GET": search_by_get,
        "search by POST": search_by_post,
        "search for a name by POST": search_for_a_name_by_post,
        "search for a name by GET is refused": search_for_a_name_by_get,
        "included resources": include,
        "pages of a search by GET": pages_by_get,
        "pages of a search by POST": pages_by_post,
        "refusal of an invalid resource": invalid_resource,
        "delete": delete,
        "read of a deleted resource is refused": read_after_delete,
    },
    refusal,
)
