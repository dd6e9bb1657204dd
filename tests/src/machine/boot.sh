#!/bin/sh
# boot.sh LOWER WORK: in namespaces of its own, starts systemd as the first process of a Debian system.
# Writes are kept in memory; the data volume is a separate file system, as on AWS.
set -eu
lower=$1 work=$2

mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/root"
cd "$work/root"

mount -t proc -o nosuid,noexec,nodev proc proc
# Kernel settings are shared with the host: the machine may not change them.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs sys
mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755,nosuid tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs run
mount -t tmpfs -o nosuid,nodev tmpfs tmp
mkdir -p var/lib/stack
mount -t tmpfs -o mode=0755,nosuid,nodev,noexec data var/lib/stack

pivot_root . mnt
umount --lazy /mnt
# As systemd does outside of containers: its mounts for a unit are visible to the unit.
mount --make-rshared /
export container=stack
exec /lib/systemd/systemd --log-target=console --show-status=no
