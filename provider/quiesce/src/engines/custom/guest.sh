# shellcheck shell=dash
# Whatever the user knows how to hold: its paths are held like any server's, and around that its own commands run.

custom_find() {
    local path
    CUSTOM_PIDS="" CUSTOM_MAIN=""
    custom_look_begins
    while IFS= read -r path; do
        [ -z "$path" ] || custom_path "$path"
    done <<PATHS
$CDB_CUSTOM_PATHS
PATHS
    custom_warn_of_memory
    [ -z "$CDB_CUSTOM_SERVICE" ] || custom_processes
    describe_server - application "$CUSTOM_MAIN" "" "" "" "${CDB_CUSTOM_PATHS%%"$NEWLINE"*}" "$CDB_CUSTOM_SERVICE"
    ROOTS="$ROOTS $CUSTOM_PIDS"
    if [ "${CDB_METHOD-}" = pause ] && [ -z "$CUSTOM_PIDS" ]; then
        problem nothing_to_pause "No processes are known that could be paused for the paths of custom." \
            "Set custom.service to a systemd service, or keep the paths off what the guest itself needs and use method = \"freeze\"."
    fi
}

# The processes of the service that nobody else in it started -> CUSTOM_PIDS, and the one that its manager watches -> CUSTOM_MAIN.
custom_processes() {
    local pid
    service_manager
    if [ "$SERVICE_MANAGER" != systemd ]; then
        custom_is_active "$CDB_CUSTOM_SERVICE" || custom_is_not_running
        return
    fi
    CUSTOM_MAIN=$(systemctl show -p MainPID "$CDB_CUSTOM_SERVICE" 2>/dev/null)
    CUSTOM_MAIN=${CUSTOM_MAIN#MainPID=}
    if [ "${CUSTOM_MAIN:-0}" = 0 ]; then
        CUSTOM_MAIN=""
        custom_is_not_running
        return
    fi
    MEMBERS=$CUSTOM_MAIN
    unit_of "$CUSTOM_MAIN"
    # In a cgroup of others nobody is paused but the process itself.
    if [ "${UNIT%.service}" = "${CDB_CUSTOM_SERVICE%.service}" ] && cgroup "$CUSTOM_MAIN"; then
        MEMBERS=""
        members "$CGROUP"
    fi
    MEMBERS=" $(printf '%s' "$MEMBERS" | tr '\n' ' ') "
    for pid in $MEMBERS; do
        process "$pid" && case $MEMBERS in *" $P_PARENT "*) ;; *) CUSTOM_PIDS="$CUSTOM_PIDS $pid" ;; esac
    done
}

custom_is_not_running() {
    problem no_server "The service $CDB_CUSTOM_SERVICE of custom does not run." "Start it, or correct custom.service."
}

# ---- around the hold --------------------------------------------------------------------------------------------------

custom_flush() {
    return 0
}

custom_tell_position() {
    recovery_point -
}

# The user's own freeze, before anything else is held; what its thaw undoes is recorded before.
custom_hold() {
    CUSTOM_LIMIT=$((${CDB_CUSTOM_COMMAND_TIMEOUT:-10} * 1000))
    [ -z "$CDB_CUSTOM_THAW" ] || lets_go_by custom_thaw "$CDB_CUSTOM_THAW" "$CUSTOM_LIMIT" || return 1
    [ -z "$CDB_CUSTOM_FREEZE" ] || take_first
    custom_command freeze "$CDB_CUSTOM_FREEZE" && custom_command check "$CDB_CUSTOM_CHECK"
}

# Runs command $1, whose text is $2; a hold that waits longer for it leaves no time to capture anything.
custom_command() {
    local left
    [ -n "$2" ] || return 0
    now
    left=$((HOLD_UNTIL - NOW))
    [ "$left" -lt "$CUSTOM_LIMIT" ] || left=$CUSTOM_LIMIT
    timed "custom_$1" run_command "$OWN" "$1" "$2" "$left" && return 0
    problem "$1_command_failed" "The $1 command of custom $FAILURE." "Try it on the server, as root with /bin/sh; a longer command_timeout or max_hold_seconds may be needed."
    return 1
}

# ---- stopping and starting --------------------------------------------------------------------------------------------

custom_remember() {
    service_manager
    if ! service_is_of "$CDB_CUSTOM_SERVICE" "" "$CDB_CUSTOM_SERVICE"; then
        problem cannot_stop "Nothing is known that could stop and start what custom names." "Set custom.service, or use another method."
        return 1
    fi
    service_commands "$CDB_CUSTOM_SERVICE"
    STOP_COMMANDS="$STOP_COMMANDS$SERVICE_STOP$NEWLINE"
    words custom_is_active "$CDB_CUSTOM_SERVICE"
    # Whoever starts it again asks for it by our functions.
    START_COMMANDS="$START_COMMANDS$ENGINES_LET_GO$NEWLINE"
    starts_by "$SERVICE_START" "$WORDS"
    down_while custom_is_inactive "$CDB_CUSTOM_SERVICE"
}

custom_is_serving() {
    custom_is_active "$CDB_CUSTOM_SERVICE"
}

custom_is_down() {
    local pid
    for pid in $CUSTOM_PIDS; do
        ended "$pid" || return 1
    done
    custom_is_inactive "$CDB_CUSTOM_SERVICE"
}
