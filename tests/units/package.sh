#!/bin/sh
# Installs the Debian package of a folder into a new root, and checks what whoever installs it relies on:
# the user, the folders, units that systemd accepts, a program that works, and a removal that keeps the lake.
# Needs root and debootstrap, and leaves nothing behind.
set -eu
dist=$(realpath "$1")
sample=$(realpath "$(dirname "$0")/../../data/complete-journey")
command -v debootstrap || apt-get install --yes debootstrap
root=$(mktemp -d)
chmod 755 "$root"
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$root"' EXIT
sources=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
debootstrap --variant=minbase --include=systemd "$suite" "$root" "$sources"
mount -t proc proc "$root/proc"
cp "$dist"/*.deb "$root/topsell.deb"
mkdir "$root/sample" && cp "$sample"/purchases-2017-01-0[1-3].csv.gz "$root/sample/"
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
in_root apt-get install --yes ./topsell.deb
in_root getent passwd topsell
in_root sh -c 'test "$(stat -c %U:%a /var/lib/topsell)" = topsell:750'
in_root sh -c 'test "$(stat -c %U:%a /var/lib/topsell/spool)" = topsell:2770'
in_root sh -c 'systemd-analyze verify --man=no /usr/lib/systemd/system/topsell-*'
in_root setpriv --reuid topsell --regid topsell --clear-groups topsell --lake /var/lib/topsell/lake ingest /sample
in_root setpriv --reuid topsell --regid topsell --clear-groups topsell --lake /var/lib/topsell/lake rank --as-of 2017-01-04
in_root topsell --lake /var/lib/topsell/lake show --limit 3 --format table
in_root apt-get remove --yes topsell
in_root sh -c '! command -v topsell && test -d /var/lib/topsell/lake/rankings'
echo "the package installs, works and goes"
