"""Asks the HIPAA set of AWS's registry of guard rules about CloudFormation documents. The first
argument is a folder with the registry. Paths of documents come line by line on standard input; it
prints a JSON object with the findings of each."""

import json
import multiprocessing
import os
import pathlib
import subprocess
import sys

REGISTRY = pathlib.Path(sys.argv[1])
GUARD = os.environ.get("CFN_GUARD", "cfn-guard")


def rules():
    """The files that the set names, as far as they are there."""
    mapping = json.loads((REGISTRY / "mappings/rule_set_hipaa_security.json").read_text())
    files = {REGISTRY / entry["guardFilePath"] for entry in mapping["mappings"]}
    return sorted(str(file) for file in files if file.is_file())


def resources(value):
    """The resources that the paths in a report lead into."""
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str) and path.startswith("/Resources/"):
            yield path.split("/")[2]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from resources(item)


def findings(path):
    command = [GUARD, "validate", "--structured", "-o", "json", "-S", "none", "-d", path]
    for rule in RULES:
        command += ["-r", rule]
    ran = subprocess.run(command, capture_output=True, text=True)
    # 0: all compliant, 19: not all.
    if ran.returncode not in (0, 19):
        return [{"rule": "unreadable", "resource": "*", "message": ran.stderr}]
    found = []
    for failed in json.loads(ran.stdout)[0]["not_compliant"]:
        name = failed["Rule"]["name"]
        for resource in sorted(set(resources(failed))) or ["*"]:
            found.append({"rule": name, "resource": resource, "message": name})
    return found


if __name__ == "__main__":
    RULES = rules()
    paths = sys.stdin.read().split("\n")[:-1]
    with multiprocessing.get_context("fork").Pool() as pool:
        found = pool.map(findings, paths, chunksize=1)
    json.dump(dict(zip(paths, found)), sys.stdout)
