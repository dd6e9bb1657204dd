"""The health check of the emulator: a response over TLS, verified by the CA and the name."""

import ssl
import sys
import urllib.request

context = ssl.create_default_context(cafile="/secrets/ca.pem")
with urllib.request.urlopen("https://localhost:4566/moto-api/", context=context, timeout=3) as response:
    sys.exit(0 if response.status == 200 else 1)
