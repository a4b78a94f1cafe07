# shellcheck shell=dash
# Flushing a server of MySQL's family, and asking it how far it has come.

# Writes out what the engines keep in memory of their logs, so that little is left to write in the hold. Until uptime QUERY_UNTIL.
my_flush() {
    my_recall
    my_bounded_query "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS" && return 0
    problem flush_failed "The server on $MY_SOCKET did not flush its logs: $MY_SAID" "Look into the server's log."
    return 1
}

# Statements that may take until QUERY_UNTIL -> MY_ANSWER; why they failed -> MY_SAID.
my_bounded_query() {
    now
    MY_SAID="the time for it is over"
    MY_LIMIT=$(((QUERY_UNTIL - NOW) / 1000))
    [ "$MY_LIMIT" -gt 0 ] || return 1
    MY_ANSWER=$(my_query "$1") && return 0
    said "${MY_ANSWER##*ERROR }"
    MY_SAID=$SAID
    return 1
}
