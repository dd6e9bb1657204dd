#!/bin/sh
# Adds a random password of 120 bits to each person of infra/demo.json: reads that file from standard
# input and writes the input of `app provision`. Expects each person on one line.
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
