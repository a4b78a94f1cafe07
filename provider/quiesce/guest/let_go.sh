# shellcheck shell=dash
# Letting writes go on: the one implementation that arm, hold, release and switch share.
#
# Safe to repeat, safe when nothing is held, safe when two do it at once. It touches only what the hold has registered.

# How long somebody may take to get out of the way before it is reported that something is still held, in ms.
LET_GO_LIMIT=8000
UNHELD=""

# Lets go all that the hold in directory $1 holds or may yet hold. Succeeds once nothing is held -> LET_GO_AT (uptime of the last
# thaw, resume or start); what was found not to be held -> UNHELD ("link detail", one a line).
let_go() {
    let_writes_go "$1" || { despite_stopped "$1"; return 1; }
    let_engines_go "$1"
}

# Where a server cannot be started, nothing is frozen that the engines' own letting go could hang in: they need not wait for it.
despite_stopped() {
    [ "$H_METHOD" != stop ] || let_engines_go "$1"
}

# The same without what the engines hold themselves.
let_writes_go() {
    UNHELD="" LET_GO_AT=""
    mkdir -p "$1"
    recall "$1"
    stop_scripts "$1"
    recall "$1"
    case $H_METHOD in
        freeze) thaw_all "$1" ;;
        pause) resume_all ;;
        stop) start_all "$1" ;;
    esac || return 1
    [ -n "$LET_GO_AT" ] || { now; LET_GO_AT=$NOW; }
}

# Ends the scripts that still arm or hold, so that nothing new is held behind our back. One that has answered, or is letting go itself, does
# nothing more.
stop_scripts() {
    local phase pid
    for phase in arm hold; do
        ! first_line "$1/claim/by" || [ "$LINE" != "$phase" ] || continue
        at_work "$1" "$phase" || continue
        pid=${LINE%% *}
        [ "$pid" != $$ ] || continue
        kill -KILL "$pid" 2>/dev/null
        await 2000 5 ended_in "$1/$phase.pid"
    done
}

ended_in() {
    ! alive_in "$1"
}

# Has every process ended that may still bring about a hold? fsfreeze in D state cannot be killed: it has to be waited for, and what it
# froze in the end has to be thawed.
workers_ended() {
    local worker
    for worker in "$1"/worker.*; do
        ! alive_in "$worker" || return 1
    done
}

# ---- freeze -----------------------------------------------------------------------------------------------------------

thaw_all() {
    thaw_each "$1" || return 1
    workers_ended "$1" && return 0
    await "$LET_GO_LIMIT" 20 workers_ended "$1" || return 1
    thaw_each "$1"
}

# Thaws every mount that the hold began to freeze, all at once: what a client waits for is the slowest, not the sum. Each has a file of our own
# for its error: the switch may be thawing too.
thaw_each() {
    local directory="$1" device point number=0 failed=""
    shift
    while read -r device point; do
        number=$((number + 1))
        if may_be_frozen "$directory" "$number"; then
            unspell "$point"
            fsfreeze --unfreeze "$PLAIN" </dev/null >/dev/null 2>"$directory/thaw.$number.$$" &
            set -- "$@" $!
        else
            set -- "$@" -
        fi
    done <<MOUNTS
$H_MOUNTS
MOUNTS
    number=0
    while read -r device point; do
        number=$((number + 1))
        thawed "$directory" "$number" "$1" "$device" "$point" || failed=1
        shift
    done <<MOUNTS
$H_MOUNTS
MOUNTS
    [ -z "$failed" ]
}

# Did the hold begin to freeze mount number $2? Where its directory has been deleted, every mount is suspect.
may_be_frozen() {
    [ -e "$1/worker.$2" ] || [ ! -e "$1/method" ]
}

# The outcome of the thaw that process $3 attempts of mount number $2, device $4 at $5. Fails where it may still be frozen.
thawed() {
    [ "$3" != - ] || return 0
    await "$LET_GO_LIMIT" 1 ended "$3" || return 1
    wait "$3" && return 0
    slurp "$1/thaw.$2.$$"
    case $TEXT in
        *"Invalid argument"*)
            UNHELD="${UNHELD}frozen $5 was not frozen any more$NEWLINE"
            # That holds if it is the file system that we froze, and not another one mounted over it.
            mounted_device "$5"
            [ "$MOUNTED_DEVICE" = "$4" ]
            ;;
        *)
            said "$TEXT"
            UNHELD="${UNHELD}frozen $5 cannot be thawed: $SAID$NEWLINE"
            return 1
            ;;
    esac
}

# Has process $1 ended?
ended() {
    ! process "$1" || [ "$P_STATE" = Z ]
}

# ---- pause ------------------------------------------------------------------------------------------------------------

resume_all() {
    local pid start
    while read -r pid; do
        [ -z "$pid" ] || echo 0 >"$pid/cgroup.freeze"
    done 2>/dev/null <<CGROUPS
$H_CGROUPS
CGROUPS
    while read -r pid start; do
        [ -n "$pid" ] && process "$pid" && [ "$P_START" = "$start" ] && kill -CONT "$pid"
    done 2>/dev/null <<PIDS
$H_PIDS
PIDS
    # Whoever was resumed takes the processor: to look whether all were takes longer than to resume them.
    now
    ! nothing_paused || { LET_GO_AT=$NOW; return 0; }
    await "$LET_GO_LIMIT" 1 nothing_paused
}

# Is the cgroup of directory $1 frozen, all of it?
frozen() {
    grep -q 'frozen 1' "$1/cgroup.events"
}

# Does every paused process run again?
nothing_paused() {
    local pid start
    while read -r pid; do
        [ -z "$pid" ] || [ ! -e "$pid/cgroup.freeze" ] || ! frozen "$pid" || return 1
    done <<CGROUPS
$H_CGROUPS
CGROUPS
    while read -r pid start; do
        ! alive "$pid" "$start" || [ "$P_STATE" != T ] || return 1
    done <<PIDS
$H_PIDS
PIDS
}

# ---- stop -------------------------------------------------------------------------------------------------------------

# Starts what was stopped and waits until it accepts connections: the recorded text, lines of `bring_up` in the background, does both. One server that
# does not start keeps no other one down.
start_all() {
    await "$LET_GO_LIMIT" 20 workers_ended "$1" || return 1
    (
        STARTS="" status=0
        eval "$H_START"
        for start in $STARTS; do
            wait "$start" || status=1
        done
        exit "$status"
    ) </dev/null >/dev/null 2>&1
}

# Starts a server by command line $1 until command line $2 says that it is up, which is before its manager has finished starting it. A start
# that failed is repeated: a server that is still shutting down cannot be started yet.
bring_up() {
    STARTER=""
    await 90000 30 is_up "$1" "$2"
}

is_up() {
    ! eval "$2" || return 0
    [ -z "$STARTER" ] || { ended "$STARTER" && nap 200; } || return 1
    eval "$1" &
    STARTER=$!
    return 1
}
