# shellcheck shell=dash
# What Redis and Valkey do before a hold: save, tell how far they have come.

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

# ---- how far it has come -----------------------------------------------------------------------------------------------

# What the image certainly holds.
rd_tell() {
    if [ -z "$RD_AOF" ]; then
        recovery_point "$RD_RDB_NAME@$RD_SAVED_AT"
    elif [ -n "$RD_AOF_DIR" ]; then
        rd_increment "$VIEW$RD_DIR/$RD_AOF_DIR/$RD_AOF_NAME.manifest"
        recovery_point "$INCREMENT:$(stat -c %s "$VIEW$RD_DIR/$RD_AOF_DIR/$INCREMENT")"
    else
        recovery_point "$RD_AOF_NAME:$(stat -c %s "$VIEW$RD_DIR/$RD_AOF_NAME")"
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
