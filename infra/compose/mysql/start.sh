#!/bin/sh
# Makes the data folder on first start, then runs the server. Before it admits anyone it executes
# the accounts file: no account is left that can sign in without a client certificate.
set -eu

configuration=/etc/stack/my.cnf
if [ ! -d /data/mysql ]; then
    # Aside and renamed, so that a start that was interrupted is not mistaken for a database.
    rm -rf /data/new
    mysqld --defaults-file="$configuration" --datadir=/data/new --initialize-insecure
    mv /data/new /data/mysql
fi

organization=${TRUST_DOMAIN:-stack.internal}
{
    echo "DROP USER IF EXISTS 'root'@'localhost';"
    sed -e '/^--/d' -e '/^$/d' \
        -e "s|{{database}}|${DATABASE_NAME:-stack}|g" \
        -e "s|{{organization}}|$organization|g" \
        -e "s|{{subject}}|/O=$organization/CN=|g" \
        -e "s|{{issuer}}|/O=$organization/CN=stack database client CA|g" \
        /etc/stack/accounts.sql
} >/tmp/accounts.sql

exec mysqld --defaults-file="$configuration" --init-file=/tmp/accounts.sql
