// The operations with fhirclient for JavaScript.
import smart from "fhirclient";

const state = { serverUrl: base, tokenResponse: { access_token: token } };
const client = smart({ headers: {} }, {}, {}).client(state);
let patient;
let observation;

function refusal(error) {
  let outcome;
  try {
    // The client keeps the body of a refusal only as a part of its message.
    outcome = JSON.parse(error.message.slice(error.message.indexOf("\n\n")));
  } catch {
    outcome = undefined;
  }
  return { status: error.status, outcome };
}

function form(url, fields) {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { url, method: "POST", headers, body: new URLSearchParams(fields).toString() };
}

function bundle(body) {
  const headers = { "content-type": "application/fhir+json" };
  return { url: "/", method: "POST", headers, body: JSON.stringify(body) };
}

async function pages(first) {
  const all = [];
  await client.request(first, {
    pageLimit: 20,
    onPage: (page) => {
      all.push(resourcesOf(page, "Observation"));
    },
  });
  return all;
}

const operations = [
  ["metadata", async () => {
    expect((await client.getFhirVersion()) === "4.0.1", "another version of FHIR");
  }],
  ["create", async () => {
    patient = await client.create(patientResource());
    expect(patient.id && patient.meta.versionId === "1", "the response lacks id or version");
    observation = await client.create(observationResource(patient.id, "8867-4", 6));
    expect(observation.id, "the response lacks an id");
  }],
  ["read", async () => {
    const read = await client.request(`Observation/${observation.id}`);
    expect(read.id === observation.id && read.valueQuantity.value === 72.5, "another resource was read");
  }],
  ["conditional read", async () => {
    const headers = { "If-None-Match": `W/"${observation.meta.versionId}"` };
    try {
      const read = await client.request({ url: `Observation/${observation.id}`, headers });
      expect(!read?.id, "the resource was sent again");
    } catch (error) {
      if (error.status !== 304) throw error;
    }
  }],
  ["update", async () => {
    const body = { ...patient, telecom: [{ system: "phone", value: "555-010-0199" }] };
    const headers = { "If-Match": `W/"${patient.meta.versionId}"` };
    const updated = await client.update(body, { headers });
    expect(updated.meta.versionId === "2", "the response has another version");
  }],
  ["update of an old version", async () => {
    const headers = { "If-Match": `W/"${patient.meta.versionId}"` };
    await refused([412], refusal, () => client.update(patient, { headers }));
  }],
  ["patch", async () => {
    const patched = await client.patch(`Patient/${patient.id}`, JSON_PATCH);
    expect(patched.gender === "other" && patched.meta.versionId === "3", "the response is not patched");
  }],
  ["vread", async () => {
    const first = await client.request(`Patient/${patient.id}/_history/1`);
    expect(first.meta.versionId === "1" && first.telecom === undefined, "another version was read");
  }],
  ["history", async () => {
    expectHistory(await client.request(`Patient/${patient.id}/_history`), patient.id);
  }],
  ["transaction", async () => {
    expectTransaction(await client.request(bundle(transactionBundle(patient.id))));
  }],
  ["conditional create", async () => {
    expectConditional(await client.request(bundle(conditionalBundle())), patient.id);
  }],
  ["batch", async () => {
    expectBatch(await client.request(bundle(batchBundle(patient.id))));
  }],
  ["search by GET", async () => {
    const url = `Observation?patient=${patient.id}&category=vital-signs&status=final&_count=100`;
    const found = resourcesOf(await client.request(url), "Observation");
    expect(found.length === 8, "not all resources were found");
  }],
  ["search by POST", async () => {
    const fields = { patient: patient.id, ...codeAndDate };
    const found = await client.request(form("Observation/_search", fields));
    expectCodeAndDate(resourcesOf(found, "Observation"));
  }],
  ["search for a name by POST", async () => {
    const found = await client.request(form("Patient/_search", { family }));
    expectOne(resourcesOf(found, "Patient"), patient.id);
  }],
  ["search for a name by GET is refused", async () => {
    await refused([400, 403], refusal, () => client.request(`Patient?family=${family}`));
  }],
  ["included resources", async () => {
    const found = await client.request(`Observation?patient=${patient.id}&_include=Observation:subject`);
    expectOne(resourcesOf(found, "Patient"), patient.id);
  }],
  ["pages of a search by GET", async () => {
    expectPages(await pages(`Observation?patient=${patient.id}&_count=3&_sort=-_lastUpdated`), byUpdate);
  }],
  ["pages of a search by POST", async () => {
    const fields = { patient: patient.id, _count: 3, date: "ge2024-05-01", _sort: "date" };
    expectPages(await pages(form("Observation/_search", fields)), byDate);
  }],
  ["refusal of an invalid resource", async () => {
    const outcome = await refused([400, 422], refusal, () => client.create(invalidObservation(patient.id)));
    expect(outcome.issue[0].expression?.length > 0, "the issue names no element");
  }],
  ["delete", async () => {
    await client.delete(`Observation/${observation.id}`);
  }],
  ["read of a deleted resource is refused", async () => {
    await refused([410], refusal, () => client.request(`Observation/${observation.id}`));
  }],
];

await perform(operations, refusal);
