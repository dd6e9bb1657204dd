#!/bin/sh
# certificates.sh web|app
#
# Issues and renews the certificates of a tier, as the tier's user. With AWS Private CA, keys are generated on the
# machine and never leave its tmpfs; the CA receives a certificate request and returns a certificate for seven days.
# With an own CA, certificates and keys are in a secret that the operator updates. The tiers reload changed files
# automatically. Idempotent: renews only certificates that are due.
set -eu
umask 0377

tier=$1
folder=$RUNTIME_DIRECTORY
days=7
# In seconds. Renewal starts five days before expiry, so that an outage of the CA for days has no effect.
margin=$((5 * 24 * 3600))

work=$(mktemp -d "$folder/.new.XXXXXX")
chmod 0700 "$work"
trap 'rm -rf "$work"' EXIT

fail() {
    echo "certificates: $*" >&2
    exit 1
}

pca() {
    aws acm-pca "$@" --region "$AWS_REGION" --output text
}

# place NAME…: replaces each file atomically, the key first. A tier that reads between the two finds a key that does not
# match, keeps its current pair, and reads again a second later.
place() {
    for name in "$@"; do
        mv -f "$work/$name" "$folder/$name"
    done
}

# authority ARN NAME: downloads the certificate of a CA.
authority() {
    pca get-certificate-authority-certificate --certificate-authority-arn "$1" --query Certificate >"$work/$2"
    openssl x509 -in "$work/$2" -noout || fail "the certificate of $1 can't be read"
}

# judge NAME CA MARGIN: verifies that a certificate and key match, are valid for longer than the margin, and are issued by
# the CA.
judge() {
    openssl verify -CAfile "$2" -untrusted "$work/$1.pem" "$work/$1.pem" >/dev/null ||
        fail "$1 is not of the CA that it should be of"
    openssl x509 -in "$work/$1.pem" -noout -checkend "$3" >/dev/null || fail "$1 ends too soon"
    [ "$(openssl x509 -in "$work/$1.pem" -noout -pubkey)" = "$(openssl pkey -in "$work/$1.key" -pubout)" ] ||
        fail "$1 and its key don't fit"
}

# issue NAME SUBJECT-ALTERNATIVE-NAMES
issue() {
    if openssl x509 -in "$folder/$1.pem" -noout -checkend "$margin" >/dev/null 2>&1 &&
        openssl verify -CAfile "$work/own.pem" "$folder/$1.pem" >/dev/null 2>&1; then
        return
    fi
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
    openssl req -new -sha256 -key "$work/$1.key" -subj "/O=stack/CN=$tier" -addext "subjectAltName=$2" \
        -out "$work/$1.csr"
    # The template copies the names from the request, and forces an end-entity certificate.
    partition=${STACK_OWN_CA_ARN%%:acm-pca:*}
    certificate=$(pca issue-certificate --certificate-authority-arn "$STACK_OWN_CA_ARN" \
        --csr "fileb://$work/$1.csr" --signing-algorithm SHA256WITHECDSA \
        --template-arn "$partition:acm-pca:::template/EndEntityCertificate/V1" \
        --validity "Value=$days,Type=DAYS" --query CertificateArn)
    pca wait certificate-issued --certificate-authority-arn "$STACK_OWN_CA_ARN" --certificate-arn "$certificate"
    pca get-certificate --certificate-authority-arn "$STACK_OWN_CA_ARN" --certificate-arn "$certificate" \
        --query Certificate >"$work/$1.pem"
    judge "$1" "$work/own.pem" "$margin"
    place "$1.key" "$1.pem"
    echo "certificates: $1 renewed"
}

from_private_ca() {
    authority "$STACK_OWN_CA_ARN" own.pem
    authority "$STACK_PEER_CA_ARN" peers.pem
    place peers.pem
    case $tier in
    # The server certificate for the load balancer has a DNS name only, so that it cannot be used as web's identity.
    web)
        issue server "DNS:$STACK_DNS_NAME"
        issue client "URI:$STACK_IDENTITY"
        ;;
    app) issue server "DNS:$STACK_DNS_NAME,URI:$STACK_IDENTITY" ;;
    esac
}

# {"server": {"certificate": …, "key": …}, "client": {…}, "own": …, "peers": …}, all PEM; `client` for web
# only, `own` the CA of the certificates, `peers` the CAs of the tiers that this one connects to.
from_secret() {
    document=$(aws secretsmanager get-secret-value --region "$AWS_REGION" --secret-id "$STACK_IDENTITY_SECRET" \
        --query SecretString --output text)
    part() {
        printf '%s' "$document" | jq --join-output --exit-status "$1" >"$work/$2" || fail "the secret has no $1"
    }
    part .own own.pem
    part .peers peers.pem
    for name in $names; do
        part ".$name.certificate" "$name.pem"
        part ".$name.key" "$name.key"
        judge "$name" "$work/own.pem" 0
    done
    cmp --quiet "$work/peers.pem" "$folder/peers.pem" || place peers.pem
    for name in $names; do
        if cmp --quiet "$work/$name.pem" "$folder/$name.pem"; then
            continue
        fi
        place "$name.key" "$name.pem"
        echo "certificates: $name renewed"
    done
}

case $tier in
web) names='server client' ;;
app) names='server' ;;
*) fail "'$tier' has no certificates" ;;
esac
case $STACK_CERTIFICATE_AUTHORITY in
acm-pca) from_private_ca ;;
own) from_secret ;;
*) fail "STACK_CERTIFICATE_AUTHORITY is '$STACK_CERTIFICATE_AUTHORITY', not acm-pca or own" ;;
esac
