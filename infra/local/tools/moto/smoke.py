"""Creates assembled documents in moto, as far as it knows their resources. Their paths come line by
line on standard input; it prints a JSON object with what came of each. It checks that what is created
is created, and that references between such resources lead somewhere: no more, for moto keeps few
properties and enforces none."""

import json
import logging
import os
import re
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

import boto3
from moto import mock_aws
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError

KNOWN = parsing.get_model_map()
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)((?:\.[A-Za-z0-9.]+)?)\}")


def without(value, skipped):
    """The value with words in the place of references to resources that are not created."""
    if isinstance(value, list):
        return [without(item, skipped) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, inner), = value.items()
        if name == "Ref" and inner in skipped:
            return stand_in(inner)
        if name == "Fn::GetAtt" and inner[0] in skipped:
            return stand_in("/".join(inner))
        if name == "Fn::Sub" and isinstance(inner, str):
            return {name: PLACEHOLDER.sub(lambda found: of_placeholder(found, skipped), inner)}
    return {name: without(inner, skipped) for name, inner in value.items()}


def of_placeholder(found, skipped):
    return stand_in(found[1]) if found[1] in skipped else found[0]


def stand_in(name):
    """An ARN: where a policy is checked, nothing else will do."""
    return f"arn:aws:skipped:us-east-1:111122223333:{name}"


def place(resource):
    metadata = resource["Metadata"]
    return metadata["Account"], metadata["Region"]


# What moto fails at, by the resource. Not a fault of the document unless it is about a reference.
failed = {}
make = parsing.parse_and_create_resource


def make_or_tell(id, *others, **options):
    try:
        return make(id, *others, **options)
    except (UnformattedGetAttTemplateException, ValidationError):
        raise
    except Exception as error:
        failed[id] = f"{type(error).__name__}: {error}"
        return None


parsing.parse_and_create_resource = make_or_tell


def smoke(path):
    with open(path) as file:
        text = file.read()
    resources = json.loads(text)["Resources"]
    unknown = {id for id, resource in resources.items() if resource["Type"] not in KNOWN}
    refused, faults = {}, []
    # What moto fails at is left out the next time, with words in the place of references to it.
    while True:
        failed.clear()
        skipped = unknown | refused.keys()
        faults = create_all(json.loads(text)["Resources"], skipped)
        if failed.keys() <= refused.keys():
            break
        refused.update(failed)
    return {
        "created": len(resources) - len(skipped),
        "refused": refused,
        "skipped": len(unknown),
        "types": sorted({resources[id]["Type"] for id in unknown}),
        "faults": faults,
    }


@mock_aws
def create_all(resources, skipped):
    faults = []
    for account, region in sorted({place(resource) for resource in resources.values()}):
        os.environ["MOTO_ACCOUNT_ID"] = account
        # What is elsewhere is named by ARNs, never by references.
        here = {
            id: without(resource, skipped)
            for id, resource in resources.items()
            if place(resource) == (account, region) and id not in skipped
        }
        for resource in here.values():
            adapt(resource, region)
            needed = [id for id in resource.pop("DependsOn", []) if id in here]
            if needed:
                resource["DependsOn"] = needed
        faults += create(here, region)
    return faults


def adapt(resource, region):
    """Gives a resource what moto needs, beside what is said in the documents."""
    properties = resource.get("Properties", {})
    if resource["Type"] == "AWS::KMS::Key":
        # moto takes them for those of the key service's own API.
        properties.pop("Tags", None)
    if resource["Type"] == "AWS::Route53::RecordSet":
        client = boto3.client("route53", region_name=region)
        zone = client.create_hosted_zone(Name=properties["Name"], CallerReference=properties["Name"])
        properties["HostedZoneId"] = zone["HostedZone"]["Id"].split("/")[-1]


def create(resources, region):
    client = boto3.client("cloudformation", region_name=region)
    body = json.dumps({"Resources": resources})
    try:
        client.create_stack(StackName="smoke", TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName="smoke")
    ids = {
        summary["LogicalResourceId"]: summary.get("PhysicalResourceId")
        for page in pages
        for summary in page["StackResourceSummaries"]
    }
    return [f"{id} was not created" for id in resources.keys() - failed.keys() if id not in ids]


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="smoke", AWS_SECRET_ACCESS_KEY="smoke")
    paths = sys.stdin.read().split("\n")[:-1]
    json.dump({path: smoke(path) for path in paths}, sys.stdout)
