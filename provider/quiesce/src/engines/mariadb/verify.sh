# shellcheck shell=dash
# What a release asks of MariaDB.

mariadb_verify() { my_verify; }
