# shellcheck shell=dash
# What a stop asks of MariaDB.

mariadb_remember() { my_remember; }
mariadb_is_serving() { my_is_serving; }
mariadb_is_down() { my_is_down; }
mariadb_tell_position() { mariadb_statements && my_tell_position; }
