#!/bin/bash
# Boots systemd as the first process of namespaces of its own, on a throw-away
# layer over the file system below BASE, such as this machine's own. The network is the
# caller's.
#
#   boot.sh BASE ROOT LAYER CGROUPS DIRECTORY…
#
# ROOT is where the new root is mounted, LAYER an empty directory for what is
# written, CGROUPS the directories of new groups, one word, in the hierarchies that
# systemd keeps its units in: another one there would remove its groups. The other
# directories are there inside too, whatever file system they are on. All of it
# goes when the process ends, which kills what runs inside.
set -euo pipefail
export BASE=$1 ROOT=$2 LAYER=$3
cgroups=$4
shift 4

for cgroup in $cgroups; do
  mkdir "$cgroup"
  echo $$ >"$cgroup/cgroup.procs"
done
exec unshare --mount --propagation private --pid --fork --kill-child --cgroup --uts --ipc bash -euc '
mount -t tmpfs tmpfs "$LAYER"
mkdir "$LAYER/upper" "$LAYER/work"
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$LAYER/upper,workdir=$LAYER/work" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --bind -o ro "$ROOT/proc/sys" "$ROOT/proc/sys" # sysctls belong to the machine
mount -o remount,bind,ro "$ROOT/proc/sys"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
for directory in "$@"; do
  own=$LAYER$directory
  mkdir -p "$own/upper" "$own/work" "$ROOT$directory"
  mount -t overlay overlay -o "lowerdir=$directory,upperdir=$own/upper,workdir=$own/work" "$ROOT$directory"
done
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for device in null zero full random urandom tty; do
  touch "$ROOT/dev/$device"
  mount --bind "/dev/$device" "$ROOT/dev/$device"
done
mkdir "$ROOT/dev/shm" "$ROOT/dev/pts"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
if [ -d /sys/fs/cgroup/systemd ]; then # the older hierarchies
  mount -t tmpfs tmpfs "$ROOT/sys/fs/cgroup"
  for hierarchy in /sys/fs/cgroup/*; do
    mountpoint -q "$hierarchy" && [ ! -L "$hierarchy" ] || continue
    mkdir "$ROOT$hierarchy"
    case $hierarchy in
    */unified) ;;
    */systemd) mount -t cgroup -o none,name=systemd cgroup "$ROOT$hierarchy" ;;
    *) mount -t cgroup -o "${hierarchy##*/}" cgroup "$ROOT$hierarchy" ;;
    esac
  done
else
  mount -t cgroup2 cgroup "$ROOT/sys/fs/cgroup"
fi

# Nothing starts but what the tests ask for.
cat >"$ROOT/etc/systemd/system/tests.target" <<TARGET
[Unit]
Requires=basic.target
After=basic.target
AllowIsolate=yes
TARGET
for unit in systemd-udevd systemd-udev-trigger systemd-networkd systemd-resolved systemd-timesyncd systemd-binfmt systemd-firstboot systemd-update-utmp e2scrub_reap; do
  ln -sf /dev/null "$ROOT/etc/systemd/system/$unit.service"
done
rm -f "$ROOT"/etc/systemd/system/*.wants/*
ln -sf /dev/null "$ROOT/etc/tmpfiles.d/tmp.conf" # it empties /tmp
echo >"$ROOT/etc/fstab"
mkdir "$ROOT/run/tests"
# Within a mere chroot a unit may have no user namespace.
cd "$ROOT"
pivot_root . mnt
umount --lazy /mnt
mount --make-rshared / # as systemd does itself outside of containers
exec env -i container=tests PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
  /lib/systemd/systemd --system --unit=tests.target --show-status=false --log-target=journal --log-level=info' boot "$@"
