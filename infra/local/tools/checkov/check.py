"""Asks checkov about CloudFormation documents. Their paths come line by line on standard input; it
prints a JSON object with the findings of each."""

import json
import logging
import multiprocessing
import os
import sys

# It would start processes for each document; they are shared out below.
os.environ["CHECKOV_PARALLELIZATION_TYPE"] = "none"

from checkov.cloudformation.runner import Runner
from checkov.runner_filter import RunnerFilter

logging.disable(logging.CRITICAL)


def findings(path):
    # A runner of its own: one for many files would draw one graph of them all.
    runner = Runner()
    runner.pbar.turn_off_progress_bar()
    wanted = RunnerFilter(framework=["cloudformation"])
    wanted.show_progress_bar = False
    report = runner.run(root_folder=None, files=[path], runner_filter=wanted)
    if report.parsing_errors:
        return [{"rule": "unreadable", "resource": "*", "message": ", ".join(report.parsing_errors)}]
    return [
        {
            "rule": record.check_id,
            "resource": record.resource.split(".")[-1],
            "message": record.check_name,
        }
        for record in report.failed_checks
    ]


if __name__ == "__main__":
    paths = sys.stdin.read().split("\n")[:-1]
    with multiprocessing.get_context("fork").Pool() as pool:
        found = pool.map(findings, paths, chunksize=1)
    json.dump(dict(zip(paths, found)), sys.stdout)
