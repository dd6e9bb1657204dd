#!/bin/sh
# secrets.sh app|migration
#
# Downloads the secrets of the machine's programs into files on the tmpfs that systemd creates for the unit, and resolves
# the ids of the KMS root keys. Runs as the tier's user with the role of the machine. No secret is in an argument or in
# the environment.
set -eu
umask 0377

tier=$1
folder=$RUNTIME_DIRECTORY

# put NAME: writes standard input to a file atomically; fails if it is empty.
put() {
    rm -f "$folder/.$1"
    cat >"$folder/.$1"
    [ -s "$folder/.$1" ]
    mv -f "$folder/.$1" "$folder/$1"
}

# password SECRET NAME: downloads a password.
password() {
    document=$(aws secretsmanager get-secret-value --region "$AWS_REGION" --secret-id "$1" \
        --query SecretString --output text)
    printf '%s' "$document" | jq --join-output --exit-status .password | put "$2"
}

# Ids, not ARNs: an id is valid only in this account and region, and a replica in another region has the same id. Not
# aliases: wrapped keys store the id of their root key, and an alias can be moved.
root_keys() {
    aws kms list-aliases --region "$AWS_REGION" --output json |
        jq --raw-output --exit-status --arg ours "alias/$STACK_PROJECT/$STACK_ENVIRONMENT/" '
            [.Aliases[] | select(.TargetKeyId and (.AliasName | startswith($ours)))
                | {key: (.AliasName | ltrimstr($ours)), value: .TargetKeyId}] as $named
            | ($named | from_entries) as $keys
            | ($keys["phi/current"] // error("no alias phi/current")) as $current
            | ($keys["phi-mac"] // error("no alias phi-mac")) as $mac
            | ([$named[] | select(.key | startswith("phi/")) | .value] | unique - [$current]) as $former
            | "KMS_KEY_ID=\($current)", "KMS_MAC_KEY_ID=\($mac)", "KMS_FORMER_KEY_IDS=\($former | join(","))"' |
        put keys.env
}

password "$STACK_DATABASE_SECRET" database-password
case $tier in
app) root_keys ;;
migration) password "$STACK_DATABASE_MASTER_SECRET" master-password ;;
esac
