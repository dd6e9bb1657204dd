"""Runs cases against the edge over HTTP/2, one by one. Before each, a line of JSON holds its name. After each, a
line holds what is wrong on the client's side and what the origin must have seen. The next case begins when a line
is read from stdin: meanwhile the caller examines the origin.

    probe.py connections|messages|security|forged PORT CA    runs cases
    probe.py check                                           checks that each section has a case
    probe.py table                                           prints all cases by section
"""

import json
import sys

import connection_cases
import deviations
import forged
import frame_cases
import hpack_cases
import message_cases
import sections
import security_cases
import semantics_cases
from wire import Edge

KINDS = {
    "connections": [*connection_cases.CASES, *frame_cases.CASES, *hpack_cases.CASES, *deviations.CONNECTIONS],
    "messages": [*message_cases.CASES, *semantics_cases.CASES, *deviations.MESSAGES],
    "security": security_cases.CASES,
    "forged": list(forged.cases()),
}


def check():
    """Whether the tables are complete and in order."""
    cases = [case for kind in KINDS.values() for case in kind]
    wrong = list(sections.complaints(cases))
    for module in (connection_cases, frame_cases, hpack_cases, message_cases, semantics_cases, security_cases):
        wrong += sections.misplaced(module.CASES)
    return "\n".join(wrong)


def run(cases):
    """Runs cases, each when the caller is ready."""
    for case in cases:
        print(json.dumps({"begins": case.title()}), flush=True)
        seen = case.run()
        print(json.dumps({"wrong": case.wrong(seen), "origin": case.origin, "outcome": seen}), flush=True)
        if not sys.stdin.readline():
            return


def main():
    kind = sys.argv[1]
    if kind == "check":
        sys.exit(check() or None)
    elif kind == "table":
        print("\n".join(sections.lines([case for kind in KINDS.values() for case in kind])))
    else:
        Edge.port, Edge.authority = int(sys.argv[2]), sys.argv[3]
        run(KINDS[kind])


main()
