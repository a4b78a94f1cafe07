# shellcheck shell=dash
# Stopping and starting the service that the user names.

app_remember() {
    local service
    told SERVICE
    service=$TOLD
    service_manager
    if ! service_is_of "$service" "" "$service"; then
        problem cannot_stop "Nothing is known that could stop and start what $ENGINE names." "Set $ENGINE.service, or use another method."
        return 1
    fi
    service_commands "$service"
    STOP_COMMANDS="$STOP_COMMANDS$SERVICE_STOP$NEWLINE"
    words app_is_active "$service"
    # Whoever starts it again asks for it by our functions.
    START_COMMANDS="$START_COMMANDS$ENGINES_LET_GO$NEWLINE"
    starts_by "$SERVICE_START" "$WORDS"
    down_while app_is_inactive "$service"
}

app_is_serving() {
    told SERVICE
    app_is_active "$TOLD"
}

app_is_down() {
    local pid pids
    eval "pids=\$APP_PIDS_$ENGINE"
    for pid in $pids; do
        ended "$pid" || return 1
    done
    told SERVICE
    app_is_inactive "$TOLD"
}
