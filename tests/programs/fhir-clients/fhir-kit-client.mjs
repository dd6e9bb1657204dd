// The operations with fhir-kit-client.
import { Client } from "fhir-kit-client";

const client = new Client({ baseUrl: base, bearerToken: token });
let patient;
let observation;

function refusal(error) {
  return { status: error.response?.status, outcome: error.response?.data };
}

const operations = [
  ["metadata", async () => {
    const statement = await client.capabilityStatement();
    expect(statement.fhirVersion === "4.0.1", "another version of FHIR");
  }],
  ["create", async () => {
    patient = await client.create({ resourceType: "Patient", body: patientResource() });
    expect(patient.id && patient.meta.versionId === "1", "the response lacks id or version");
    const body = observationResource(patient.id, "8867-4", 6);
    observation = await client.create({ resourceType: "Observation", body });
    expect(observation.id, "the response lacks an id");
  }],
  ["read", async () => {
    const read = await client.read({ resourceType: "Observation", id: observation.id });
    expect(read.id === observation.id && read.valueQuantity.value === 72.5, "another resource was read");
  }],
  ["conditional read", async () => {
    const headers = { "If-None-Match": `W/"${observation.meta.versionId}"` };
    const options = { headers };
    try {
      const read = await client.read({ resourceType: "Observation", id: observation.id, options });
      expect(read.id === undefined, "the resource was sent again");
    } catch (error) {
      if (refusal(error).status !== 304) throw error;
    }
  }],
  ["update", async () => {
    const body = { ...patient, telecom: [{ system: "phone", value: "555-010-0199" }] };
    const options = { headers: { "If-Match": `W/"${patient.meta.versionId}"` } };
    const updated = await client.update({ resourceType: "Patient", id: patient.id, body, options });
    expect(updated.meta.versionId === "2", "the response has another version");
  }],
  ["update of an old version", async () => {
    const options = { headers: { "If-Match": `W/"${patient.meta.versionId}"` } };
    const update = () => client.update({ resourceType: "Patient", id: patient.id, body: patient, options });
    await refused([412], refusal, update);
  }],
  ["patch", async () => {
    const patched = await client.patch({ resourceType: "Patient", id: patient.id, jsonPatch: JSON_PATCH });
    expect(patched.gender === "other" && patched.meta.versionId === "3", "the response is not patched");
  }],
  ["vread", async () => {
    const first = await client.vread({ resourceType: "Patient", id: patient.id, version: "1" });
    expect(first.meta.versionId === "1" && first.telecom === undefined, "another version was read");
  }],
  ["history", async () => {
    expectHistory(await client.history({ resourceType: "Patient", id: patient.id }), patient.id);
  }],
  ["transaction", async () => {
    expectTransaction(await client.transaction({ body: transactionBundle(patient.id) }));
  }],
  ["conditional create", async () => {
    expectConditional(await client.transaction({ body: conditionalBundle() }), patient.id);
  }],
  ["batch", async () => {
    expectBatch(await client.batch({ body: batchBundle(patient.id) }));
  }],
  ["search by GET", async () => {
    const searchParams = { patient: patient.id, category: "vital-signs", status: "final", _count: 100 };
    const bundle = await client.search({ resourceType: "Observation", searchParams });
    expect(resourcesOf(bundle, "Observation").length === 8, "not all resources were found");
  }],
  ["search by POST", async () => {
    const searchParams = { patient: patient.id, ...codeAndDate };
    const options = { postSearch: true };
    const bundle = await client.search({ resourceType: "Observation", searchParams, options });
    expectCodeAndDate(resourcesOf(bundle, "Observation"));
  }],
  ["search for a name by POST", async () => {
    const searchParams = { family };
    const options = { postSearch: true };
    const bundle = await client.search({ resourceType: "Patient", searchParams, options });
    expectOne(resourcesOf(bundle, "Patient"), patient.id);
  }],
  ["search for a name by GET is refused", async () => {
    const search = () => client.search({ resourceType: "Patient", searchParams: { family } });
    await refused([400, 403], refusal, search);
  }],
  ["included resources", async () => {
    const searchParams = { patient: patient.id, _include: "Observation:subject" };
    const bundle = await client.search({ resourceType: "Observation", searchParams });
    expectOne(resourcesOf(bundle, "Patient"), patient.id);
  }],
  ["pages of a search by GET", async () => {
    const searchParams = { patient: patient.id, _count: 3, _sort: "-_lastUpdated" };
    expectPages(await pages(await client.search({ resourceType: "Observation", searchParams })), byUpdate);
  }],
  ["pages of a search by POST", async () => {
    const searchParams = { patient: patient.id, _count: 3, date: "ge2024-05-01", _sort: "date" };
    const options = { postSearch: true };
    expectPages(await pages(await client.search({ resourceType: "Observation", searchParams, options })), byDate);
  }],
  ["refusal of an invalid resource", async () => {
    const body = invalidObservation(patient.id);
    const outcome = await refused([400, 422], refusal, () => client.create({ resourceType: "Observation", body }));
    expect(outcome.issue[0].expression?.length > 0, "the issue names no element");
  }],
  ["delete", async () => {
    await client.delete({ resourceType: "Observation", id: observation.id });
  }],
  ["read of a deleted resource is refused", async () => {
    await refused([410], refusal, () => client.read({ resourceType: "Observation", id: observation.id }));
  }],
];

async function pages(first) {
  const all = [];
  for (let bundle = first; bundle && all.length < 20; bundle = await client.nextPage({ bundle })) {
    all.push(resourcesOf(bundle, "Observation"));
  }
  return all;
}

await perform(operations, refusal);
