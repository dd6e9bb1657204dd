#!/bin/sh
# secrets.sh app|migration
#
# Fetches what the programs of this machine are to know into files of the tmpfs that systemd made for
# it, and finds out under which root keys of KMS it works. As the tier's own user, with the role of the
# machine; what is fetched passes through no argument and no environment.
set -eu
umask 0377

tier=$1
folder=$RUNTIME_DIRECTORY

# put NAME: standard input becomes a file, in one step and not when it is empty.
put() {
    rm -f "$folder/.$1"
    cat >"$folder/.$1"
    [ -s "$folder/.$1" ]
    mv -f "$folder/.$1" "$folder/$1"
}

# password SECRET NAME
password() {
    document=$(aws secretsmanager get-secret-value --region "$AWS_REGION" --secret-id "$1" \
        --query SecretString --output text)
    printf '%s' "$document" | jq --join-output --exit-status .password | put "$2"
}

# Ids, not ARNs: they name keys of this account and region alone, and a replica in another region has
# the same one. Not aliases: what wrapped a key is written down under this name, and an alias moves.
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
