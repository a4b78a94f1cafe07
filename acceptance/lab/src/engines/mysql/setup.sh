# What MySQL's set-up has of its own.
# shellcheck shell=sh disable=SC2034 # for the script that follows
client=mysql unit=mysql configuration=/etc/mysql/mysql.conf.d/zz-lab.cnf counters=MyISAM

make_data_directory() {
	runuser -u mysql -- mysqld --initialize-insecure </dev/null
}

only_root_by_socket() {
	mysql <<-SQL
		INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
		ALTER USER root@localhost IDENTIFIED WITH auth_socket;
	SQL
}

