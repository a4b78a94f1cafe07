# shellcheck shell=dash
# Holds writes: checks, lock, switch, flush, hold, answer. Until the switch is armed nothing has been touched; from then on every way out, a
# SIGKILL included, ends with everything let go.

DURATIONS=""
RECOVERY_POINTS=""

hold() {
    boot_id
    if ! state_is_open || ! in_time_for_this_boot; then
        answer_refused
        return
    fi
    if ! adopt; then
        answer_again
        return
    fi
    # The method first: whoever sees an owner also sees what it is about to do.
    myself
    write_whole "$OWN/method" "$CDB_METHOD" && write_whole "$OWN/owner" "$MYSELF"
    forget_old_sessions
    if take_lock && ready_to_hold; then
        bring_about || give_up
    else
        unlock "$OWN"
        refuse
    fi
}

# ---- before anything is touched ---------------------------------------------------------------------------------------

state_is_open() {
    open_state && return 0
    no_state
    return 1
}

no_state() {
    problem no_state "The state of a hold cannot be written to $STATE." "Look for a /run that is full or read-only."
}

in_time_for_this_boot() {
    now
    if [ "$BOOT_ID" != "$CDB_BOOT_ID" ]; then
        problem rebooted "The guest has booted since it was probed." "Try again."
    elif [ "$NOW" -gt "$CDB_START_BEFORE_MS" ]; then
        problem too_late "The hold was delivered $((NOW - CDB_START_BEFORE_MS)) ms too late: nobody waits for it any more." \
            "Try again; look at the agent's connection if this happens often."
    else
        return 0
    fi
    return 1
}

# Takes the lock, from a dead hold if need be: that one is let go first.
take_lock() {
    lock && return 0
    if locked && ! is_over "$LOCKED"; then
        if in_progress "$LOCKED"; then
            report_hold_in_progress
            return 1
        fi
        clear_dead_hold || return 1
    fi
    unlock "$LOCKED"
    lock && return 0
    problem hold_in_progress "Another session has just begun to hold this guest." "Try again when it is done."
    return 1
}

report_hold_in_progress() {
    describe_hold "$LOCKED"
    report hold_in_progress "$HOLD_JSON"
    problem hold_in_progress "Session ${LOCKED##*/} has held this guest for $HELD_FOR ms (method $H_METHOD); its switch fires in $FIRES_IN ms." \
        "Wait until it is done. It cannot last longer than its switch allows."
}

# A hold whose script and switches were all killed: what it may still hold is let go.
clear_dead_hold() {
    warn "Session ${LOCKED##*/} left a hold behind, and its switches were killed; it has been let go."
    forget
    claim "$LOCKED" "$CDB_SESSION"
    if let_go "$LOCKED"; then
        write_whole "$LOCKED/over" "$LET_GO_AT"
        forget
        return 0
    fi
    problem dead_hold "Session ${LOCKED##*/} left a hold behind that cannot be let go: $UNHELD" "Thaw its file systems by hand (fsfreeze --unfreeze), or reboot."
    return 1
}

# Finds the servers again, and whether they may be held as asked; records what will be held.
ready_to_hold() {
    each_engine find
    map_paths
    [ -z "$PROBLEMS" ] || return 1
    order_mounts && may_use_method || return 1
    [ "$CDB_METHOD" != stop ] || each_engine remember || return 1
    now
    FLUSH_UNTIL=$((NOW + CDB_FLUSH_LIMIT_MS))
    if ! write_whole "$OWN/mounts" "$MOUNTS" ||
        ! write_whole "$OWN/limits" "$NOW $CDB_FLUSH_LIMIT_MS $CDB_MAX_HOLD_MS"; then
        no_state
        return 1
    fi
}

# The mounts to hold, in the order asked for, which must be those on which the servers write now -> MOUNTS ("device mount-point").
order_mounts() {
    local device point
    MOUNTS=""
    while read -r point; do
        [ -n "$point" ] || continue
        mounted_device "$point"
        MOUNTS="$MOUNTS${MOUNTS:+$NEWLINE}$MOUNTED_DEVICE $point"
    done <<ASKED
$CDB_MOUNTS
ASKED
    while read -r device point; do
        [ -n "$device" ] || continue
        case $NEWLINE$MOUNTS$NEWLINE in *"$NEWLINE$device "*) continue ;; esac
        problem mounts_changed "The servers write to $point ($device), which was not to be held." "Try again: the server's paths have changed since it was probed."
        return 1
    done <<NOW_WRITTEN
$DATA_MOUNTS
NOW_WRITTEN
}

# Can every mount be frozen, without stalling the guest itself?
may_use_method() {
    local point
    have setsid || { problem no_setsid "The guest has no setsid: the dead-man's switch could not outlive the agent." "Install util-linux."; return 1; }
    [ "$CDB_METHOD" = freeze ] || return 0
    while read -r device point; do
        why_needed "$device"
        [ -z "$WHY" ] || problem freeze_unsafe "Freezing $point would stall the guest: $WHY." "Use method = \"pause\", or \"auto\"."
        unspell "$point"
        mount_of "$PLAIN"
        freezable "$M_TYPE" || problem not_freezable "$point ($M_TYPE) cannot be frozen." "Use method = \"pause\", or \"auto\"."
    done <<MOUNTS
$MOUNTS
MOUNTS
    [ -z "$PROBLEMS" ]
}

