# shellcheck shell=dash
# The engines asked for, and what they hold themselves around the hold of file systems or processes: a session with a lock, an application that
# was frozen by a command of its own. It is taken first, asked about once the rest is let go, and let go last, by whoever lets go.

# The engine whose function is running.
ENGINE=""

# Calls <engine>_$1 with the other arguments for each engine asked for; stops at the first that fails.
each_engine() {
    local function="$1"
    shift
    for ENGINE in $CDB_ENGINES; do
        "${ENGINE}_$function" "$@" || return 1
    done
}

# The same for those engines that have such a function.
each_able_engine() {
    local function="$1"
    shift
    for ENGINE in $CDB_ENGINES; do
        ! have "${ENGINE}_$function" || "${ENGINE}_$function" "$@" || return 1
    done
}

# Records by which command is let go what the engine at work is about to take: a function of ENGINES_LET_GO with its arguments. It finds the
# session's directory in HELD_IN, may run twice, at the same time too, and where nothing was taken in the end; it fails where it has to be run again.
lets_go_by() {
    slurp "$OWN/engines" || TEXT=$ENGINES_LET_GO
    words "$@"
    write_whole "$OWN/engines" "$TEXT$NEWLINE$WORDS|| ENGINE_HOLDS=1"
}

# Lets go what the engines took in the session of directory $1. The record carries the functions that it calls: whoever lets go may be another
# session, of other engines.
let_engines_go() {
    HELD_IN=$1 ENGINE_HOLDS=""
    [ -n "$H_ENGINES" ] || return 0
    # Commands of our own, every word of them quoted when they were recorded.
    { eval "$H_ENGINES"; } </dev/null >/dev/null 2>&1
    now
    LET_GO_AT=$NOW
    [ -z "$ENGINE_HOLDS" ]
}
