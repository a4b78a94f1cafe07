# shellcheck shell=dash
# An application of which nothing is known but what the user names: paths, and perhaps the service whose processes write to them.

# Finds the application of the engine at work; $1: its version.
app_find() {
    local paths path service
    told PATHS
    paths=$TOLD
    told SERVICE
    service=$TOLD
    APP_PIDS="" APP_MAIN=""
    app_look_begins
    while IFS= read -r path; do
        [ -z "$path" ] || app_path "$path"
    done <<PATHS
$paths
PATHS
    app_warn_of_memory
    [ -z "$service" ] || app_processes "$service"
    describe_server "$1" application "$APP_MAIN" "" "" "" "${paths%%"$NEWLINE"*}" "$service"
    ROOTS="$ROOTS $APP_PIDS"
    # What this engine's are, where another one is looked at too.
    eval "APP_PIDS_$ENGINE=\$APP_PIDS"
    if [ "${CDB_METHOD-}" = pause ] && [ -z "$APP_PIDS" ]; then
        problem nothing_to_pause "No processes are known that could be paused for the paths of $ENGINE." \
            "Set $ENGINE.service to a systemd service, or keep the paths off what the guest itself needs and use method = \"freeze\"."
    fi
}

# The processes of service $1 that nobody else in it started -> APP_PIDS, and the one that its manager watches -> APP_MAIN.
app_processes() {
    local pid
    service_manager
    if [ "$SERVICE_MANAGER" != systemd ]; then
        app_is_active "$1" || app_is_not_running "$1"
        return
    fi
    APP_MAIN=$(systemctl show -p MainPID "$1" 2>/dev/null)
    APP_MAIN=${APP_MAIN#MainPID=}
    if [ "${APP_MAIN:-0}" = 0 ]; then
        APP_MAIN=""
        app_is_not_running "$1"
        return
    fi
    MEMBERS=$APP_MAIN
    unit_of "$APP_MAIN"
    # In a cgroup of others nobody is paused but the process itself.
    if [ "${UNIT%.service}" = "${1%.service}" ] && cgroup "$APP_MAIN"; then
        MEMBERS=""
        members "$CGROUP"
    fi
    MEMBERS=" $(printf '%s' "$MEMBERS" | tr '\n' ' ') "
    for pid in $MEMBERS; do
        process "$pid" && case $MEMBERS in *" $P_PARENT "*) ;; *) APP_PIDS="$APP_PIDS $pid" ;; esac
    done
}

app_is_not_running() {
    problem no_server "The service $1 of $ENGINE does not run." "Start it, or correct $ENGINE.service."
}

# How long each command of the engine at work may take, in ms -> APP_LIMIT.
app_limit() {
    told COMMAND_TIMEOUT
    APP_LIMIT=$((${TOLD:-10} * 1000))
}

# How long one may take that runs in a hold, in ms -> APP_LEFT: one that is waited for longer leaves no time to capture anything.
app_left() {
    now
    APP_LEFT=$((HOLD_UNTIL - NOW))
    [ "$APP_LEFT" -lt "$APP_LIMIT" ] || APP_LEFT=$APP_LIMIT
}
