#!/bin/sh
# Gives each person of infra/demo.json a random password of 120 bits: the demo people on standard
# input, what `app provision` reads on standard output. Each person stands on one line there.
set -eu

while IFS= read -r line; do
    case "$line" in
    *'"role":'*)
        password=$(od -An -N15 -tx1 /dev/urandom | tr -d ' \n')
        printf '%s"password": "%s", "role":%s\n' "${line%\"role\":*}" "$password" "${line##*\"role\":}"
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done
