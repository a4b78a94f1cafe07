# shellcheck shell=dash
# Lets writes go on, and says whether the hold was unbroken until then. Every link is looked at before anything is let go.

# "link detail" a line.
BROKEN=""

release() {
    open_state
    boot_id
    [ "$BOOT_ID" = "$CDB_BOOT_ID" ] || broken boot "The guest has booted since it was probed."
    if ! adopt release; then
        await 60000 5 twin_is_done
        ! slurp "$OWN/release.answer" || { printf '%s\n' "$TEXT"; return; }
        # It died.
        write_whole "$OWN/release.pid" "$MYSELF"
    fi
    # Claimed before anything is read: an arm or hold that begins only now will see the claim, or we see and end it.
    claim "$OWN" release
    stop_scripts "$OWN"
    if [ -e "$OWN/began" ]; then
        let_go_of_session
    else
        answer_never_held
    fi
}

# Another delivery of this release came first: its answer is ours, unless it dies.
twin_is_done() {
    ! at_work "$OWN" release
}

let_go_of_session() {
    local released=false
    verify
    if first_line "$OWN/over"; then
        LET_GO_AT=$LINE
        released=true
    elif let_all_go; then
        released=true
    else
        broken release "Something is still held; the switch goes on trying."
    fi
    BROKEN="$BROKEN$UNHELD"
    # What an engine gave up to let go, whoever tried.
    ! first_line "$OWN/left" || broken "${LINE%% *}" "${LINE#* }"
    # What an engine found to have been let go before, when it let go.
    ! first_line "$OWN/lapsed" || broken "${LINE%% *}" "${LINE#* }"
    answer "$released"
}

# Once they can answer again, the engines are asked whether they still hold what they held themselves.
let_all_go() {
    let_writes_go "$OWN" || { despite_stopped "$OWN"; return 1; }
    each_able_engine verify
    let_engines_go "$OWN"
}

# ---- is the hold unbroken? --------------------------------------------------------------------------------------------

broken() {
    BROKEN="$BROKEN$1 $2$NEWLINE"
}

verify() {
    local role
    recall "$OWN"
    case $(cat "$OWN/hold.answer" 2>/dev/null) in
        *'"phase":"hold","outcome":"held"'*) ;;
        *) broken held "The hold was never complete." ;;
    esac
    if first_line "$OWN/fired"; then
        broken switch "The dead-man's switch fired at uptime ${LINE%% *} ms: ${LINE#* }."
    fi
    # An earlier delivery of this very release that died is no stranger: what it let go shows in what is not held any more.
    first_line "$OWN/claim/by" || LINE=somebody
    [ "$LINE" = release ] || broken let-go "The hold was let go before: by $LINE."
    for role in first spare; do
        alive_in "$OWN/switch.$role" || broken switch "The $role switch does not stand guard any more."
    done
    verify_containers
    case $H_METHOD in
        freeze) verify_frozen ;;
        pause) verify_paused ;;
        stop) verify_stopped ;;
    esac
}

# No container was ended, or started again with other files. One that ends has no root any more, though it cannot be gone before what is frozen is thawed.
verify_containers() {
    local pid start
    slurp "$OWN/boxes"
    while read -r pid start; do
        [ -z "$pid" ] || { alive "$pid" "$start" && [ -e "$PROC/$pid/root" ]; } || broken container "Process $pid, a server in a container, is gone."
    done <<BOXES
$TEXT
BOXES
}

# That file systems are frozen shows when they are thawed, and of those that are not ours to thaw, when they cannot be frozen.
verify_frozen() {
    local frozen
    verify_unwritten
    for frozen in "$OWN"/theirs.*; do
        ! first_line "$frozen" || frozen_by_others "${frozen##*.}" "$LINE" || broken frozen "$LINE was not frozen any more."
    done
}

