# shellcheck shell=dash
# What arm and hold have in common: the first delivery does the work and every other one answers as it did, the servers must be those that were
# asked for, and whatever goes wrong ends the session with nothing held. PHASE is the name of the script.

DURATIONS=""

# Is this the delivery that does the work? Any other one is answered here.
is_first() {
    boot_id
    open_state && adopt "$PHASE" && return 0
    if [ -e "$OWN/$PHASE.pid" ]; then
        answer_again
    else
        no_state
        answer_refused
    fi
    return 1
}

no_state() {
    problem no_state "The state of a hold cannot be written to $STATE." "Look for a /run that is full or read-only."
    return 1
}

# ---- may it go on? ----------------------------------------------------------------------------------------------------

in_time_for_this_boot() {
    now
    if [ "$BOOT_ID" != "$CDB_BOOT_ID" ]; then
        problem rebooted "The guest has booted since it was probed." "Try again."
    elif [ "$NOW" -gt "$CDB_START_BEFORE_MS" ]; then
        problem too_late "The guest was $((NOW - CDB_START_BEFORE_MS)) ms too late to $PHASE: nobody waits for it any more." \
            "Try again; look at the agent's connection if this happens often."
    else
        return 0
    fi
    return 1
}

# Has nobody ended the session? Asked after `adopt`: whoever ends it claims first and looks for scripts at work then.
not_over() {
    [ -e "$OWN/claim" ] || is_over "$OWN" || return 0
    session_over
    return 1
}

session_over() {
    problem session_over "This session has been let go; a hold is never begun twice." "Try again with a new session."
}

# Nobody has let go, and the switches stand guard.
still_wanted() {
    [ ! -e "$OWN/claim" ] && guarded && return 0
    problem let_go "The session was let go while the guest was to $PHASE." "Try again; a longer max_hold_seconds may be needed."
    return 1
}

guarded() {
    alive_in "$OWN/switch.first" && alive_in "$OWN/switch.spare"
}

# Only the probe describes what it finds.
describe_server() { :; }
mount_json() { :; }

# Finds the servers, and whether they may be held as asked; records what will be held.
ready_to_hold() {
    find_servers
    map_paths
    [ -z "$PROBLEMS" ] || return 1
    order_mounts && may_use_method || return 1
    if [ "$CDB_METHOD" = stop ]; then
        [ -z "$BOXES" ] || cannot_stop_containers || return 1
        each_engine remember || return 1
    fi
    write_whole "$OWN/mounts" "$MOUNTS" && write_whole "$OWN/boxes" "$BOXES" || no_state
}

cannot_stop_containers() {
    problem cannot_stop "Process ${BOXES%% *} is a server in a container: whoever runs that could start it at any time." "Use method = \"auto\"."
    return 1
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

# ---- answers ----------------------------------------------------------------------------------------------------------

# Answers with outcome $1, once this is on record for every other delivery.
answer() {
    compose "$PHASE" "$1"
    write_whole "$OWN/$PHASE.answer" "$ANSWER" || { no_state; return 1; }
    printf '%s\n' "$ANSWER"
}

# Answers for this delivery alone.
answer_refused() {
    compose "$PHASE" refused
    printf '%s\n' "$ANSWER"
}

# Something is wrong: the session ends with nothing held. If that cannot be, the switches go on trying. $1: "refused" where nothing was
# touched that needs to be let go, else "failed".
end_as() {
    local released=false
    claim "$OWN" "$PHASE"
    if let_go "$OWN"; then
        released=true
        write_whole "$OWN/over" "$LET_GO_AT"
        unlock "$OWN"
    fi
    ! first_line "$OWN/left" || problem not_let_go "${LINE#* }" "Run the thaw command by hand, and look at the application."
    [ -n "$PROBLEMS" ] || problem failed "The guest could not $PHASE." "Try again."
    if [ "$1" = failed ]; then
        REPORT=""
        report method "\"$CDB_METHOD\""
        report released "$released"
        report durations_ms "{$DURATIONS}"
    fi
    answer "$1" || printf '%s\n' "$ANSWER"
}

# Another delivery came first: its answer is this one's too, unless it says that all is well and that is over. One that died leaves the session to
# the switches.
answer_again() {
    await "$TWIN_LIMIT" 20 twin_is_done
    slurp "$OWN/$PHASE.answer"
    case $TEXT in
        *'"outcome":"armed"'* | *'"outcome":"held"'*) [ -e "$OWN/claim" ] || is_over "$OWN" || { printf '%s\n' "$TEXT"; return; } ;;
        ?*) printf '%s\n' "$TEXT"; return ;;
    esac
    session_over
    answer_refused
}

twin_is_done() {
    is_over "$OWN" || ! at_work "$OWN" "$PHASE"
}
