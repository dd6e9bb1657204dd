#!/bin/sh
# Issues the certificates and gives each tier what is its own, readable by its group alone. Run
# again it renews the leaves; the tiers take them up by themselves. Signing keys never leave
# /authority, which no tier mounts. Sign-ins of the demonstration are drawn once.
set -eu
umask 0077

case "${1:-issue}" in
issue) ;;
sign-ins) exec cat /secrets/demo/people.json ;;
authority) exec cat /authority/public/ca.pem ;;
*)
    echo "setup: '$1' is not known; it can issue, or show sign-ins or authority" >&2
    exit 64
    ;;
esac

# give GROUP SOURCE TARGET: in one step, so that no reader sees half a file.
give() {
    install -m 0440 "$2" "$3.new"
    chgrp "$1" "$3.new"
    mv -f "$3.new" "$3"
}

authority=/authority
issue-development-certificates --out "$authority" --trust-domain "${TRUST_DOMAIN:-stack.internal}" \
    ${PUBLIC_NAME:+--public-name "$PUBLIC_NAME"}

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
