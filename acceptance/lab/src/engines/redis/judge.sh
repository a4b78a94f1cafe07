# What its owner would look at in an image of a Redis or Valkey server (`name` comes before).
# shellcheck shell=sh disable=SC2154

log=/var/log/$name/$name-server.log
data=/var/lib/$name

cli() {
	"$name-cli" -e "$@" </dev/null
}

# Of each counter and its list: both together, in one command, and the list without a gap.
sums="local counters, lists, gaps = 0, 0, 0
for _, key in ipairs(redis.call('KEYS', 'counter:*')) do
  local list = redis.call('LRANGE', 'list:' .. string.sub(key, 9), 0, -1)
  counters = counters + redis.call('GET', key)
  lists = lists + (list[#list] or 0)
  for i = 2, #list do
    if list[i] - list[i - 1] ~= 1 then gaps = gaps + 1 end
  end
end
return {string.format('counters %d', counters), string.format('lists %d', lists + gaps)}"

# Numbers, a line each, as ranges without a gap inside.
ranges() {
	awk 'NR > 1 && $1 == last + 1 { last = $1; next }
		NR > 1 { print first "-" last }
		{ first = last = $1 }
		END { if (NR > 0) print first "-" last }'
}

# What it said of its files since the last start.
check_log() {
	awk '/ is starting oO0OoO0OoO0Oo/ { lines = 0 }
		/ # / && /AOF|RDB|append only|corrupt|trunca/ && lines < 1000 { line[lines++] = $0 }
		END { for (n = 0; n < lines; n++) print line[n] }' "$log"
}

check_file() {
	"$1" "$2" >/run/check 2>&1 || echo "$1 $2: $(grep . /run/check | tail -n 1)"
}

# An automatic rewrite would take files away from under the check.
rewrites_no_more() {
	cli CONFIG SET auto-aof-rewrite-percentage 0 >/dev/null || return
	while cli INFO persistence | grep -qE '^aof_rewrite_(in_progress|scheduled):1'; do sleep 0.1; done
}

check_files() {
	rewrites_no_more || return
	check_file "$name-check-aof" "$data/appendonlydir/appendonly.aof.manifest"
	# There is none before the first one is made.
	[ ! -e "$data/dump.rdb" ] || check_file "$name-check-rdb" "$data/dump.rdb"
}

case $1 in
log) cat "$log" ;;
sums) cli EVAL "$sums" 0 ;;
ledger)
	numbers=$(cli LRANGE ledger 0 -1) || exit
	[ -z "$numbers" ] || echo "$numbers" | ranges
	;;
checks) check_log && check_files ;;
esac
