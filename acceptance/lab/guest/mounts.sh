#!/bin/sh
# What every server begins with: its volumes, mounted. The database's own script follows; it finds these variables:
#   size        how much to put in, in its own unit
#   log         where a volume for logs is mounted, or nothing: then they lie with the data
#   tablespace  where a volume for a tablespace is mounted, or nothing
#   settings    lines for the database's configuration file
#
# mounts.sh SIZE LOG TABLESPACE SETTINGS [DEVICE:FSTYPE:MOUNT_POINT...]
set -eu
# shellcheck disable=SC2034 # for the script that follows
size=$1 log=$2 tablespace=$3 settings=$4
shift 4

# An XFS volume and the clone of its snapshot have one UUID and may be mounted on one kernel.
mount_options() {
	case $1 in
	xfs) echo defaults,nouuid,nofail ;;
	*) echo defaults,nofail ;;
	esac
}

# What the root volume has under a mount point goes along to the new volume, with its owner. A database would take
# lost+found for one of its own; fsck makes it again where it needs it.
add_mount() {
	uuid=$(blkid -p -s UUID -o value "/dev/$1")
	mkdir -p "$3" /mnt/new
	mount -t "$2" -o "$(mount_options "$2")" "/dev/$1" /mnt/new
	cp -a "$3/." /mnt/new/
	rm -rf /mnt/new/lost+found
	umount /mnt/new
	echo "UUID=$uuid $3 $2 $(mount_options "$2") 0 2" >>/etc/fstab
	mount "$3"
}

for volume; do
	device=${volume%%:*}
	rest=${volume#*:}
	add_mount "$device" "${rest%%:*}" "${rest#*:}"
done
systemctl daemon-reload

