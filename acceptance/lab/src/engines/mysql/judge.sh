# What its owner would look at in an image of the bank. `client` and `unit` come before.
# shellcheck shell=sh disable=SC2154

log=/var/log/mysql/error.log

query() {
	"$client" --batch --skip-column-names bank -e "$1" </dev/null
}

# Table, operation, kind, message.
check_tables() {
	all=$(query "SELECT CONCAT('CHECK TABLE \`', table_schema, '\`.\`', table_name, '\` EXTENDED;')
		FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND engine IN ('InnoDB', 'MyISAM', 'Aria')") || return
	echo "$all" | "$client" --batch --skip-column-names
}

# Between a tick's line and its count there may be a cut, and nothing else. A table that is too broken to be read is found.
check_ticks() {
	query "SELECT CONCAT('ticks of client ', counters.client, ': ', COUNT(ticks.tick), ' lines up to ',
			COALESCE(MAX(ticks.tick), 0), ', counted ', counters.tick)
		FROM counters LEFT JOIN ticks ON ticks.client = counters.client
		GROUP BY counters.client, counters.tick
		HAVING COUNT(ticks.tick) <> COALESCE(MAX(ticks.tick), 0)
			OR COALESCE(MAX(ticks.tick), 0) - counters.tick NOT IN (0, 1)" 2>&1 || true
}

# What InnoDB said since the last start.
check_log() {
	awk '/ as process [0-9]/ { lines = 0 }
		/\[ERROR\]/ && /InnoDB/ && lines < 1000 { line[lines++] = $0 }
		END { for (n = 0; n < lines; n++) print line[n] }' "$log"
}

# The server has to be down for it.
check_pages() {
	systemctl stop "$unit" || return
	find /var/lib/mysql \( -name '*.ibd' -o -name 'ibdata*' -o -name 'undo_*' -o -name 'undo0*' \) -type f |
		while read -r file; do
			case $client$file in
			# Its pages 64 to 191 are the doublewrite buffer: other files' pages with other files' checksums.
			mariadb*/ibdata1) check_file "$file" --end-page=63 && check_file "$file" --start-page=192 ;;
			*) check_file "$file" ;;
			esac
		done
}

check_file() {
	innochecksum "$@" </dev/null >/run/innochecksum 2>&1 || echo "innochecksum $*: $(grep -m 1 . /run/innochecksum)"
}

case $1 in
log) cat "$log" ;;
sums)
	query "SELECT 'out', COALESCE(-SUM(balance), 0) FROM checking
		UNION ALL SELECT 'in', COALESCE(SUM(balance), 0) FROM savings
		UNION ALL SELECT 'logged', COALESCE(SUM(amount), 0) FROM transfers"
	;;
ledger)
	query "SELECT CONCAT(MIN(sequence), '-', MAX(sequence))
		FROM (SELECT sequence, sequence - ROW_NUMBER() OVER (ORDER BY sequence) AS island FROM ledger) AS numbered
		GROUP BY island ORDER BY MIN(sequence)"
	;;
checks) check_tables && check_ticks && check_log && check_pages ;;
esac
