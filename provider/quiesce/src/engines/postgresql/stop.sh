# shellcheck shell=dash
# Stopping and starting PostgreSQL.

# How to stop and to start the server, added to STOP_COMMANDS and START_COMMANDS.
postgresql_remember() {
    service_manager
    if service_is_of "$PG_SERVICE" "$PG_PID" "$CDB_POSTGRESQL_SERVICE"; then
        service_commands "$PG_SERVICE"
        PG_STOP=$SERVICE_STOP PG_START=$SERVICE_START
    else
        pg_remember_pg_ctl || return 1
    fi
    limit 10
    # shellcheck disable=SC2086 # LIMIT is words
    words as_user "$PG_ASK_UID" "$PG_ASK_GID" $LIMIT env -i "PATH=$PATH" LC_ALL=C PGCONNECT_TIMEOUT=3 \
        "$PG_PSQL" -XAtqw -h "$PG_SOCKETS" -p "$PG_PORT" -d "${CDB_POSTGRESQL_DATABASE:-postgres}" -c "SELECT 1"
    STOP_COMMANDS="$STOP_COMMANDS$PG_STOP$NEWLINE"
    starts_by "$PG_START" "$WORDS"
    down_while test ! -e "$PG_DATA/postmaster.pid"
    # One that was started and stopped again has made that file in between.
    down_while untouched "$PG_DATA/"
}

# By pg_ctl, with the command line that the server was started by -> PG_STOP, PG_START.
pg_remember_pg_ctl() {
    local argument options log=/dev/null
    if [ ! -x "$PG_BIN/pg_ctl" ]; then
        problem cannot_stop "Nothing is known that could start the server of $PG_DATA again: no service, no pg_ctl in $PG_BIN." \
            "Set postgresql.service, or use another method."
        return 1
    fi
    # Its first argument is the program; -D is given to pg_ctl itself.
    set --
    while IFS= read -r argument; do
        case $argument in
            -D) read -r argument ;;
            -D*) ;;
            *) set -- "$@" "$argument" ;;
        esac
    done <<ARGUMENTS
$(tr '\0' '\n' <"$PROC/$PG_PID/cmdline" | tail -n +2)
ARGUMENTS
    words "$@"
    options=$WORDS
    [ ! -f "$PROC/$PG_PID/fd/2" ] || log=$(readlink "$PROC/$PG_PID/fd/2")
    words as_user "$PG_UID" "$PG_GID" "$PG_BIN/pg_ctl" -D "$PG_DATA" -m fast -w -t 600 stop
    PG_STOP=$WORDS
    words as_user "$PG_UID" "$PG_GID" "$PG_BIN/pg_ctl" -D "$PG_DATA" -w -t 90 -l "$log" -o "$options" start
    PG_START=$WORDS
}

# Does the server still take connections? Line 8 of postmaster.pid says since 10 when it is shutting down (miscadmin.h, PM_STATUS_STOPPING).
postgresql_is_serving() {
    local number=0 line
    while read -r line; do
        number=$((number + 1))
        case $number,$line in 8,stopping) return 1 ;; esac
    done <"$PG_DATA/postmaster.pid"
} 2>/dev/null

# Is the server down, and down cleanly? The fifth word of pg_control is the cluster's state (DBState): 1 is shut down, 2 shut down in
# recovery; its place has not changed since 8.x.
postgresql_is_down() {
    local state
    [ ! -e "$PG_DATA/postmaster.pid" ] && ended "$PG_PID" || return 1
    state=$(od -An -t u4 -j 16 -N 4 "$PG_DATA/global/pg_control" | tr -d ' ')
    [ "$state" = 1 ] || [ "$state" = 2 ]
}
