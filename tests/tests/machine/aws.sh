#!/bin/sh
# A simulated AWS CLI: the few calls of a machine, each with exactly the arguments that the machine passes.
# Authorities and secrets are in /usr/share/aws.
set -eu
here=/usr/share/aws
call="$1 $2"
shift 2
while [ $# -gt 0 ]; do
    case $1 in
    --region) [ "$2" = us-east-1 ] ;;
    --output) output=$2 ;;
    --query) query=$2 ;;
    --secret-id) secret=$2 ;;
    --certificate-authority-arn) authority=${2##*/} ;;
    --certificate-arn) certificate=${2##*/} ;;
    --csr) csr=${2#fileb://} ;;
    --signing-algorithm) [ "$2" = SHA256WITHECDSA ] ;;
    --template-arn) [ "$2" = arn:aws:acm-pca:::template/EndEntityCertificate/V1 ] ;;
    --validity) [ "$2" = "Value=7,Type=DAYS" ] ;;
    certificate-issued) ;;
    *) echo "aws: $call does not know $1" >&2 && exit 2 ;;
    esac || { echo "aws: $call $1 $2" >&2 && exit 2; }
    case $1 in certificate-issued) shift ;; *) shift 2 ;; esac
done
case "$call ${query:-} ${output:-}" in
"acm-pca get-certificate-authority-certificate Certificate text") cat "$here/$authority/ca.pem" ;;
"acm-pca issue-certificate CertificateArn text")
    # As the template says: the names of the request, and a leaf for both sides of TLS.
    certificate=$(openssl rand -hex 8)
    printf '%s\n' '[leaf]' 'basicConstraints = critical,CA:FALSE' \
        'keyUsage = critical,digitalSignature,keyEncipherment' 'extendedKeyUsage = serverAuth,clientAuth' >/tmp/leaf.cnf
    chmod 0600 /tmp/leaf.cnf
    openssl x509 -req -in "$csr" -CA "$here/$authority/ca.pem" -CAkey "$here/$authority/ca.key" -days 7 -sha256 \
        -copy_extensions copy -extfile /tmp/leaf.cnf -extensions leaf -out "/tmp/$certificate.pem" 2>/dev/null
    rm -f /tmp/leaf.cnf
    echo "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/$authority/certificate/$certificate"
    ;;
"acm-pca wait  text") [ -s "/tmp/$certificate.pem" ] ;;
"acm-pca get-certificate Certificate text") cat "/tmp/$certificate.pem" ;;
"secretsmanager get-secret-value SecretString text") cat "$here/secrets/$secret" ;;
"kms list-aliases  json") cat "$here/aliases.json" ;;
*) echo "aws: $call ${query:-} ${output:-} is not known" >&2 && exit 2 ;;
esac
