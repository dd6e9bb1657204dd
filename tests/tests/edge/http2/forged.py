"""Who somebody says they are: the same attempts as over HTTP/1.1, in the small letters of HTTP/2."""

import pathlib

from wire import PAGE, Wire

ATTEMPTS = pathlib.Path(__file__).parent.parent / "forged.txt"


def cases():
    """Name, what is expected, what the app has to see, and how to ask."""

    def ask(fields):
        wire = Wire()
        wire.request(PAGE + fields)
        outcome = wire.outcome()
        wire.close()
        return outcome

    for attempt in ATTEMPTS.read_text().splitlines():
        split = [field.split(":", 1) for field in attempt.split(" && ")]
        fields = [(name.lower(), value.strip()) for name, value in split]
        yield attempt, "forged", [], lambda fields=fields: ask(fields)
