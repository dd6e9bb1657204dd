"""Forged identities: the same attempts as over HTTP/1.1, with the lower-case names of HTTP/2."""

import pathlib

from case import PAGE, Case, request
from expected import served_or_refused

ATTEMPTS = pathlib.Path(__file__).parent.parent / "forged.txt"


def cases():
    """A request for each attempt. A field is dropped, or the request is refused; the origin never sees it."""
    for attempt in ATTEMPTS.read_text().splitlines():
        split = [field.split(":", 1) for field in attempt.split(" && ")]
        fields = [(name.lower(), value.strip()) for name, value in split]
        yield Case(9110, "7.6.1", attempt, request(PAGE + fields), served_or_refused(), {"forged": True})
