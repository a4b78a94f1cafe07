#!/bin/sh
# Makes a production server of a fresh instance: mounts, a PostgreSQL cluster with checksums, a pgbench database.
# Runs once, inside the instance, when a golden image is built.
#
# server.sh SCALE DATA_DIR WAL_DIR INDEX_DIR SETTINGS [DEVICE:FSTYPE:MOUNT_POINT...]
#
# WAL_DIR and INDEX_DIR may be empty: then WAL and indexes lie in the data directory. SETTINGS are lines of
# postgresql.conf.
set -eu
scale=$1 data=$2 wal=$3 index=$4 settings=$5
shift 5

# An XFS volume and the clone of its snapshot have one UUID and may be mounted on one kernel.
mount_options() {
	case $1 in
	xfs) echo defaults,nouuid,nofail ;;
	*) echo defaults,nofail ;;
	esac
}

# What the root volume has under a mount point goes along to the new volume.
add_mount() {
	uuid=$(blkid -p -s UUID -o value "/dev/$1")
	mkdir -p "$3" /mnt/new
	mount -t "$2" -o "$(mount_options "$2")" "/dev/$1" /mnt/new
	cp -a "$3/." /mnt/new/
	umount /mnt/new
	echo "UUID=$uuid $3 $2 $(mount_options "$2") 0 2" >>/etc/fstab
	mount "$3"
}

as_postgres() {
	(cd / && runuser -u postgres -- "$@")
}

for volume; do
	device=${volume%%:*}
	rest=${volume#*:}
	add_mount "$device" "${rest%%:*}" "${rest#*:}"
done

for dir in "${data%/*}" ${wal:+"${wal%/*}"} ${index:+"$index"}; do
	install -d -o postgres -g postgres "$dir"
done
# Segments of 1 MiB: max_wal_size cannot be less than two, and a small server's is small.
pg_createcluster 15 main --datadir "$data" -- --data-checksums --wal-segsize=1 ${wal:+"--waldir=$wal"}
echo "$settings" >/etc/postgresql/15/main/conf.d/lab.conf
systemctl daemon-reload
systemctl start postgresql@15-main.service

as_postgres createdb pgbench
if [ -n "$index" ]; then
	as_postgres psql -q -d pgbench -c "CREATE TABLESPACE fast LOCATION '$index'"
fi
as_postgres pgbench -q -i -s "$scale" ${index:+--index-tablespace=fast} pgbench
as_postgres psql -q -d pgbench -c 'CREATE EXTENSION amcheck' -c CHECKPOINT
