# shellcheck shell=dash
# Stopping and starting Redis and Valkey.

redis_remember() {
    rd_recall
    service_manager
    told SERVICE
    if ! service_is_of "$RD_SERVICE" "$RD_PID" "$TOLD"; then
        problem cannot_stop "Nothing is known that could start the server of $RD_DIR again." "Set $ENGINE.service, or use another method."
        return 1
    fi
    service_commands "$RD_SERVICE"
    STOP_COMMANDS="$STOP_COMMANDS$SERVICE_STOP$NEWLINE"
    rd_server
    # Whoever starts it again asks it by our functions.
    START_COMMANDS="$START_COMMANDS$ENGINES_LET_GO$NEWLINE"
    starts_by "$SERVICE_START" "rd_is_up $RD_SERVER"
    down_while nobody_works_in "$RD_DIR" "$ENGINE-server"
    # One that was started and stopped again has saved, or appended, whatever it was told.
    down_while untouched "$RD_DIR/" "$RD_DIR/$RD_AOF_NAME" ${RD_AOF_DIR:+"$RD_DIR/$RD_AOF_DIR"/ "$RD_DIR/$RD_AOF_DIR"/*}
}

# Does the server still answer? Not when it is gone, and not while it saves by itself, which it does in going down, to a file of its own number.
redis_is_serving() {
    rd_recall
    ! ended "$RD_PID" && [ ! -e "$RD_DIR/temp-$RD_PID.rdb" ]
}

redis_is_down() {
    rd_recall
    ended "$RD_PID"
}
