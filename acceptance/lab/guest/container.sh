#!/bin/sh
# Runs a server in a container, as engines of containers do and without one: an overlay for its root directory, namespaces and a cgroup of its own,
# volumes of the guest's bound in. It is started by the server's unit, which delegates it a cgroup.
#
# container.sh run NAME HOST:INSIDE[,HOST:INSIDE...] COMMAND...
# container.sh stop NAME
#
# Its image has nothing but what the guest has in /usr and /etc.
set -eu
action=$1 home=/var/lib/containers/$2
pid_file=/run/container-$2.pid
shift 2

# Becomes the container's first process. /proc is still the guest's: so is the pid.
become() {
	volumes=$1
	shift
	root=$home/merged
	cgroup=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/payload
	mkdir -p "$cgroup"
	echo 0 >"$cgroup/cgroup.procs"
	mount -t overlay -o "lowerdir=$home/image,upperdir=$home/upper,workdir=$home/work" overlay "$root"
	mount --bind -o ro /usr "$root/usr"
	mount --bind -o ro /etc "$root/etc"
	mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
	mount -t tmpfs -o mode=0755,nosuid dev "$root/dev"
	mkdir -m 1777 "$root/dev/shm"
	for node in null zero full random urandom; do
		: >"$root/dev/$node"
		mount --bind "/dev/$node" "$root/dev/$node"
	done
	mount -t tmpfs -o mode=0755,nosuid,nodev run "$root/run"
	rest=$volumes,
	while [ -n "$rest" ]; do
		volume=${rest%%,*} rest=${rest#*,}
		mkdir -p "$root${volume#*:}"
		mount --bind "${volume%%:*}" "$root${volume#*:}"
	done
	read -r pid _ </proc/self/stat
	echo "$pid" >"$pid_file"
	cd "$root"
	pivot_root . .old
	exec chroot . /bin/sh -c 'umount -l /.old && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"' sh "$@"
}

case $action in
run)
	mkdir -p "$home/merged" "$home/upper" "$home/work"
	for place in usr etc proc dev run tmp srv var .old; do mkdir -p "$home/image/$place"; done
	chmod 1777 "$home/image/tmp"
	for name in bin sbin lib lib64; do ln -sfn "usr/$name" "$home/image/$name"; done
	ln -sfn ../run "$home/image/var/run"
	rm -f "$pid_file"
	exec unshare --mount --pid --ipc --uts --net --fork /bin/sh "$0" become "${home##*/}" "$@"
	;;
become) become "$@" ;;
stop)
	read -r pid <"$pid_file"
	kill -INT "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	;;
esac
