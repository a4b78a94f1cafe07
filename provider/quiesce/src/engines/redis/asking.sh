# shellcheck shell=dash
# Asking a server of Redis or Valkey by its own client; also what whoever lets go has to ask it.
#
# Every function here takes the server as arguments, first of all the client, the words before it, the ACL user, the root that the server's files lie beneath, the
# password's file and the configuration's file (each may be empty but the client), then "--" and the client's words for where to ask, a command behind them.

# How long the client may take, in s.
RD_LIMIT=5

# Where packages put the configuration, behind what was told.
RD_USUAL="/etc/redis/redis.conf /etc/valkey/valkey.conf /etc/redis.conf /etc/redis/6379.conf /usr/local/etc/redis.conf"

# What the server answers -> RD_ANSWER. The password stands in the client's environment alone: a command line can be read by everybody.
rd_ask() {
    local client="$1" enter="$2" user="$3" root="$4" password_file="$5" config_file="$6" file
    shift 7
    LINE=""
    [ -z "$password_file" ] || ! seen "$password_file" "$root" || first_line "$root$SEEN"
    rd_client "$client" "$enter" "$user" "$LINE" "$@"
    case $RD_ANSWER in *NOAUTH*) ;; *) return 0 ;; esac
    [ -z "$password_file" ] || return 0
    for file in $config_file $RD_USUAL; do
        seen "$file" "$root" && rd_requirepass "$root$SEEN" && rd_client "$client" "$enter" "$user" "$RD_PASSWORD" "$@" || continue
        case $RD_ANSWER in *NOAUTH*) ;; *) return 0 ;; esac
    done
}

# The same with password $4, none where it is empty.
rd_client() {
    local client="$1" enter="$2" user="$3" password="$4"
    shift 4
    [ -z "$user" ] || set -- --user "$user" "$@"
    limit "$RD_LIMIT"
    RD_ANSWER=$(
        unset REDISCLI_AUTH VALKEYCLI_AUTH
        # shellcheck disable=SC2030 # the client's own
        [ -z "$user$password" ] || export "REDISCLI_AUTH=$password" "VALKEYCLI_AUTH=$password"
        # shellcheck disable=SC2086 # words
        exec $LIMIT $enter "$client" "$@" 2>&1 </dev/null
    )
    RD_ANSWER=$(printf '%s' "$RD_ANSWER" | tr -d '\r')
}

# The password that configuration file $1 asks of clients -> RD_PASSWORD; fails where it tells none.
rd_requirepass() {
    local key value
    RD_PASSWORD=""
    [ -r "$1" ] || return 1
    while read -r key value; do
        [ "$key" != requirepass ] || RD_PASSWORD=$value
    done <"$1"
    case $RD_PASSWORD in \"*\" | \'*\') RD_PASSWORD=${RD_PASSWORD#?} RD_PASSWORD=${RD_PASSWORD%?} ;; esac
    [ -n "$RD_PASSWORD" ]
}

# Lets the clients' writes go on, which by themselves they do at uptime $1, or when the server, process $2, is gone; the other words: the server.
rd_unpause() {
    local until="$1" pid="$2"
    shift 2
    rd_ask "$@" CLIENT UNPAUSE
    now
    [ "$RD_ANSWER" = OK ] || [ "$NOW" -ge "$until" ] || ended "$pid"
}

# Has the server loaded its data?
rd_is_up() {
    rd_ask "$@" PING
    [ "$RD_ANSWER" = PONG ]
}
