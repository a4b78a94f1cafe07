# shellcheck shell=dash
# How Redis and Valkey hold their clients' writes: nothing that a stop needs.

# The clients' writes pause in the server itself, so that what it has acknowledged is handed to the kernel before all is held. The server lets go by itself
# when the hold's time is over.
redis_hold() {
    rd_recall
    ! rd_can_pause || rd_pause || return 1
    if [ -z "$RD_AOF" ]; then
        rd_complete_snapshot || return 1
    elif rd_can_pause; then
        rd_await_written || return 1
    fi
    rd_tell
}

# Since 6.2 reads go on in a pause. A replica's writes come from its primary, which no pause stops.
rd_can_pause() {
    local minor
    minor=${RD_VERSION#*.}
    [ "$RD_ROLE" = primary ] && [ "${RD_VERSION%%.*}${minor%%.*}" -ge 62 ]
}

rd_pause() {
    rd_server
    # The server counts from when it is told.
    eval "lets_go_by rd_unpause $((BEGAN + CDB_MAX_HOLD_MS + RD_LIMIT * 1000)) $RD_PID $RD_SERVER" || return 1
    take_first
    now
    rd CLIENT PAUSE "$((BEGAN + CDB_MAX_HOLD_MS - NOW))" WRITE
    [ "$RD_ANSWER" = OK ] && return 0
    said "$RD_ANSWER"
    problem pause_failed "The server of $RD_DIR does not pause its clients: $SAID" "Grant +client|pause and +client|unpause to the user."
    return 1
}

# With appendfsync everysec the server may keep what it has acknowledged to itself for up to 2 s, while the disk is busy.
rd_await_written() {
    now
    await $((HOLD_UNTIL - NOW)) 5 rd_is_written && return 0
    problem flush_failed "The server of $RD_DIR does not write its append-only file in time." "Look for storage that does not answer."
    return 1
}

rd_is_written() {
    rd INFO persistence
    rd_says aof_buffer_length:0
}

# The snapshot holds everything, or a warning says since when it does not: a save must not take longer than the clients can wait.
rd_complete_snapshot() {
    rd INFO persistence
    rd_info rdb_changes_since_last_save
    [ "$FOUND" != 0 ] || return 0
    if [ "${RD_SAVE_TOOK:-9}" -le 1 ] && rd_can_pause; then
        rd_save "$HOLD_UNTIL"
        return
    fi
    warn "$FOUND changes in $RD_DIR since $RD_SAVED_AT are not in the image, as after any crash of a server without an append-only file."
}
