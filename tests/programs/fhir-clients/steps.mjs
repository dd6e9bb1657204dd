// The part that the programs of all JavaScript clients share; each is run as one text with this one before it. A
// program performs the operations of the table in app/fhir/README.md with its client, and prints one line of JSON for each:
// {"operation": ..., "result": "ok" | "not offered by the client" | "failed", "detail": ...}. A detail never holds a
// value of a record.
import { randomBytes } from "node:crypto";

const base = process.env.FHIR_BASE;
const token = process.env.FHIR_TOKEN;

const JSON_PATCH = [
  { op: "test", path: "/gender", value: "female" },
  { op: "replace", path: "/gender", value: "other" },
];

class Unexpected extends Error {}
class NotOffered extends Error {}

// Ends an operation as failed. The sentence must not hold a value of a record.
function expect(condition, sentence) {
  if (!condition) throw new Unexpected(sentence);
}

// Ends an operation that the client has no call for.
function notOffered(sentence) {
  throw new NotOffered(sentence);
}

// What an exception of a client tells without values of records: `refusal` gives status and OperationOutcome.
function describe(error, refusal) {
  if (error instanceof Unexpected || error instanceof NotOffered) return error.message;
  const { status, outcome } = refusal(error);
  const codes = (outcome?.issue ?? []).map((issue) => issue.code);
  return [error.name, status, ...codes].filter(Boolean).join(" ");
}

// Performs the operations in their order, and prints the result of each.
async function perform(operations, refusal) {
  for (const [operation, run] of operations) {
    let line = { operation, result: "ok" };
    try {
      await run();
    } catch (error) {
      const result = error instanceof NotOffered ? "not offered by the client" : "failed";
      line = { operation, result, detail: describe(error, refusal) };
    }
    console.log(JSON.stringify(line));
  }
}

// Runs a call that the server must refuse with one of these statuses, and returns the OperationOutcome that the client
// shows of it.
async function refused(statuses, refusal, call) {
  let shown;
  try {
    await call();
  } catch (error) {
    shown = refusal(error);
  }
  expect(shown, "the server accepted what it must refuse");
  if (shown.status) expect(statuses.includes(shown.status), `refused with ${shown.status}`);
  expect(shown.outcome?.resourceType === "OperationOutcome", "the client shows no OperationOutcome");
  expect(shown.outcome.issue?.length > 0, "the OperationOutcome has no issue");
  return shown.outcome;
}

const codeAndDate = { code: "http://loinc.org|8310-5", date: "le2024-05-10" };
const byDate = (resource) => resource.effectiveDateTime;
const byUpdate = (resource) => resource.meta.lastUpdated;
const word = randomBytes(6).toString("hex").replace(/[0-9]/g, (digit) => "ghijklmnop"[digit]);
const family = `Sample${word}`;

function patientResource() {
  return {
    resourceType: "Patient",
    identifier: [{ system: "http://example.org/fhir-clients", value: word }],
    name: [{ use: "official", family, given: ["Wilhelmina"] }],
    gender: "female",
    birthDate: "1961-04-23",
  };
}

function observationResource(patientId, code, day) {
  const category = "http://terminology.hl7.org/CodeSystem/observation-category";
  return {
    resourceType: "Observation",
    status: "final",
    category: [{ coding: [{ system: category, code: "vital-signs" }] }],
    code: { coding: [{ system: "http://loinc.org", code }] },
    subject: { reference: `Patient/${patientId}` },
    effectiveDateTime: `2024-05-${String(day).padStart(2, "0")}T07:08:09Z`,
    valueQuantity: { value: 72.5, unit: "/min", system: "http://unitsofmeasure.org", code: "/min" },
  };
}

// A resource that lacks what R4 requires.
function invalidObservation(patientId) {
  const observation = observationResource(patientId, "8867-4", 6);
  delete observation.code;
  return observation;
}

