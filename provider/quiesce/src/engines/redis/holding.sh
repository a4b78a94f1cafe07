# shellcheck shell=dash
# What Redis and Valkey do around a hold: save, pause their clients, tell how far they have come.

# ---- flushing ---------------------------------------------------------------------------------------------------------

# Without an append-only file: a snapshot that is complete before anything is held. Until uptime QUERY_UNTIL. One that takes long is not made twice.
redis_flush() {
    rd_recall
    [ -z "$RD_AOF" ] || return 0
    [ ! -e "$OWN/saved.$ENGINE" ] || [ "$RD_SAVE_TOOK" -le 10 ] || return 0
    rd_save "$QUERY_UNTIL" || return 1
    rd_keep
}

# Before the hold: the snapshot once more, where that takes a moment. Where the server is stopped, it saves by itself then.
redis_tell_position() {
    rd_recall
    ! first_line "$OWN/saved.$ENGINE" || RD_SAVED_AT=$LINE
    if [ -z "$RD_AOF" ] && [ "$RD_SAVE_TOOK" -le 2 ]; then
        rd_save "$QUERY_UNTIL" || return 1
    fi
    rd_keep
    [ "$CDB_METHOD" != stop ] || rd_tell
}

# Saves in the background, until uptime $1 at most: everything up to RD_SAVED_AT is then in the snapshot.
rd_save() {
    local until="$1" began
    now
    began=$NOW
    await $((until - NOW)) 100 rd_save_begun || { rd_save_failed; return 1; }
    now
    await $((until - NOW)) 50 rd_save_ended && rd_says rdb_last_bgsave_status:ok || { rd_save_failed; return 1; }
    now
    RD_SAVE_TOOK=$(((NOW - began) / 1000))
    write_whole "$OWN/saved.$ENGINE" "$RD_SAVED_AT" || no_state
}

# Has a save begun? Where another child is at work, it cannot yet.
rd_save_begun() {
    wall_clock
    RD_SAVED_AT=$WALL_CLOCK
    rd BGSAVE
    case $RD_ANSWER in *'aving started'*) return 0 ;; *) return 1 ;; esac
}

rd_save_ended() {
    rd INFO persistence
    rd_says rdb_bgsave_in_progress:0
}

rd_save_failed() {
    rd_info rdb_last_bgsave_status
    case $FOUND in ok) FOUND="it is not done yet" ;; err) FOUND="it failed" ;; *) FOUND=$RD_ANSWER ;; esac
    said "$FOUND"
    problem flush_failed "The background save of $RD_DIR did not succeed in time: $SAID." \
        "Look into the server's log; a save that takes minutes asks for appendonly yes."
}

# ---- holding ----------------------------------------------------------------------------------------------------------

# The clients' writes pause in the server itself, so that what it has acknowledged is handed to the kernel before all is held. The server lets go by itself
# when the hold's time is over.
redis_hold() {
    rd_recall
    [ "$CDB_METHOD" != stop ] || return 0
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

# What the image certainly holds.
rd_tell() {
    if [ -z "$RD_AOF" ]; then
        recovery_point "$RD_RDB_NAME@$RD_SAVED_AT"
    elif [ -n "$RD_AOF_DIR" ]; then
        rd_increment "$RD_DIR/$RD_AOF_DIR/$RD_AOF_NAME.manifest"
        recovery_point "$INCREMENT:$(stat -c %s "$RD_DIR/$RD_AOF_DIR/$INCREMENT")"
    else
        recovery_point "$RD_AOF_NAME:$(stat -c %s "$RD_DIR/$RD_AOF_NAME")"
    fi
}

# The file to which manifest $1 says that is being appended -> INCREMENT. A line is "file NAME seq N type i", its words in any version's number.
rd_increment() {
    local name line
    INCREMENT=""
    while read -r _ name line; do
        case " $line " in *' type i '*) INCREMENT=$name ;; esac
    done <"$1"
}
