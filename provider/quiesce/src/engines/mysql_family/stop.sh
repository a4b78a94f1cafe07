# shellcheck shell=dash
# Stopping a server of MySQL's family and starting it again.

# The recovery point of a server that is to be stopped; one that is to be held tells it when it has its locks.
my_tell_position() {
    my_recall
    if my_bounded_query "SET SESSION sql_mode = ''; $MY_POSITION"; then
        my_value position
        recovery_point "$VALUE"
        return 0
    fi
    problem position_unknown "The server on $MY_SOCKET does not tell its position: $MY_SAID" "Look into the server's log."
    return 1
}

# How to stop and to start the server, added to STOP_COMMANDS and START_COMMANDS.
my_remember() {
    my_recall
    my_stops_cleanly || return 1
    case $MY_SOCKET in
        "$PROC"/*)
            problem cannot_stop "The socket of the server of $MY_DATA lies in a /tmp of its service's own: nobody could tell when it is up again." \
                "Put the socket elsewhere (socket = ...), or use another method."
            return 1
            ;;
    esac
    service_manager
    told SERVICE
    if service_is_of "$MY_SERVICE" "$MY_PID" "$TOLD"; then
        service_commands "$MY_SERVICE"
        MY_STOP=$SERVICE_STOP MY_START=$SERVICE_START
    else
        my_remember_command
    fi
    my_client_words "DO 1"
    STOP_COMMANDS="$STOP_COMMANDS$MY_STOP$NEWLINE"
    starts_by "$MY_START" "$WORDS"
    # Its pid file is written only when it has opened, and recovered, its files; into its data directory it goes before.
    down_while nobody_works_in "$MY_DATA" mysqld mariadbd
    # One that was started and stopped again has made and removed its temporary tablespace.
    down_while untouched "$MY_DATA/"
}

# Does the server leave nothing to recover when it is stopped?
my_stops_cleanly() {
    my_value innodb_fast_shutdown
    [ "$VALUE" = 2 ] || return 0
    problem unclean_stop "innodb_fast_shutdown is 2 in $MY_DATA: a stop leaves its recovery to the next start." \
        "Run SET GLOBAL innodb_fast_shutdown = 1, or use another method."
    return 1
}

# The words by which the client asks $1, as any script can run them -> WORDS.
my_client_words() {
    local statement="$1" uid gid
    eval "set -- $MY_CLIENT"
    uid=$1 gid=$2
    shift 2
    limit 10
    # shellcheck disable=SC2086 # words
    words as_user "$uid" "$gid" $LIMIT "$@" --execute="$statement"
}

# By its own SHUTDOWN, and by the command line that it was started by -> MY_STOP, MY_START.
my_remember_command() {
    local argument
    my_client_words SHUTDOWN
    MY_STOP="$WORDS && await 600000 20 ended $MY_PID"
    set -- "$(readlink "$PROC/$MY_PID/exe")"
    while IFS= read -r argument; do
        set -- "$@" "$argument"
    done <<ARGUMENTS
$(tr '\0' '\n' <"$PROC/$MY_PID/cmdline" | tail -n +2)
ARGUMENTS
    words as_user "$MY_UID" "$MY_GID" setsid "$@"
    MY_START=$WORDS
    [ ! -f "$PROC/$MY_PID/fd/2" ] || quote "$(readlink "$PROC/$MY_PID/fd/2")"
    [ ! -f "$PROC/$MY_PID/fd/2" ] || MY_START="$MY_START>>$QUOTED 2>&1"
}

# Does the server still take connections? It removes its socket when it begins to shut down.
my_is_serving() {
    my_recall
    case $MY_SOCKET in @*) alive_now "$MY_PID" ;; *) [ -S "$MY_SOCKET" ] ;; esac
}

# Is the server down, and down cleanly? It removes its pid file last of all; one that died leaves it.
my_is_down() {
    my_recall
    my_value pid_file
    ended "$MY_PID" && [ ! -e "$VALUE" ]
}
