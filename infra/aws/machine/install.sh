#!/bin/sh
# install.sh web|app|migration
#
# Installs the release that contains this file, as /etc/stack/install.env configures it. Idempotent: existing data stays
# unchanged.
set -eu
umask 0022

settings=/etc/stack/install.env
release=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
machine=/opt/stack/machine

fail() {
    echo "install: $*" >&2
    exit 64
}

# setting NAME: the value of a setting. The file is parsed and not executed.
setting() {
    sed -n "s/^$1=//p" "$settings" | tail -n 1
}

required() {
    value=$(setting "$1")
    [ -n "$value" ] || fail "$1 is not set in $settings"
    printf '%s\n' "$value"
}

# Keeps memory off disks: no swap, no core dumps, no hibernation.
keep_memory_off_disks() {
    swapoff --all
    sed -i '/[[:space:]]swap[[:space:]]/d' /etc/fstab
    install -D -m 0644 system/sysctl.conf /etc/sysctl.d/60-stack.conf
    install -D -m 0644 system/coredump.conf /etc/systemd/coredump.conf.d/stack.conf
    install -D -m 0644 system/journald.conf /etc/systemd/journald.conf.d/stack.conf
    install -D -m 0644 system/manager.conf /etc/systemd/system.conf.d/stack.conf
    systemctl --quiet mask swap.target hibernate.target suspend.target
    # Operators connect through Session Manager.
    systemctl --quiet mask ssh.service ssh.socket
    systemctl restart systemd-sysctl.service systemd-journald.service
}

# The device of the data volume: by its name, or the only disk without partitions and file system.
empty_disk() {
    if [ -b "$1" ]; then
        printf '%s\n' "$1"
        return
    fi
    lsblk --json --paths --output NAME,TYPE,FSTYPE,MOUNTPOINT | jq --raw-output '
        [.blockdevices[] | select(.type == "disk" and .children == null and .fstype == null and .mountpoint == null)]
        | if length == 1 then .[0].name else error("\(length) disks are empty, not one") end'
}

# EBS encrypts the volume under the key for volumes. Services write only to this volume.
mount_data_volume() {
    if mountpoint --quiet /var/lib/stack; then
        return
    fi
    if ! blkid --label stack-data >/dev/null; then
        disk=$(empty_disk "$(required STACK_DATA_DEVICE)")
        [ -n "$disk" ] || fail "there is no disk for the data volume"
        mkfs.ext4 -q -L stack-data -m 0 "$disk"
        udevadm settle
    fi
    systemctl enable --now var-lib-stack.mount
}

install_release() {
    rm -rf /opt/stack.new
    install -d -m 0755 /opt/stack.new /opt/stack.new/bin
    for program in $programs; do
        install -m 0755 "$release/bin/$program" /opt/stack.new/bin/
    done
    cp -R "$release/machine" /opt/stack.new/
    chmod -R u=rwX,go=rX /opt/stack.new
    chown -R root:root /opt/stack.new
    if [ -d /opt/stack ]; then
        rm -rf /opt/stack.old
        mv /opt/stack /opt/stack.old
    fi
    mv /opt/stack.new /opt/stack
    rm -rf /opt/stack.old
}

# Contains no secrets: the same values are in the user data.
write_environment() {
    target=/etc/stack/$tier.env
    {
        cat "environment/$tier.env"
        grep -E "^($variables)=" "$settings" || true
    } >"$target.new"
    chmod 0644 "$target.new"
    mv -f "$target.new" "$target"
    chmod 0755 /etc/stack
    chmod 0644 "$settings"
}

# Only the CAs of the bundle for this region are trusted for the database.
trust_database() {
    bundle=/usr/local/share/stack/rds-ca.pem
    [ -s "$bundle" ] || fail "$bundle is missing: the image has to bring it"
    region=$(required AWS_REGION)
    work=$(mktemp -d)
    csplit --quiet --prefix="$work/ca" --elide-empty-files "$bundle" '/-BEGIN CERTIFICATE-/' '{*}'
    for ca in "$work"/ca*; do
        subject=$(openssl x509 -in "$ca" -noout -subject 2>/dev/null) || continue
        case $subject in
        *"Amazon RDS $region Root CA"*) openssl x509 -in "$ca" -checkend 0 >/dev/null && openssl x509 -in "$ca" ;;
        esac
    done >"$work/region.pem"
    [ -s "$work/region.pem" ] || fail "$bundle holds no CA of $region that is valid"
    install -m 0644 "$work/region.pem" /etc/stack/rds-ca.pem
    rm -rf "$work"
}

install_units() {
    for unit in $units; do
        install -m 0644 "units/$unit" /etc/systemd/system/
    done
    systemctl daemon-reload
}

install_agent() {
    etc=/opt/aws/amazon-cloudwatch-agent/etc
    [ -d "$etc" ] || fail "$etc is missing: the image has to bring the CloudWatch agent"
    for file in "$tier.json" prometheus.yaml; do
        sed -e "s|@REGION@|$(required AWS_REGION)|g" \
            -e "s|@NAMESPACE@|$(required STACK_METRIC_NAMESPACE)|g" \
            -e "s|@LOG_GROUP@|$(required STACK_LOG_GROUP)|g" \
            -e "s|@SYSTEM_LOG_GROUP@|$(required STACK_SYSTEM_LOG_GROUP)|g" \
            "agent/$file" >"$etc/$file.new"
    done
    mv -f "$etc/$tier.json.new" "$etc/amazon-cloudwatch-agent.json"
    mv -f "$etc/prometheus.yaml.new" "$etc/prometheus.yaml"
    agent=/var/lib/stack/agent
    install -d -m 0750 -o cwagent -g cwagent "$agent" "$agent/logs" "$agent/var"
    chown -R cwagent:cwagent "$etc"
    install -D -m 0644 units/amazon-cloudwatch-agent.service.d/stack.conf \
        /etc/systemd/system/amazon-cloudwatch-agent.service.d/stack.conf
    systemctl daemon-reload
    systemctl --quiet enable amazon-cloudwatch-agent.service
    systemctl restart amazon-cloudwatch-agent.service
}

tier=${1:-}
case $tier in
web)
    programs='web'
    variables='WEB_[A-Z0-9_]*|LOG'
    units='var-lib-stack.mount certificates@.service certificates@.timer web.service web-https.socket web-http.socket'
    started='certificates@web.timer web-https.socket web-http.socket web.service'
    ;;
app)
    programs='app'
    variables='APP_[A-Z0-9_]*|DATABASE_[A-Z0-9_]*|KEY_[A-Z0-9_]*|SESSION_[A-Z0-9_]*|AWS_REGION|LOG'
    units='var-lib-stack.mount certificates@.service certificates@.timer secrets@.service app.service'
    started='certificates@app.timer app.service'
    ;;
migration)
    programs='migrate'
    variables='DATABASE_[A-Z0-9_]*'
    units='var-lib-stack.mount secrets@.service migration.service'
    started='migration.service'
    ;;
*) fail "'$tier' is not known; there are web, app and migration" ;;
esac
[ -r "$settings" ] || fail "$settings is missing"
[ "$(required STACK_TIER)" = "$tier" ] || fail "$settings is for another tier"

cd "$release/machine"
systemd-sysusers "$release/machine/system/sysusers.conf"
keep_memory_off_disks
install_units
mount_data_volume
install_release
cd "$machine"
write_environment
[ "$tier" = web ] || trust_database
install_agent
# shellcheck disable=SC2086 # a list of names
systemctl --quiet enable $started
# shellcheck disable=SC2086
systemctl --no-block restart $started
