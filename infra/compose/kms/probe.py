"""Whether the emulator answers over TLS under its own name: for the container's health check."""

import ssl
import sys
import urllib.request

context = ssl.create_default_context(cafile="/secrets/ca.pem")
with urllib.request.urlopen("https://localhost:4566/moto-api/", context=context, timeout=3) as answer:
    sys.exit(0 if answer.status == 200 else 1)
