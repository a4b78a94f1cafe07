# pgbench with so many clients, as fast as it can or at a rate.
# shellcheck shell=sh
exec pgbench --no-vacuum --time=86400 --client="$1" ${2:+"--rate=$2"} pgbench
