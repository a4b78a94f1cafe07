# shellcheck shell=dash
# Holds writes on a guest that is armed: looks again, writes out what is left, holds, answers. Every way out but the answer "held", a SIGKILL
# included, ends with everything let go and the session over.

PHASE=hold
TWIN_LIMIT=$((CDB_MAX_HOLD_MS * 2))
RECOVERY_POINTS=""

hold() {
    is_first || return
    if in_time_for_this_boot && is_armed && timed look ready_to_hold && timed flush write_out && in_time_for_this_boot && still_wanted; then
        bring_about || end_as failed
    else
        end_as refused
    fi
}

is_armed() {
    not_over || return 1
    [ -e "$OWN/armed" ] && [ -e "$OWN/arm.answer" ] && return 0
    problem not_armed "This session has not been armed on this guest." "Try again with a new session."
    return 1
}

# The little that has gathered since the flush, and how far the engines have come: nothing is held yet, but somebody waits already.
write_out() {
    QUERY_UNTIL=$CDB_START_BEFORE_MS
    each_able_engine tell_position && { sync_mounts "$CDB_START_BEFORE_MS" 2 || sync_failed; }
}

# What the image will certainly hold of the engine at work, in the engine's own terms.
recovery_point() {
    json "$1"
    RECOVERY_POINTS="$RECOVERY_POINTS${RECOVERY_POINTS:+,}\"$ENGINE\":$JSON"
}

bring_about() {
    now
    BEGAN=$NOW
    # Half of the limit is for holding: a hold that takes longer leaves no time to capture anything.
    HOLD_UNTIL=$((BEGAN + CDB_MAX_HOLD_MS / 2))
    write_whole "$OWN/began" "$BEGAN" || no_state || return 1
    timed hold hold_all && still_wanted && answer_held
}

# First what the engines hold themselves: they have to be asked for it while they still answer.
hold_all() {
    each_able_engine hold && "hold_by_$CDB_METHOD"
}

answer_held() {
    now
    report method "\"$CDB_METHOD\""
    json_lines "$CDB_MOUNTS"
    report mounts "$JSON"
    wall_clock
    report held_at "\"$WALL_CLOCK\""
    report held_uptime_ms "$NOW"
    report hold_began_uptime_ms "$BEGAN"
    report fires_uptime_ms $((BEGAN + CDB_MAX_HOLD_MS))
    report recovery_points "{$RECOVERY_POINTS}"
    report durations_ms "{$DURATIONS}"
    answer held
}

hold
