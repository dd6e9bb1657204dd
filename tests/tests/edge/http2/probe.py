"""Puts cases to the edge over HTTP/2, one by one. After each, a line of JSON says what was expected
and what came of it on the client's side; the next one is asked when a line comes in, for whoever
started this looks at the other side in between.

    probe.py PORT CA HOST requests|frames|floods|forged
"""

import json
import sys

import floods
import forged
import frames
import requests

KINDS = {
    "requests": requests.cases,
    "frames": frames.cases,
    "floods": floods.cases,
    "forged": forged.cases,
}


def main():
    for name, expected, sees, ask in KINDS[sys.argv[4]]():
        print(json.dumps({"begins": name}), flush=True)
        outcome = ask()
        said = {"name": name, "expected": expected, "sees": sees, "outcome": outcome}
        print(json.dumps(said), flush=True)
        if not sys.stdin.readline():
            return


main()