# ---- the hold itself --------------------------------------------------------------------------------------------------

bring_about() {
    timed arm arm || return 1
    timed flush flush || return 1
    now
    if [ "$NOW" -gt $((CDB_START_BEFORE_MS + CDB_FLUSH_LIMIT_MS)) ]; then
        problem too_late "Flushing took so long that nobody waits for the hold any more." "Try again."
        return 1
    fi
    still_wanted || return 1
    now
    BEGAN=$NOW
    # Half of the limit is for holding: a hold that takes longer leaves no time to capture anything.
    HOLD_UNTIL=$((BEGAN + CDB_MAX_HOLD_MS / 2))
    write_whole "$OWN/began" "$BEGAN" || return 1
    timed hold "hold_by_$CDB_METHOD" || return 1
    still_wanted || return 1
    answer_held
}

# Runs a step and notes its duration under name $1.
timed() {
    local name="$1" began status
    shift
    now
    began=$NOW
    "$@"
    status=$?
    now
    DURATIONS="$DURATIONS${DURATIONS:+,}\"$name\":$((NOW - began))"
    return $status
}

# Starts both switches and waits until they stand guard.
arm() {
    local values
    quote "$CDB_SESSION"
    values="CDB_SESSION=$QUOTED"
    # shellcheck disable=SC2016 # the switch's own arguments
    printf '%s\n%s\n%s\n' "$values" "$GUARD_TEXT" 'switch "$@"' >"$OWN/switch.sh" || return 1
    setsid /bin/sh "$OWN/switch.sh" first spare 0 </dev/null >/dev/null 2>&1 &
    setsid /bin/sh "$OWN/switch.sh" spare first 1000 </dev/null >/dev/null 2>&1 &
    await 5000 2 armed && return 0
    problem not_armed "The dead-man's switch did not start." "Look for a guest that cannot start processes, or whose /run is full."
    return 1
}

armed() {
    alive_in "$OWN/switch.first" && alive_in "$OWN/switch.spare"
}

# Nobody has let go, and the switches stand guard.
still_wanted() {
    [ ! -e "$OWN/claim" ] && armed && return 0
    problem let_go "The hold was let go while it was being brought about." "Try again; a longer max_hold_seconds may be needed."
    return 1
}

# Everything that can be written out before the hold, so that little is left to write in it.
flush() {
    local took
    now
    took=$NOW
    each_engine flush || return 1
    now
    took=$((NOW - took))
    sync_mounts "$FLUSH_UNTIL" 20 || { sync_failed; return 1; }
    each_engine flush_rest "$took"
}

# What the image will certainly hold of the engine at work, in the engine's own terms.
recovery_point() {
    json "$1"
    RECOVERY_POINTS="$RECOVERY_POINTS${RECOVERY_POINTS:+,}\"$ENGINE\":$JSON"
}

# ---- answers ----------------------------------------------------------------------------------------------------------

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
    compose hold held
    write_whole "$OWN/answer" "$ANSWER" || return 1
    printf '%s\n' "$ANSWER"
}

# Something went wrong after arming: everything is let go again. If that cannot be, the switches go on trying.
give_up() {
    local released=false
    claim "$OWN" hold
    if let_go "$OWN"; then
        released=true
        write_whole "$OWN/over" "$LET_GO_AT"
        unlock "$OWN"
    fi
    [ -n "$PROBLEMS" ] || problem failed "The hold failed." "Try again."
    REPORT=""
    report method "\"$CDB_METHOD\""
    report released "$released"
    report durations_ms "{$DURATIONS}"
    compose hold failed
    write_whole "$OWN/answer" "$ANSWER"
    printf '%s\n' "$ANSWER"
}

# Nothing was touched.
answer_refused() {
    compose hold refused
    printf '%s\n' "$ANSWER"
}

refuse() {
    compose hold refused
    write_whole "$OWN/answer" "$ANSWER"
    write_whole "$OWN/over" "$NOW"
    printf '%s\n' "$ANSWER"
}

# This session was here before: its twin's answer is this one's too, unless it says "held" and that is over. A twin that died leaves its
# hold to the switch.
answer_again() {
    await 1000 5 test -e "$OWN/owner"
    await $((CDB_FLUSH_LIMIT_MS + CDB_MAX_HOLD_MS)) 20 twin_is_done
    slurp "$OWN/answer"
    case $TEXT in
        *'"outcome":"held"'*) [ -e "$OWN/claim" ] || is_over "$OWN" || { printf '%s\n' "$TEXT"; return; } ;;
        ?*) printf '%s\n' "$TEXT"; return ;;
    esac
    problem session_over "This session has been let go; a hold is never begun twice." "Try again with a new session."
    answer_refused
}

twin_is_done() {
    [ -e "$OWN/answer" ] || is_over "$OWN" || ! in_progress "$OWN"
}

hold
