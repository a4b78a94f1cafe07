# shellcheck shell=dash
# The dead-man's switch: lets writes go on when nobody else did, and stands down where no hold came. It runs twice, "first" and "spare", each
# watching the other, so that no single kill leaves writes held. Its text and its data are in memory from the moment it is armed; it reads and writes only /run.

# How often it looks, in ms: a dead hold is noticed this late.
SWITCH_TICK=200

# The spare leaves the first this long to fire, in ms.
SPARE_PATIENCE=1000

switch() {
    local role="$1" twin="$2" patience="$3" reason="" complete=""
    locate_state
    trap 'fire "it was told to end (the guest shuts down, or its services restart)"' TERM HUP INT
    { echo -1000 >"$PROC/self/oom_score_adj"; } 2>/dev/null
    myself
    recall "$OWN"
    write_whole "$OWN/switch.$role" "$MYSELF"
    await 5000 5 twin_or_orphan "$twin"
    until is_over "$OWN"; do
        # The hold is complete once it has answered: what is then recalled needs no second look.
        if [ -z "$complete" ]; then
            [ ! -e "$OWN/hold.answer" ] || complete=1
            recall "$OWN"
        fi
        time_to_fire "$twin" "$patience" && ! is_over "$OWN" && fire "$reason"
        tick "$patience"
    done
}

# Has the twin been started, or died who would start it?
twin_or_orphan() {
    [ -e "$OWN/switch.$1" ] || ! alive_in "$OWN/arm.pid"
}

# Is it time? Why -> reason.
time_to_fire() {
    local phase
    now
    if [ "$NOW" -ge $((H_FIRES + $2)) ]; then
        reason="no hold came in time"
        [ -z "$H_BEGAN" ] || reason="the hold outlived its limit of $H_MAX_HOLD ms"
        return 0
    elif ! alive_in "$OWN/switch.$1"; then
        reason="one of the two switches was killed"
        return 0
    fi
    for phase in arm hold release; do
        reason="the script that was to $phase died"
        ! died "$OWN" "$phase" || return 0
    done
    return 1
}

# Sleeps until there may be something to do.
tick() {
    local left
    now
    left=$((H_FIRES + $1 - NOW))
    [ "$left" -lt "$SWITCH_TICK" ] || left=$SWITCH_TICK
    [ "$left" -lt 1 ] || nap "$left"
}

# Lets go, however often that takes, and says so.
fire() {
    trap '' TERM HUP INT
    now
    mkdir -p "$OWN"
    [ -e "$OWN/fired" ] || write_whole "$OWN/fired" "$NOW $1"
    claim "$OWN" switch
    until let_go "$OWN"; do
        nap 500
    done
    write_whole "$OWN/over" "$LET_GO_AT"
    unlock "$OWN"
    exit 0
}
