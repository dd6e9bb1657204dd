// The operations with @medplum/core.
import { MedplumClient } from "@medplum/core";

const root = base.replace(/fhir\/?$/, "");
const client = new MedplumClient({ baseUrl: root, fhirUrlPath: "fhir", accessToken: token });
const FORM = "application/x-www-form-urlencoded";
let patient;
let observation;

// The client keeps the OperationOutcome of a refusal, and not its status.
function refusal(error) {
  return { status: undefined, outcome: error.outcome };
}

function search(resourceType, fields) {
  const body = new URLSearchParams(fields).toString();
  return client.post(client.fhirUrl(resourceType, "_search"), body, FORM);
}

const operations = [
  ["metadata", async () => {
    const statement = await client.get(client.fhirUrl("metadata"));
    expect(statement.fhirVersion === "4.0.1", "another version of FHIR");
  }],
  ["create", async () => {
    patient = await client.createResource(patientResource());
    expect(patient.id && patient.meta.versionId === "1", "the response lacks id or version");
    observation = await client.createResource(observationResource(patient.id, "8867-4", 6));
    expect(observation.id, "the response lacks an id");
  }],
  ["read", async () => {
    const read = await client.readResource("Observation", observation.id);
    expect(read.id === observation.id && read.valueQuantity.value === 72.5, "another resource was read");
  }],
  ["conditional read", async () => {
    const headers = { "If-None-Match": `W/"${observation.meta.versionId}"` };
    const read = await client.readResource("Observation", observation.id, { headers });
    expect(read === undefined, "the resource was sent again");
  }],
  ["update", async () => {
    const body = { ...patient, telecom: [{ system: "phone", value: "555-010-0199" }] };
    const headers = { "If-Match": `W/"${patient.meta.versionId}"` };
    const updated = await client.updateResource(body, { headers });
    expect(updated.meta.versionId === "2", "the response has another version");
  }],
  ["update of an old version", async () => {
    const headers = { "If-Match": `W/"${patient.meta.versionId}"` };
    await refused([412], refusal, () => client.updateResource(patient, { headers }));
  }],
  ["patch", async () => {
    const patched = await client.patchResource("Patient", patient.id, JSON_PATCH);
    expect(patched.gender === "other" && patched.meta.versionId === "3", "the response is not patched");
  }],
  ["vread", async () => {
    const first = await client.readVersion("Patient", patient.id, "1");
    expect(first.meta.versionId === "1" && first.telecom === undefined, "another version was read");
  }],
  ["history", async () => {
    expectHistory(await client.readHistory("Patient", patient.id, { count: 10 }), patient.id);
  }],
  ["transaction", async () => {
    expectTransaction(await client.executeBatch(transactionBundle(patient.id)));
  }],
  ["conditional create", async () => {
    expectConditional(await client.executeBatch(conditionalBundle()), patient.id);
  }],
  ["batch", async () => {
    expectBatch(await client.executeBatch(batchBundle(patient.id)));
  }],
  ["search by GET", async () => {
    const query = { patient: patient.id, category: "vital-signs", status: "final", _count: "100" };
    const bundle = await client.search("Observation", query);
    expect(resourcesOf(bundle, "Observation").length === 8, "not all resources were found");
  }],
  ["search by POST", async () => {
    const fields = { patient: patient.id, ...codeAndDate };
    expectCodeAndDate(resourcesOf(await search("Observation", fields), "Observation"));
  }],
  ["search for a name by POST", async () => {
    expectOne(resourcesOf(await search("Patient", { family }), "Patient"), patient.id);
  }],
  ["search for a name by GET is refused", async () => {
    await refused([400, 403], refusal, () => client.search("Patient", { family }));
  }],
  ["included resources", async () => {
    const query = { patient: patient.id, _include: "Observation:subject" };
    expectOne(resourcesOf(await client.search("Observation", query), "Patient"), patient.id);
  }],
  ["pages of a search by GET", async () => {
    const query = { patient: patient.id, _count: "3", _sort: "-_lastUpdated" };
    const all = [];
    for await (const page of client.searchResourcePages("Observation", query)) all.push(page);
    expectPages(all, byUpdate);
    // Without `_count` the client asks for 1,000.
    const whole = [];
    for await (const page of client.searchResourcePages("Observation", { patient: patient.id })) whole.push(...page);
    expect(whole.length === 8, `${whole.length} resources were found without _count`);
  }],
  ["pages of a search by POST", async () => {
    const fields = { patient: patient.id, _count: "3", date: "ge2024-05-01", _sort: "date" };
    const all = [];
    let bundle = await search("Observation", fields);
    while (bundle && all.length < 20) {
      all.push(resourcesOf(bundle, "Observation"));
      const next = bundle.link?.find((link) => link.relation === "next");
      bundle = next && (await client.get(next.url));
    }
    expectPages(all, byDate);
  }],
  ["refusal of an invalid resource", async () => {
    const create = () => client.createResource(invalidObservation(patient.id));
    const outcome = await refused([400, 422], refusal, create);
    expect(outcome.issue[0].expression?.length > 0, "the issue names no element");
  }],
  ["delete", async () => {
    await client.deleteResource("Observation", observation.id);
  }],
  ["read of a deleted resource is refused", async () => {
    await refused([410], refusal, () => client.readResource("Observation", observation.id));
  }],
];

await perform(operations, refusal);
