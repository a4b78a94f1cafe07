# shellcheck shell=sh
# Puts the guest's PostgreSQL into a container, or back onto the guest: contain.sh in|out. Its volumes are bound in under other names, which only it knows.
set -eu
unit=postgresql@15-main.service
drop_in=/etc/systemd/system/$unit.d
cluster=/var/lib/postgresql/15/main
inside=/srv/db/15/main

systemctl stop "$unit"
case $1 in
in)
	ln -sfn /srv/log/15-main "$cluster/pg_wal"
	mkdir -p "$drop_in"
	cat >"$drop_in/container.conf" <<-UNIT
		[Service]
		Type=exec
		PIDFile=
		Delegate=yes
		ExecStart=
		ExecStart=/bin/sh /usr/local/lib/container.sh run db \
		/var/lib/postgresql:/srv/db,/srv/wal:/srv/log,/run/postgresql:/run/postgresql \
		/usr/lib/postgresql/15/bin/postgres -D $inside -c data_directory=$inside \
		-c config_file=/etc/postgresql/15/main/postgresql.conf -c external_pid_file=
		ExecStartPost=/bin/sh -c 'until /usr/lib/postgresql/15/bin/pg_isready -q -h /run/postgresql; do sleep 0.05; done'
		ExecStop=
		ExecStop=/bin/sh /usr/local/lib/container.sh stop db
		ExecReload=
		StandardError=append:/var/log/postgresql/postgresql-15-main.log
	UNIT
	;;
out)
	ln -sfn /srv/wal/15-main "$cluster/pg_wal"
	rm -r "$drop_in"
	;;
esac
systemctl daemon-reload
systemctl start "$unit"
# The root volume is captured too, and nobody holds it: what an image is to boot by is on disk by then.
sync
