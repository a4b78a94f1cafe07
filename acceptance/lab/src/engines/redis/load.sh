# Clients that count: each command raises one of a thousand counters and appends it to the counter's list, of which the
# last hundred stay.
# shellcheck shell=sh disable=SC2154 # `name` comes before
count="local n = redis.call('INCR', 'counter:' .. ARGV[1])
redis.call('RPUSH', 'list:' .. ARGV[1], n)
redis.call('LTRIM', 'list:' .. ARGV[1], -100, -1)
return n"
clients=$1 rate=${2:-0}

commands() {
	"$name-benchmark" -q -c "$clients" -n "$1" -r 1000 EVAL "$count" 0 __rand_int__ >/dev/null
}

[ "$rate" != 0 ] || commands 2000000000
while commands "$((rate / 10))"; do
	sleep 0.1
done
