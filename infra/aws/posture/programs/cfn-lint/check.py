"""Asks cfn-lint about CloudFormation templates. Their paths come line by line on standard input; it
prints a JSON object with the findings of each."""

import json
import multiprocessing
import pathlib
import sys

from cfnlint.api import lint_file


def findings(path):
    return [
        {"rule": match.rule.id, "resource": resource(match.path or []), "message": match.message}
        for match in lint_file(pathlib.Path(path))
    ]


def resource(path):
    """The resource that a path in the document leads into, or the section if it is none."""
    if len(path) > 1 and path[0] == "Resources":
        return str(path[1])
    return str(path[0]) if path else "*"


if __name__ == "__main__":
    paths = sys.stdin.read().split("\n")[:-1]
    with multiprocessing.get_context("fork").Pool() as pool:
        found = pool.map(findings, paths, chunksize=1)
    json.dump(dict(zip(paths, found)), sys.stdout)
