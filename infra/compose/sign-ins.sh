#!/bin/sh
# Adds a random password of 120 bits to each person of infra/demo.json, and the key of an authenticator app (160 bits in
# base32) where the role needs a second factor, and leaves out the machine clients, which need key pairs: reads that file
# from standard input and writes the input of `app provision`. Expects each person and each client on one line.
set -eu

while IFS= read -r line; do
    case "$line" in
    *'"role":'*)
        password=$(od -An -N15 -tx1 /dev/urandom | tr -d ' \n')
        case "$line" in
        *'"role": "patient"'*) totp= ;;
        *) totp=$(printf '"totp": "%s", ' "$(head -c 4096 /dev/urandom | LC_ALL=C tr -dc 'A-Z2-7' | head -c 32)") ;;
        esac
        printf '%s"password": "%s", %s"role":%s\n' "${line%\"role\":*}" "$password" "$totp" "${line##*\"role\":}"
        ;;
    *'"scopes":'*) ;;
    *) printf '%s\n' "$line" ;;
    esac
done
