#!/bin/sh
# Turns a process in fresh namespaces (mount, pid, uts, ipc, net, cgroup) into an instance: makes the root volume its
# root directory and what the kernel and udev would make on hardware (/proc, /sys, /dev), then becomes systemd.
#
# boot.sh MACHINE_DIR HOSTNAME CONSOLE_TTY LAB_BINARY [AGENT_SOCKET]
#
# MACHINE_DIR holds: devices ("node NAME MAJOR MINOR" and "link PATH TARGET" lines, below /dev), boot_id, agent.env; it
# receives init.pid. Until pivot_root everything runs from the host's own root.
set -eu
machine=$1 hostname=$2 console=$3 lab=$4 socket=${5-}
root=$machine/root

# /proc is still the host's: so is the pid.
read -r init_pid _ </proc/self/stat

dev=$machine/dev
mkdir -p "$root" "$dev"
mount -t tmpfs -o mode=0755,nosuid tmpfs "$dev"
mkdir "$dev/pts" "$dev/shm" "$dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5,nosuid,noexec devpts "$dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
ln -s fd/0 "$dev/stdin"
ln -s fd/1 "$dev/stdout"
ln -s fd/2 "$dev/stderr"
mknod -m 666 "$dev/null" c 1 3
mknod -m 666 "$dev/zero" c 1 5
mknod -m 666 "$dev/full" c 1 7
mknod -m 666 "$dev/random" c 1 8
mknod -m 666 "$dev/urandom" c 1 9
mknod -m 666 "$dev/tty" c 5 0
while read -r kind name one two; do
	mkdir -p "$dev/$(dirname "$name")"
	case $kind in
	node) mknod -m 660 "$dev/$name" b "$one" "$two" ;;
	link) ln -sf "$one" "$dev/$name" ;;
	esac
done <"$machine/devices"
: >"$dev/console"
mount --bind "$console" "$dev/console"

# From here on /dev is the instance's: the root file system is mounted from the name that it has there.
mount --rbind "$dev" /dev
mount -o relatime /dev/nvme0n1 "$root"
mount --move "$dev" "$root/dev"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# What is one for the whole kernel must not be changed from inside.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
if [ -e "$root/proc/sysrq-trigger" ]; then
	mount --bind /dev/null "$root/proc/sysrq-trigger"
fi

# A read-only /sys also tells systemd that there is no udev to wait for.
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$root/run"
mkdir -p "$root/run/lab" "$root/run/host"
# A boot id of its own, new with each boot.
cp "$machine/boot_id" "$root/run/lab/boot_id"
mount --bind "$root/run/lab/boot_id" "$root/proc/sys/kernel/random/boot_id"
: >"$root/run/lab/lab"
mount --bind "$lab" "$root/run/lab/lab"
mount -o remount,bind,ro "$root/run/lab/lab"
if [ -n "$socket" ]; then
	: >"$root/run/lab/agent.sock"
	mount --bind "$socket" "$root/run/lab/agent.sock"
	cp "$machine/agent.env" "$root/run/lab/agent.env"
fi

hostname "$hostname"
echo "$init_pid" >"$machine/init.pid.new"
mv "$machine/init.pid.new" "$machine/init.pid"

cd "$root"
pivot_root . run/host
# Everything of the host goes away with its root directory.
exec chroot . /bin/sh -c 'umount -l /run/host && exec env -i container=lab TERM=dumb SYSTEMD_COLORS=0 \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system' \
	</dev/null >/dev/null 2>&1
