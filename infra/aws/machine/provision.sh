#!/bin/sh
# provision.sh <people.json
#
# Creates the first organizations and people on an app machine, before any user can sign in; see app/README.md. Runs as the
# app's user with its settings and password. Called by root in a session.
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