// A transaction that creates Observations of the days 10 to 16, and the same identifier twice.
function transactionBundle(patientId) {
  const entry = [10, 11, 12, 13, 14, 15, 16].map((day) => ({
    resource: observationResource(patientId, "8310-5", day),
    request: { method: "POST", url: "Observation" },
  }));
  return { resourceType: "Bundle", type: "transaction", entry };
}

// A transaction that must create nothing, since the patient exists.
function conditionalBundle() {
  const ifNoneExist = `identifier=http://example.org/fhir-clients|${word}`;
  const request = { method: "POST", url: "Patient", ifNoneExist };
  return {
    resourceType: "Bundle",
    type: "transaction",
    entry: [{ resource: patientResource(), request }],
  };
}

// A batch of a read, a search, and a read of what does not exist.
function batchBundle(patientId) {
  const urls = [
    `Patient/${patientId}`,
    `Observation?patient=${patientId}&_count=1`,
    "Patient/00000000-0000-4000-8000-000000000000",
  ];
  const entry = urls.map((url) => ({ request: { method: "GET", url } }));
  return { resourceType: "Bundle", type: "batch", entry };
}

// Whether each entry of a response Bundle has the status that is expected at its place.
function expectStatuses(bundle, expected) {
  const statuses = (bundle?.entry ?? []).map((entry) => entry.response?.status?.slice(0, 3));
  const matches = statuses.length === expected.length && expected.every((it, at) => it === statuses[at]);
  expect(matches, `the entries have the statuses ${statuses.join(", ")}`);
}

function expectTransaction(bundle) {
  expect(bundle?.type === "transaction-response", "the response is no transaction-response");
  expectStatuses(bundle, new Array(7).fill("201"));
}

function expectConditional(bundle, patientId) {
  expectStatuses(bundle, ["200"]);
  const location = bundle.entry[0].response.location ?? "";
  expect(location.includes(`Patient/${patientId}`), "the response names another patient");
}

function expectBatch(bundle) {
  expect(bundle?.type === "batch-response", "the response is no batch-response");
  expectStatuses(bundle, ["200", "200", "404"]);
}

function expectHistory(bundle, patientId) {
  expect(bundle?.type === "history", "the response is no history");
  const entries = bundle.entry ?? [];
  const versions = entries.map((entry) => Number(entry.resource?.meta?.versionId));
  const descends = versions.every((version, at) => at === 0 || version < versions[at - 1]);
  expect(versions.length >= 2 && descends, "the versions are not listed newest first");
  expect(entries.every((entry) => entry.resource.id === patientId), "the history has another id");
  expect(entries.every((entry) => entry.request?.method), "an entry has no request");
}

function resourcesOf(bundle, resourceType) {
  expect(bundle?.type === "searchset", "the response is no searchset");
  const resources = (bundle.entry ?? []).map((entry) => entry.resource);
  return resources.filter((resource) => resource.resourceType === resourceType);
}

// The Observation of the operation `create` and no other.
function expectOne(resources, id) {
  expect(resources.length === 1, `${resources.length} resources were found`);
  expect(resources[0].id === id, "another resource was found");
}

// The Observation that has both the code and the date of a search: seven have the code, two the date.
function expectCodeAndDate(resources) {
  const days = resources.map((resource) => resource.effectiveDateTime.slice(0, 10));
  expect(days.length === 1, `${days.length} resources were found`);
  expect(days[0] === "2024-05-10", "another resource was found");
}

// Every Observation of the patient once, its texts in order: one was created, seven by the transaction.
function expectPages(pages, text) {
  expect(pages.length > 2, `there were ${pages.length} pages`);
  const texts = pages.flat().map(text);
  const inOrder = texts.every((it, at) => at === 0 || texts[at - 1] <= it);
  const inReverse = texts.every((it, at) => at === 0 || texts[at - 1] >= it);
  expect(text === byDate ? inOrder : inReverse, "the resources are not in order");
  const ids = pages.flat().map((resource) => resource.id);
  expect(ids.length === 8, `${ids.length} resources were on the pages`);
  expect(new Set(ids).size === ids.length, "a resource was on two pages");
}
