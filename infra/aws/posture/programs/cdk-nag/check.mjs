// Asks the HIPAA pack of cdk-nag about CloudFormation documents. Its arguments are their paths; it
// prints a JSON object with the findings of each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The packages lie in the current folder, not beside this script.
const require = createRequire(`${process.cwd()}/package.json`);
const { App, Stack } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const { HIPAASecurityChecks } = require("cdk-nag");

function findings(path) {
  const app = new App({ analyticsReporting: false });
  const stack = new Stack(app, "Assembled");
  try {
    new CfnInclude(stack, "Template", { templateFile: path });
  } catch (error) {
    return [{ rule: "unreadable", resource: "*", message: error.message }];
  }
  const { violations } = new HIPAASecurityChecks(app).validateScope(app);
  return violations.flatMap(({ ruleName, description, violatingResources }) =>
    violatingResources.map(({ constructPath }) => ({
      rule: ruleName.replace(/^HIPAA\.Security-/, ""),
      resource: constructPath.split("/").at(-1),
      message: description,
    })),
  );
}

const paths = readFileSync(0, "utf8").split("\n").filter(Boolean);
const found = Object.fromEntries(paths.map((path) => [path, findings(path)]));
process.stdout.write(JSON.stringify(found));
