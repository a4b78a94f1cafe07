# shellcheck shell=dash
# Holding writes: freeze, pause, stop. Each registers what it is about to hold before it holds it, so that whoever lets go knows.

# Runs a command as worker number $1 of the hold: registered first, and not run at all once somebody lets go. Whoever lets go claims first
# and looks for workers then, so one of the two always sees the other. A command that cannot be killed has to be given with `exec`, so that
# it is the process registered. Process id -> WORKER.
start_worker() {
    local number="$1"
    shift
    (
        myself
        write_whole "$OWN/worker.$number" "$MYSELF" || exit 1
        [ ! -e "$OWN/claim" ] || exit 1
        "$@"
    ) </dev/null >"$OWN/said.$number" 2>&1 &
    WORKER=$!
}

# Notes when the first write could be held: what a hold lasted is counted from here. `began` stands a few processes earlier (under stop, a whole
# service manager), which on a busy guest is a twentieth of a short hold.
take_first() {
    [ ! -e "$OWN/taken" ] || return 0
    now
    printf '%s\n' "$NOW" >"$OWN/taken"
}

# Waits for worker $2, process $1, until uptime HOLD_UNTIL; fails if it failed or is not done by then.
worker_done() {
    now
    await $((HOLD_UNTIL - NOW)) 2 ended "$1" || { SAID="not done within its time limit"; return 1; }
    wait "$1" && return 0
    slurp "$OWN/said.$2"
    said "$TEXT"
    return 1
}

# ---- freeze -----------------------------------------------------------------------------------------------------------

hold_by_freeze() {
    local device point number=0
    while read -r device point; do
        number=$((number + 1))
        unspell "$point"
        start_worker "$number" freeze "$PLAIN"
        worker_done "$WORKER" "$number" && continue
        # A freeze that failed is not ours to thaw; one that still hangs is.
        ! ended "$WORKER" || rm -f "$OWN/worker.$number"
        # ENGINE_FREEZES: a command of an engine's may have frozen it.
        case ${ENGINE_FREEZES-}$SAID in 1*busy*) write_whole "$OWN/theirs.$number" "$point" && continue ;; esac
        problem freeze_failed "The file system at $point ($device) could not be frozen: $SAID." \
            "Look for another backup tool that freezes it, or for storage that does not answer; method = \"pause\" needs no freeze."
        return 1
    done <"$OWN/mounts"
    freeze_witness
}

freeze() {
    take_first
    exec fsfreeze --freeze "$1"
}

# From now on not one sector may be written to the devices beneath the frozen file systems.
freeze_witness() {
    written "$HELD_BASES" || { warn "The kernel keeps no write counters of $HELD_BASES."; return 0; }
    write_whole "$OWN/witness" "$WRITTEN"
}

# ---- pause ------------------------------------------------------------------------------------------------------------

# Pauses the server processes ROOTS with all that descend from them, then writes out what they left in memory.
hold_by_pause() {
    local root
    for root in $ROOTS; do
        pause_by_cgroup "$root" || pause_by_signal "$root" || {
            problem pause_failed "The processes of server $root did not all stop in time." \
                "Look for processes in uninterruptible sleep (state D): their storage does not answer, or your document froze it (use method = \"freeze\")."
            return 1
        }
    done
    pause_witness
    sync_mounts "$HOLD_UNTIL" 2 || sync_failed
}

# By the cgroup v2 freezer, where the server has a cgroup to itself: one switch, and nothing can fork past it.
pause_by_cgroup() {
    local before
    cgroup "$1" && [ -w "$CGROUP/cgroup.freeze" ] && await 200 10 cgroup_is_of "$CGROUP" "$1" || return 1
    slurp "$OWN/cgroups"
    before=$TEXT
    write_whole "$OWN/cgroups" "$before$NEWLINE$CGROUP" || return 1
    take_first
    now
    # Once it is frozen nobody comes or goes, and the answer is certain.
    if echo 1 >"$CGROUP/cgroup.freeze" && await $((HOLD_UNTIL - NOW)) 2 frozen "$CGROUP" && cgroup_is_of "$CGROUP" "$1"; then
        record "$TREE"
        return 0
    fi
    echo 0 >"$CGROUP/cgroup.freeze"
    write_whole "$OWN/cgroups" "$before"
    return 1
} 2>/dev/null

# By SIGSTOP: the root first, then pass after pass, until a pass finds all stopped and nobody new. What is about to be stopped is recorded
# before it is.
pause_by_signal() {
    local pid seen="" fresh settled
    while :; do
        settled=1
        for pid in $seen; do
            stopped "$pid" || settled=""
        done
        tree "$1"
        fresh=""
        for pid in $TREE; do
            case " $seen " in *" $pid "*) ;; *) fresh="$fresh $pid" ;; esac
        done
        [ -n "$settled" ] && [ -n "$seen" ] && [ -z "$fresh" ] && return 0
        record "$fresh"
        # shellcheck disable=SC2086 # pids
        [ -z "$fresh" ] || { take_first; kill -STOP $fresh 2>/dev/null; }
        seen="$seen$fresh"
        now
        [ "$NOW" -lt "$HOLD_UNTIL" ] || return 1
        [ -n "$fresh" ] || nap 2
    done
}

# Adds processes $1 to those that are, or are about to be, paused.
record() {
    local pid list=""
    for pid in $1; do
        process "$pid" && list="$list$pid $P_START$NEWLINE"
    done
    [ -z "$list" ] || printf '%s' "$list" >>"$OWN/pids"
}

# From now on every process that is left must stay, and none may do anything. A backend that was just ending when it was stopped is not
# left: "pid start deeds" a line.
pause_witness() {
    local pid start list=""
    while read -r pid start; do
        alive "$pid" "$start" || continue
        deeds "$pid" || continue
        list="$list$pid $start $DEEDS$NEWLINE"
    done <"$OWN/pids"
    write_whole "$OWN/witness" "$list"
}

# ---- stop -------------------------------------------------------------------------------------------------------------

# Stops the servers whose STOP_COMMANDS and START_COMMANDS the engines have remembered.
hold_by_stop() {
    write_whole "$OWN/start" "$START_COMMANDS" && write_whole "$OWN/down" "$DOWN_TESTS" || return 1
    start_worker 1 stop_servers
    now
    await $((HOLD_UNTIL - NOW)) 2 going_down
    take_first
    if ! worker_done "$WORKER" 1 || ! await 2000 20 each_engine is_down; then
        problem stop_failed "The server was not stopped cleanly in time: $SAID" \
            "Close long-running sessions before the image is taken, or raise max_hold_seconds."
        return 1
    fi
    # From now on nobody may change what `untouched` looks at.
    : >"$OWN/stopped"
    sync_mounts "$HOLD_UNTIL" 2 || sync_failed
}

stop_servers() {
    # Commands of our own, every word of them quoted when they were remembered.
    eval "$STOP_COMMANDS"
}

# Has a server begun to go down, or is the worker done in whatever way?
going_down() {
    ! each_engine is_serving || ended "$WORKER"
}
