"""Prints, as JSON, the requests of the Core Rule Set's regression tests that its injection rules have
to detect. The one argument is the folder of its sources."""

import base64
import json
import pathlib
import sys

import yaml

# LFI, RFI, RCE, PHP, Node.js, XSS, SQL, Java.
FAMILIES = ("930", "931", "932", "933", "934", "941", "942", "944")


def case(family, test, stage):
    given, expected = stage["input"], stage["output"]
    if "log_contains" not in expected and "status" not in expected:
        return None
    raw = given.get("encoded_request")
    if raw is not None:
        raw = base64.b64decode(raw).decode("latin-1")
    body = given.get("data") or ""
    if isinstance(body, list):
        body = "\r\n".join(str(line) for line in body)
    return {
        "title": test["test_title"],
        "family": family,
        "raw": raw or given.get("raw_request"),
        "method": given.get("method") or "GET",
        "target": given.get("uri") or "/",
        "headers": [[name, str(value)] for name, value in (given.get("headers") or {}).items()],
        "body": str(body),
    }


def main():
    cases = []
    for file in sorted(pathlib.Path(sys.argv[1]).glob("*/tests/regression/tests/REQUEST-*/*.yaml")):
        family = file.parent.name.split("-")[1]
        if family not in FAMILIES:
            continue
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            stages = (case(family, test, stage["stage"]) for stage in test["stages"])
            cases.extend(stage for stage in stages if stage)
    json.dump(cases, sys.stdout)


main()
