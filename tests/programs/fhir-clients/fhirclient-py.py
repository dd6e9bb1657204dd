"""The operations with fhirclient for Python."""

from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from requests.auth import AuthBase

STATE = {
    "app_id": "fhir-clients",
    "server": {"base_uri": f"{BASE}/", "auth_type": "oauth2", "auth": {"access_token": TOKEN}},
}
server = FHIRClient(state=STATE).server
kept = {}


class Bearer(AuthBase):
    """The token for `post_as_form`, which does not sign its requests."""

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {TOKEN}"
        return request


def refusal(error):
    """The status and the OperationOutcome of the response that an exception of the client holds."""
    response = getattr(error, "response", None)
    if response is None:
        return None, None
    try:
        return response.status_code, response.json()
    except ValueError:
        return response.status_code, None


def form(resource_type, fields):
    """The Bundle of a search by POST."""
    response = server.post_as_form(f"{BASE}/{resource_type}/_search", fields, auth=Bearer())
    return Bundle(response.json())


def found(bundle, resource_type):
    expect(bundle.type == "searchset", "the response is no searchset")
    resources = [entry.resource.as_json() for entry in bundle.entry or []]
    return [resource for resource in resources if resource["resourceType"] == resource_type]


def matching(version, call):
    """Runs a call with If-Match. The client has no argument for it, but shows its session."""
    server.session.headers["If-Match"] = f'W/"{version}"'
    try:
        return call()
    finally:
        del server.session.headers["If-Match"]


def metadata():
    expect(server.capabilityStatement.fhirVersion == "4.0.1", "another version of FHIR")
    # The statement names no OAuth server, so the client forgets the token.
    server.from_state(STATE["server"])


def create():
    made = Patient(Patient(patient_resource()).create(server))
    expect(made.id and made.meta.versionId == "1", "the response lacks id or version")
    kept["patient"] = made
    observation = Observation(observation_resource(made.id, "8867-4", 6))
    kept["observation"] = Observation(observation.create(server))
    expect(kept["observation"].id, "the response lacks an id")


def patient_id():
    return kept["patient"].id


def read():
    observation = Observation.read(kept["observation"].id, server)
    same = observation.id == kept["observation"].id and observation.valueQuantity.value == 72.5
    expect(same, "another resource was read")


def conditional_read():
    version = kept["observation"].meta.versionId
    headers = {"If-None-Match": f'W/"{version}"'}
    content = server.request_data(f"Observation/{kept['observation'].id}", headers=headers)
    expect(content == b"", "the resource was sent again")


def update():
    changed = {"telecom": [{"system": "phone", "value": "555-010-0199"}]}
    patient = Patient({**kept["patient"].as_json(), **changed})
    updated = Patient(matching(1, lambda: patient.update(server)))
    expect(updated.meta.versionId == "2", "the response has another version")


def update_of_an_old_version():
    old = lambda: matching(1, lambda: kept["patient"].update(server))
    refused([412], refusal, old)


def patch():
    raise NotOffered("has no call for it")


def vread():
    first = Patient.read_from(f"Patient/{patient_id()}/_history/1", server)
    expect(first.meta.versionId == "1" and first.telecom is None, "another version was read")


def history():
    bundle = Bundle.read_from(f"Patient/{patient_id()}/_history", server)
    expect_history(bundle.as_json(), patient_id())


def transaction():
    expect_transaction(Bundle(transaction_bundle(patient_id())).create(server))


def conditional_create():
    expect_conditional(Bundle(conditional_bundle()).create(server), patient_id())


def batch():
    expect_batch(Bundle(batch_bundle(patient_id())).create(server))


def search_by_get():
    search = Observation.where(
        {
            "patient": f"Patient/{patient_id()}",
            "category": "vital-signs",
            "status": "final",
            "_count": "100",
        }
    )
    expect(len(list(search.perform_resources_iter(server))) == 8, "not all resources were found")


def search_by_post():
    fields = {"patient": patient_id(), **CODE_AND_DATE}
    expect_code_and_date(found(form("Observation", fields), "Observation"))


def search_for_a_name_by_post():
    expect_one(found(form("Patient", {"family": FAMILY}), "Patient"), patient_id())


def search_for_a_name_by_get():
    search = Patient.where({"family": FAMILY})
    refused([400], refusal, lambda: list(search.perform_iter(server)))


def include():
    search = Observation.where({"patient": patient_id()}).include("subject")
    patients = []
    for bundle in search.perform_iter(server):
        patients += found(bundle, "Patient")
    expect_one(patients, patient_id())


def pages_by_get():
    search = Observation.where({"patient": patient_id(), "_count": "3", "_sort": "-_lastUpdated"})
    pages = [found(bundle, "Observation") for bundle in search.perform_iter(server)]
    expect(len(pages) > 2, f"there were {len(pages)} pages")
    expect_pages([resource for page in pages for resource in page], by_update)


def pages_by_post():
    fields = {"patient": patient_id(), "_count": "3", "date": "ge2024-05-01", "_sort": "date"}
    bundle = form("Observation", fields)
    pages = []
    while bundle is not None and len(pages) < 20:
        pages.append(found(bundle, "Observation"))
        links = [link.url for link in bundle.link or [] if link.relation == "next"]
        bundle = Bundle.read_from(links[0], server) if links else None
    expect(len(pages) > 2, f"there were {len(pages)} pages")
    expect_pages([resource for page in pages for resource in page], by_date)


def invalid_resource():
    # The client's own models would refuse what R4 refuses, so this goes below them.
    resource = observation_resource(patient_id(), "8867-4", 6)
    del resource["code"]
    outcome = refused([400, 422], refusal, lambda: server.post_json("Observation", resource))
    expect(outcome["issue"][0].get("expression"), "the issue names no element")


def delete():
    kept["observation"].delete(server)


def read_after_delete():
    refused([410], refusal, lambda: Observation.read(kept["observation"].id, server))


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
