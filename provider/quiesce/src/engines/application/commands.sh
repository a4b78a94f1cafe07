# shellcheck shell=dash
# Running commands of the user's own, of whichever engine: each in a session of its own, with a time limit, its output kept short, its text shown to
# nobody. Whoever lets go thaws by these functions too.

# How many bytes a command may print: more is a mistake, and /run is memory.
OUTPUT_LIMIT=65536

# How often thaw is tried.
THAW_TRIES=3

# Runs the user's shell text $3 as command $2 of the session in directory $1, for $4 ms at most; fails -> FAILURE, why, and the
# code that it ended with -> CODE, empty where it did not end by itself. Its files are command.$2.*: pid ("pid start" of its session's leader), code (once it
# has ended), said.
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
    case $2 in *.freeze) [ ! -e "$1/claim" ] || exit 1 ;; esac
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
    FAILURE="" CODE=""
    if ! first_line "$1.code"; then
        FAILURE="was killed"
        ended "$COMMAND" || FAILURE="did not end within $(($2 / 1000)) s"
        end_command "$1" || FAILURE="$FAILURE, and cannot be killed"
    elif [ "$(($(wc -c <"$1.said")))" -gt "$OUTPUT_LIMIT" ]; then
        FAILURE="printed more than $((OUTPUT_LIMIT / 1024)) KiB"
    elif CODE=$LINE && [ "$CODE" != 0 ]; then
        FAILURE="ended with code $CODE"
    fi
    [ -n "$FAILURE" ] || return 0
    said "$(tail -c 300 "$1.said" 2>/dev/null)"
    FAILURE="$FAILURE${SAID:+; it said: $SAID}"
    return 1
}

# Ends the command of files $1 with all that it started, where it has not ended by itself. What hangs in the kernel cannot be killed: it is waited for, and what
# it freezes in the end has to be thawed.
end_command() {
    [ ! -e "$1.code" ] && first_line "$1.pid" || return 0
    await 2000 20 end_session "${LINE%% *}" "${LINE#* }"
}

# Kills what is left of the session that process $1, which started at $2, leads or led; succeeds once nothing is. While there is something, its number is
# nobody else's.
end_session() {
    local pid left=""
    ! process "$1" || [ "$P_START" = "$2" ] || return 0
    for pid in "$PROC"/[0-9]*; do
        pid=${pid##*/}
        process "$pid" && case $P_STATE,$P_SESSION,$pid, in [ZX]*) ;; *",$1,"*) left="$left $pid" ;; esac
    done
    [ -n "$left" ] || return 0
    # shellcheck disable=SC2086 # pids
    kill -KILL $left 2>/dev/null
    return 1
}

# ---- thawing ----------------------------------------------------------------------------------------------------------

# Lets go what the freeze command of engine $1 took, by shell text $2, called $4, for $3 ms at most each time. What is thawed while something may still
# freeze is thawed once more. What three tries could not thaw is left, and told. A thaw that failed is one all the same where <engine>_is_thawed says so.
thaw_by_command() {
    local thaw="$HELD_IN/$1.thaw" try=0
    nothing_freezes "$1" || { thaw_early "$@"; nothing_freezes "$1"; } || return 1
    while [ "$try" -lt "$THAW_TRIES" ]; do
        [ ! -e "$thaw.done" ] || return 0
        try=$((try + 1))
        if mkdir "$thaw.$try"; then
            if run_command "$HELD_IN" "$1.thaw.$try" "$2" "$3" || { have "$1_is_thawed" && "$1_is_thawed"; }; then
                write_whole "$thaw.done" "$try"
                return 0
            fi
            [ ! -e "$HELD_IN/command.$1.thaw.$try.pid" ] || write_whole "$thaw.$try/failed" "$FAILURE"
            nap 300
        else
            # Somebody else tries, or died in trying.
            await "$3" 10 thaw_tried "$1" "$try"
        fi
    done
    [ ! -e "$thaw.done" ] || return 0
    thaws_ran "$1" || return 1
    first_line "$thaw.$try/failed" || LINE="was killed"
    write_whole "$HELD_IN/left" "thaw The $4 failed $THAW_TRIES times: it $LINE."
}

# Are the commands of engine $1 over that could freeze something yet?
nothing_freezes() {
    end_command "$HELD_IN/command.$1.freeze" && end_command "$HELD_IN/command.$1.check"
}

# Thaws beneath a command that hangs in what it froze itself, for it writes there: no signal ends it before.
thaw_early() {
    mkdir "$HELD_IN/$1.thaw.early" || ! alive_in "$HELD_IN/command.$1.thaw.early.pid" || return 0
    run_command "$HELD_IN" "$1.thaw.early" "$2" "$3"
    ! have "$1_thaw_by_hand" || "$1_thaw_by_hand"
}

# Did the command of engine $1 run in every try? One that could not even be begun, such as for want of room in /run, is no try: it is given back.
thaws_ran() {
    local try=0 ran=0
    while [ "$try" -lt "$THAW_TRIES" ]; do
        try=$((try + 1))
        if [ -e "$HELD_IN/command.$1.thaw.$try.pid" ]; then ran=$((ran + 1)); else rmdir "$HELD_IN/$1.thaw.$try"; fi
    done
    [ "$ran" = "$THAW_TRIES" ]
}

# Has try $2 of somebody else to thaw engine $1 come to an end?
thaw_tried() {
    local pid="$HELD_IN/command.$1.thaw.$2.pid"
    [ -e "$HELD_IN/$1.thaw.done" ] || [ -e "$HELD_IN/$1.thaw.$2/failed" ] || { [ -e "$pid" ] && ! alive_in "$pid"; }
}
