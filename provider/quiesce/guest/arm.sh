# shellcheck shell=dash
# Makes the guest ready to hold: checks, lock, switches, flush, answer. Nothing is held. Until the switches stand guard nothing has been touched
# either; from then on every way out, a SIGKILL included, ends with the session over and the lock given back.

PHASE=arm
TWIN_LIMIT=$((CDB_FLUSH_LIMIT_MS + 30000))

arm() {
    is_first || return
    write_whole "$OWN/method" "$CDB_METHOD"
    forget_old_sessions
    if in_time_for_this_boot && not_over && take_lock && warn_of_what_is_left && ready_to_hold && set_limits; then
        { timed guard stand_guard && timed flush flush && still_wanted && answer_armed; } || end_as failed
    else
        end_as refused
    fi
}

# ---- the lock ---------------------------------------------------------------------------------------------------------

# Takes the lock, from a dead session if need be: what that one held is let go first.
take_lock() {
    lock && return 0
    if locked && ! is_over "$LOCKED"; then
        if in_progress "$LOCKED"; then
            report_hold_in_progress
            return 1
        fi
        clear_dead_session || return 1
    fi
    unlock "$LOCKED"
    lock && return 0
    problem hold_in_progress "Another session has just begun to hold this guest." "Try again when it is done."
    return 1
}

report_hold_in_progress() {
    local since
    describe_hold "$LOCKED"
    report hold_in_progress "$HOLD_JSON"
    [ -n "$H_BEGAN" ] && since="has held this guest for $HELD_FOR ms" || since="is about to hold this guest"
    problem hold_in_progress "Session ${LOCKED##*/} $since (method $H_METHOD); its switch lets go in $FIRES_IN ms." \
        "Wait until it is done. It cannot last longer than its switch allows."
}

# A session whose script and switches were all killed: what it may still hold is let go.
clear_dead_session() {
    forget
    claim "$LOCKED" "$CDB_SESSION"
    if let_go "$LOCKED"; then
        write_whole "$LOCKED/over" "$LET_GO_AT"
        forget
        [ -e "$LOCKED/left" ] || warn "Session ${LOCKED##*/} was killed with its switches; what it left held has been let go."
        return 0
    fi
    problem dead_hold "Session ${LOCKED##*/} left a hold behind that cannot be let go: $UNHELD" "Thaw its file systems by hand (fsfreeze --unfreeze), or reboot."
    return 1
}

# Whatever ended an earlier session may have given up, with nobody there to be told; and where somebody was, it is frozen all the same.
warn_of_what_is_left() {
    local left session
    for left in "$STATE/sessions"/*/left; do
        first_line "$left" || continue
        session=${left%/left}
        warn "Session ${session##*/} left something held: ${LINE#* } Unless it has been thawed by hand since, the application may still be frozen. Once it is not, remove $left."
    done
}

# ---- the switches -----------------------------------------------------------------------------------------------------

# Until when to flush, how long then to wait for a hold, how long that may last: the switches go by it.
set_limits() {
    now
    QUERY_UNTIL=$((NOW + CDB_FLUSH_LIMIT_MS))
    write_whole "$OWN/limits" "$QUERY_UNTIL $CDB_ARMED_LIMIT_MS $CDB_MAX_HOLD_MS" || no_state
}

# Starts both switches and waits until they stand guard.
stand_guard() {
    local values
    quote "$CDB_SESSION"
    values="CDB_SESSION=$QUOTED"
    # shellcheck disable=SC2016 # the switch's own arguments
    printf '%s\n%s\n%s\n' "$values" "$GUARD_TEXT" 'switch "$@"' >"$OWN/switch.sh" || return 1
    setsid /bin/sh "$OWN/switch.sh" first spare 0 </dev/null >/dev/null 2>&1 &
    setsid /bin/sh "$OWN/switch.sh" spare first 1000 </dev/null >/dev/null 2>&1 &
    await 5000 2 guarded && return 0
    problem no_switch "The dead-man's switch did not start." "Look for a guest that cannot start processes, or whose /run is full."
    return 1
}

# ---- the flush --------------------------------------------------------------------------------------------------------

# Everything that can be written out before the hold, so that little is left to write in it.
flush() {
    local took
    now
    took=$NOW
    each_engine flush || return 1
    now
    took=$((NOW - took))
    sync_mounts "$QUERY_UNTIL" 20 || { sync_failed; return 1; }
    # What was written meanwhile, where that was long.
    [ "$took" -lt 1000 ] || each_engine flush
}

# From now on a hold may come, for a while.
answer_armed() {
    local stands_down
    now
    stands_down=$((NOW + CDB_ARMED_LIMIT_MS))
    write_whole "$OWN/armed" "$stands_down" || { no_state; return 1; }
    report method "\"$CDB_METHOD\""
    report stands_down_uptime_ms "$stands_down"
    report durations_ms "{$DURATIONS}"
    answer armed
}

arm
