#!/bin/sh
# Issues the certificates and installs those of each tier in its volume, readable by its group
# alone. Each run renews the leaves, which running tiers reload. Signing keys stay in /authority,
# which no tier mounts. The passwords of the demo people are drawn once.
set -eu
umask 0077

case "${1:-issue}" in
issue) ;;
sign-ins) exec cat /secrets/demo/people.json ;;
authority) exec cat /authority/public/ca.pem ;;
*)
    echo "setup: unknown command '$1': it is one of issue, sign-ins and authority" >&2
    exit 64
    ;;
esac

# give GROUP SOURCE TARGET: installs a file by renaming, so that no reader sees a part of it.
give() {
    install -m 0440 "$2" "$3.new"
    chgrp "$1" "$3.new"
    mv -f "$3.new" "$3"
}

authority=/authority
# `web` is the name of the edge on the network of the containers.
if ! issue-development-certificates --out "$authority" --trust-domain "$TRUST_DOMAIN" \
    --public-name web ${PUBLIC_NAME:+--public-name "$PUBLIC_NAME"}; then
    echo "setup: for another trust domain, remove the volumes: docker compose down --volumes" >&2
    exit 1
fi

give 10001 $authority/public/web.pem /secrets/web/public.pem
give 10001 $authority/public/web.key /secrets/web/public.key
give 10001 $authority/internal/ca.pem /secrets/web/ca.pem
give 10001 $authority/internal/web.pem /secrets/web/web.pem
give 10001 $authority/internal/web.key /secrets/web/web.key

give 10002 $authority/internal/ca.pem /secrets/app/ca.pem
give 10002 $authority/internal/app.pem /secrets/app/app.pem
give 10002 $authority/internal/app.key /secrets/app/app.key
give 10002 $authority/database/app.pem /secrets/app/database.pem
give 10002 $authority/database/app.key /secrets/app/database.key

give 10003 $authority/database/ca.pem /secrets/db/clients.pem
give 10003 $authority/internal/db.pem /secrets/db/db.pem
give 10003 $authority/internal/db.key /secrets/db/db.key

give 10004 $authority/internal/ca.pem /secrets/kms/ca.pem
give 10004 $authority/internal/kms.pem /secrets/kms/kms.pem
give 10004 $authority/internal/kms.key /secrets/kms/kms.key

give 10005 $authority/internal/ca.pem /secrets/migrate/ca.pem
give 10005 $authority/database/migrate.pem /secrets/migrate/database.pem
give 10005 $authority/database/migrate.key /secrets/migrate/database.key

if [ ! -e /secrets/demo/people.json ]; then
    sign-ins </usr/local/share/demo.json >/authority/people.json
    give 10002 /authority/people.json /secrets/demo/people.json
    rm /authority/people.json
fi

give 10006 $authority/public/ca.pem /secrets/tests/ca.pem
give 10006 /secrets/demo/people.json /secrets/tests/people.json
