# A PostgreSQL cluster with checksums and a pgbench database of this scale.
# shellcheck shell=sh disable=SC2154 # follows guest/mounts.sh
data=/var/lib/postgresql/15/main
wal=${log:+$log/15-main}
index=${tablespace:+$tablespace/15-main}

as_postgres() {
	(cd / && runuser -u postgres -- "$@")
}

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
as_postgres pgbench -q -i -s "$size" ${index:+--index-tablespace=fast} pgbench
as_postgres psql -q -d pgbench -c 'CREATE EXTENSION amcheck' -c CHECKPOINT
