#!/bin/sh
# provision.sh <people.json
#
# Makes organizations and people on an app machine, as app/README.md says: the first of them, whom nobody
# could make by signing in. As the app's user, with the app's settings and password; for root in a session.
set -eu

exec systemd-run --quiet --pipe --wait --collect --service-type=exec \
    --uid=app --gid=app \
    --property=EnvironmentFile=/etc/stack/app.env \
    --property=EnvironmentFile=/run/stack/app/keys.env \
    --property=LoadCredential=database-password:/run/stack/app/database-password \
    --property=Environment=DATABASE_PASSWORD_FILE=%d/database-password \
    --property=NoNewPrivileges=yes --property=ProtectSystem=strict --property=ProtectHome=yes \
    --property=PrivateTmp=yes --property=PrivateDevices=yes --property=CapabilityBoundingSet= \
    --property=LimitCORE=0 --property=LimitMEMLOCK=infinity --property=MemorySwapMax=0 \
    /opt/stack/bin/app provision
