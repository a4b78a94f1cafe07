# shellcheck shell=dash
# What a release asks of MySQL.

mysql_verify() { my_verify; }
