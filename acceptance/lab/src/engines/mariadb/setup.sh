# What MariaDB's set-up has of its own.
# shellcheck shell=sh disable=SC2034 # for the script that follows
client=mariadb unit=mariadb configuration=/etc/mysql/mariadb.conf.d/zz-lab.cnf counters=Aria

make_data_directory() {
	mariadb-install-db --user=mysql --auth-root-authentication-method=socket >/dev/null </dev/null
}

# It is so from the beginning.
only_root_by_socket() {
	:
}

