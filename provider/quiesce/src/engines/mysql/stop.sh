# shellcheck shell=dash
# What a stop asks of MySQL.

mysql_remember() { my_remember; }
mysql_is_serving() { my_is_serving; }
mysql_is_down() { my_is_down; }
mysql_tell_position() { mysql_statements && my_tell_position; }
