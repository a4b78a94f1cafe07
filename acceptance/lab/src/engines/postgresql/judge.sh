# What its owner would look at in an image of a PostgreSQL server under pgbench.
# shellcheck shell=sh

as_postgres() {
	(cd / && runuser -u postgres -- "$@" </dev/null)
}

query() {
	as_postgres psql -XqAt -v ON_ERROR_STOP=1 -d pgbench -c "$1"
}

# Debian keeps pg_amcheck off the PATH. It ends with 0 for nothing found, 2 for corruption, 1 for a check that could
# not be made.
checks() {
	as_postgres /usr/lib/postgresql/15/bin/pg_amcheck --all --install-missing --heapallindexed --parent-check
	status=$?
	[ "$status" = 2 ] || return "$status"
}

case $1 in
log) cat /var/log/postgresql/postgresql-15-main.log ;;
sums)
	query "SELECT 'accounts ' || coalesce(sum(abalance), 0) FROM pgbench_accounts
		UNION ALL SELECT 'branches ' || coalesce(sum(bbalance), 0) FROM pgbench_branches
		UNION ALL SELECT 'tellers ' || coalesce(sum(tbalance), 0) FROM pgbench_tellers
		UNION ALL SELECT 'history ' || coalesce(sum(delta), 0) FROM pgbench_history"
	;;
ledger)
	query "SELECT min(sequence) || '-' || max(sequence)
		FROM (SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS island FROM ledger) AS numbered
		GROUP BY island ORDER BY min(sequence)"
	;;
checks) checks ;;
esac
