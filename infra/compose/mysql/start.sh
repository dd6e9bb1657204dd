#!/bin/sh
# Runs the server. A new database begins as a copy of the data folder of the image, which has no data
# and only the account root. Before the server accepts connections it executes the accounts file:
# no account is left that can sign in without a client certificate.
set -eu

if [ ! -d /data/mysql ]; then
    # Renamed, so that an interrupted copy is not mistaken for a database.
    rm -rf /data/new
    cp -a /initialized/mysql /data/new
    mv /data/new /data/mysql
fi

{
    echo "DROP USER IF EXISTS 'root'@'localhost';"
    sed -e '/^--/d' -e '/^$/d' \
        -e "s|{{database}}|$DATABASE_NAME|g" \
        -e "s|{{organization}}|$TRUST_DOMAIN|g" \
        -e "s|{{issuer}}|/O=$TRUST_DOMAIN/CN=stack database client CA|g" \
        /etc/stack/accounts.sql
} >/tmp/accounts.sql

exec mysqld --defaults-file=/etc/stack/my.cnf --init-file=/tmp/accounts.sql