# Not one sector was written beneath the frozen file systems.
verify_unwritten() {
    local entry devices=""
    slurp "$OWN/witness" || return 0
    for entry in $TEXT; do
        devices="$devices ${entry%%=*}"
    done
    written "$devices"
    [ "$WRITTEN" = "$TEXT" ] || broken writes "Sectors were written during the hold: $TEXT became $WRITTEN."
}

# Is mount number $1 at $2 still frozen, though not by us? If not, this freezes it for a moment: registered first, so that a switch that lets go sees it, and
# not done where one has let go before. One of the two always sees the other.
frozen_by_others() {
    unspell "$2"
    myself
    write_whole "$OWN/worker.$1" "$MYSELF" || return 1
    if [ -e "$OWN/fired" ] || is_over "$OWN"; then
        rm -f "$OWN/worker.$1"
        return 1
    fi
    if fsfreeze --freeze "$PLAIN" </dev/null >/dev/null 2>"$OWN/said.$1"; then
        ! fsfreeze --unfreeze "$PLAIN" </dev/null >/dev/null 2>&1 || rm -f "$OWN/worker.$1"
        return 1
    fi
    rm -f "$OWN/worker.$1"
    slurp "$OWN/said.$1"
    case $TEXT in *busy*) ;; *) return 1 ;; esac
}

# Every process is still there, still paused, and has done nothing.
verify_paused() {
    local pid start done_before group
    while read -r group; do
        [ -z "$group" ] || frozen "$group" || broken paused "The cgroup $group is not frozen any more."
    done <<CGROUPS
$H_CGROUPS
CGROUPS
    slurp "$OWN/witness"
    while read -r pid start done_before; do
        [ -n "$pid" ] || continue
        alive "$pid" "$start" || { broken paused "Process $pid is gone."; continue; }
        [ -n "$H_CGROUPS" ] || stopped "$pid" || broken paused "Process $pid is not stopped any more."
        deeds "$pid"
        [ "$DEEDS" = "$done_before" ] || broken ran "Process $pid ran during the hold: $done_before became $DEEDS."
    done <<WITNESS
$TEXT
WITNESS
}

# Nothing that the start commands would bring up is up already, or was in between.
verify_stopped() {
    slurp "$OWN/down" || return 0
    (eval "$TEXT") || broken stopped "The server was started during the hold, or its files were changed."
}

# Has none of these files and directories changed since the servers were down? One that is not there has not.
untouched() {
    [ -z "$(find "$@" -prune -newer "$OWN/stopped" -print 2>/dev/null)" ]
}

# ---- answers ----------------------------------------------------------------------------------------------------------

# The report; $1: is everything let go? If so, the session is over.
answer() {
    local outcome=lapsed hold_ms=null
    [ -n "$BROKEN" ] || outcome=held
    [ -z "$H_TAKEN" ] || [ "$1" = false ] || hold_ms=$((LET_GO_AT - H_TAKEN))
    compose_release "$outcome" "$1" "$hold_ms"
    [ "$1" = false ] || stand_down
    printf '%s\n' "$ANSWER"
}

# The session was armed at most. The claim is its tombstone: an arm or a hold that is delivered after this refuses.
answer_never_held() {
    broken never-held "This session holds nothing on this guest."
    compose_release lapsed true null
    stand_down
    printf '%s\n' "$ANSWER"
}

# Puts the answer on record, which ends the switches, and gives the lock back.
stand_down() {
    write_whole "$OWN/release.answer" "$ANSWER"
    unlock "$OWN"
}

compose_release() {
    local link detail list=""
    if [ -n "$H_METHOD" ]; then report method "\"$H_METHOD\""; else report method null; fi
    report released "$2"
    wall_clock
    report released_at "\"$WALL_CLOCK\""
    report hold_ms "$3"
    while read -r link detail; do
        [ -n "$link" ] || continue
        json "$detail"
        list="$list${list:+,}{\"link\":\"$link\",\"detail\":$JSON}"
    done <<BROKEN
$BROKEN
BROKEN
    report broken "[$list]"
    compose release "$1"
}

release
