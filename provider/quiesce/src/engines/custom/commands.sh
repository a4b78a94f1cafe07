# shellcheck shell=dash
# Running the user's own commands: each in a session of its own, with a time limit, its output kept short, its text shown to nobody. Whoever lets go thaws by
# these functions too.

# How many bytes a command may print: more is a mistake, and /run is memory.
OUTPUT_LIMIT=65536

# How often thaw is tried.
THAW_TRIES=3

# Runs the user's shell text $3 as command $2 of the session in directory $1, for $4 ms at most; fails -> FAILURE, why. Its files are command.$2.*:
# pid ("pid start" of its session's leader), code (once it has ended), said.
run_command() {
    local files="$1/command.$2"
    rm -f "$files".*
    lead_command "$1" "$2" "$3" </dev/null >/dev/null 2>&1 &
    COMMAND=$!
    await "$4" 10 command_ended "$files"
    # Its last words may still be under way - unless something that it left running keeps its output open.
    [ ! -e "$files.code" ] || await 300 5 ended "$COMMAND"
    judge_command "$files" "$4"
}

# In the background: registers itself first, as workers do, and does not freeze once somebody lets go.
lead_command() {
    myself
    write_whole "$1/command.$2.pid" "$MYSELF" || exit 1
    [ "$2" != freeze ] || [ ! -e "$1/claim" ] || exit 1
    : >"$1/command.$2.said"
    umask 022
    PATH=/usr/local/sbin:/usr/local/bin:$PATH
    # shellcheck disable=SC2016 # the leader's own arguments
    exec setsid /bin/sh -c '{ /bin/sh -c "$1"; echo $? >"$2.code"; } 2>&1 | { head -c "$3" >"$2.said"; cat >/dev/null; }' \
        sh "$3" "$1/command.$2" "$((OUTPUT_LIMIT + 1))"
}

# Has it ended, or its leader without it?
command_ended() {
    first_line "$1.code" || ended "$COMMAND"
}

judge_command() {
    FAILURE=""
    if ! first_line "$1.code"; then
        FAILURE="was killed"
        ended "$COMMAND" || FAILURE="did not end within $(($2 / 1000)) s"
        end_command "$1" || FAILURE="$FAILURE, and cannot be killed"
    elif [ "$(($(wc -c <"$1.said")))" -gt "$OUTPUT_LIMIT" ]; then
        FAILURE="printed more than $((OUTPUT_LIMIT / 1024)) KiB"
    elif [ "$LINE" != 0 ]; then
        FAILURE="ended with code $LINE"
    fi
    [ -n "$FAILURE" ] || return 0
    said "$(tail -c 300 "$1.said" 2>/dev/null)"
    FAILURE="$FAILURE${SAID:+; it said: $SAID}"
    return 1
}

# Ends the command of files $1 with all that it started, where it has not ended by itself.
end_command() {
    alive_in "$1.pid" && [ ! -e "$1.code" ] || return 0
    kill -KILL "-${LINE%% *}" 2>/dev/null || kill -KILL "${LINE%% *}" 2>/dev/null
    await 2000 5 ended_in "$1.pid"
}

# ---- thawing ----------------------------------------------------------------------------------------------------------

# Lets go what the freeze command took, by shell text $1, for $2 ms at most each time. Nothing is thawed while something still freezes. What three tries
# could not thaw is left, and told.
custom_thaw() {
    local try=0
    end_command "$HELD_IN/command.freeze" && end_command "$HELD_IN/command.check" || return 1
    while [ "$try" -lt "$THAW_TRIES" ]; do
        [ ! -e "$HELD_IN/thawed" ] || return 0
        try=$((try + 1))
        if mkdir "$HELD_IN/thaw.$try"; then
            run_command "$HELD_IN" "thaw.$try" "$1" "$2" && { write_whole "$HELD_IN/thawed" "$try"; return 0; }
            [ ! -e "$HELD_IN/command.thaw.$try.pid" ] || write_whole "$HELD_IN/thaw.$try/failed" "$FAILURE"
            nap 300
        else
            # Somebody else tries, or died in trying.
            await "$2" 10 thaw_tried "$try" "$2"
        fi
    done
    [ ! -e "$HELD_IN/thawed" ] || return 0
    thaws_ran || return 1
    first_line "$HELD_IN/thaw.$try/failed" || LINE="was killed"
    write_whole "$HELD_IN/left" "thaw The thaw command failed $THAW_TRIES times: it $LINE."
}

# Did the command run in every try? One that could not even be begun, such as for want of room in /run, is no try: it is given back.
thaws_ran() {
    local try=0 ran=0
    while [ "$try" -lt "$THAW_TRIES" ]; do
        try=$((try + 1))
        if [ -e "$HELD_IN/command.thaw.$try.pid" ]; then ran=$((ran + 1)); else rmdir "$HELD_IN/thaw.$try"; fi
    done
    [ "$ran" = "$THAW_TRIES" ]
}

# Has try $1 of somebody else come to an end?
thaw_tried() {
    [ -e "$HELD_IN/thawed" ] || [ -e "$HELD_IN/thaw.$1/failed" ] || { [ -e "$HELD_IN/command.thaw.$1.pid" ] && ! alive_in "$HELD_IN/command.thaw.$1.pid"; }
}

# ---- still frozen? ----------------------------------------------------------------------------------------------------

# Once file systems and processes are let go, and before the thaw command runs: does the check command say that its own hold is still there?
custom_verify() {
    [ -n "$CDB_CUSTOM_CHECK" ] || return 0
    run_command "$OWN" check "$CDB_CUSTOM_CHECK" "$((${CDB_CUSTOM_COMMAND_TIMEOUT:-10} * 1000))" || broken check "The check command $FAILURE."
}

# ---- up or down? ------------------------------------------------------------------------------------------------------

# Does service $1 run, and is it done with starting?
custom_is_active() {
    if have systemctl && [ -d /run/systemd/system ]; then
        systemctl is-active --quiet "$1"
    elif have rc-service; then
        rc-service "$1" status
    else
        service "$1" status
    fi
} >/dev/null 2>&1

# Is service $1 down? One that is starting is neither down nor active.
custom_is_inactive() {
    if have systemctl && [ -d /run/systemd/system ]; then
        unit_is_down "$1"
    else
        ! custom_is_active "$1"
    fi
} >/dev/null 2>&1

# Has systemd's unit $1 ended, with all of its processes? Whoever knows nothing of it does not say so.
unit_is_down() {
    local key value state="" main="" group="" root
    while IFS='=' read -r key value; do
        case $key in ActiveState) state=$value ;; MainPID) main=$value ;; ControlGroup) group=$value ;; esac
    done <<UNIT
$(systemctl show -p ActiveState -p MainPID -p ControlGroup "$1")
UNIT
    case $state,${main:-0} in inactive,0 | failed,0) ;; *) return 1 ;; esac
    [ -n "$group" ] || return 0
    # cgroup v2, alone or beside v1, and systemd's own hierarchy of v1.
    for root in "$SYS/fs/cgroup" "$SYS/fs/cgroup/unified" "$SYS/fs/cgroup/systemd"; do
        [ ! -e "$root$group/cgroup.procs" ] || cgroup_is_empty "$root$group" || return 1
    done
}

# Is no process left in the cgroup of directory $1 that can still do anything?
cgroup_is_empty() {
    local pid
    MEMBERS=""
    members "$1"
    for pid in $MEMBERS; do
        ! alive_now "$pid" || return 1
    done
}
