# A Redis or Valkey server (`name` comes before) with both kinds of persistence, and 10,000 keys of 400 bytes for each
# unit of size.
# shellcheck shell=sh disable=SC2154 # follows guest/mounts.sh
echo "$settings" >>"/etc/$name/$name.conf"
systemctl enable --quiet "$name-server"
systemctl start "$name-server" || {
	tail "/var/log/$name/$name-server.log" >&2
	exit 1
}
"$name-cli" EVAL "for key = 1, ARGV[1] * 10000 do redis.call('SET', 'filler:' .. key, string.rep('x', 400)) end" \
	0 "$size" </dev/null >/dev/null
