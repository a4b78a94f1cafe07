# shellcheck shell=dash
# The lock session: a client that stays connected, and holds the server's own locks, from before the hold until after it.
#
# Published recipes run the locking statement by a client that ends with it, and the lock with the client. This one is fed by a FIFO that it holds open
# itself, in a session of its own: it outlives the script, and ends when it is told to, or killed. Its files in the session's directory:
#   lock.<engine>              "pid start" of the client
#   lock.<engine>.in, .out     what it is told, what it has said
#   lock.<engine>.holds        what it answered when it had the locks: it has to answer the same at the release
#   lock.<engine>.ask          how it is asked, and told to unlock
#   lock.<engine>.unlocked     it has unlocked

# Takes the locks, where the server stays up: what is down needs none.
my_hold() {
    [ "$CDB_METHOD" != stop ] || return 0
    my_recall
    MY_LOCK=$OWN/lock.$ENGINE MY_STEP=0
    my_bound_wait
    my_connect && "${ENGINE}_take_locks" && my_note_locks && return 0
    case $MY_SAID in
        *'Lock wait timeout'*) my_report_blockers ;;
        *) problem lock_failed "The server on $MY_SOCKET did not give its locks: $MY_SAID" "Look into the server's log." ;;
    esac
    return 1
}

# How long the server may wait for a lock, in seconds: as told, and no longer than half of what is left for holding -> MY_WAIT.
my_bound_wait() {
    local most
    now
    most=$(((HOLD_UNTIL - NOW) / 2000))
    [ "$MY_WAIT" -le "$most" ] || MY_WAIT=$most
    [ "$MY_WAIT" -gt 0 ] || MY_WAIT=1
}

# Starts the client -> MY_CONNECTION, its number on the server. Whoever lets go ends the client, and the connection too: a server that waits for a
# lock does not notice that nobody wants it any more.
my_connect() {
    local server
    MY_SAID="no client could be started"
    mkfifo "$MY_LOCK.in" && : >"$MY_LOCK.out" || return 1
    lets_go_by end_lock_client "$ENGINE"
    eval "lock_client $MY_CLIENT" <>"$MY_LOCK.in" >>"$MY_LOCK.out" 2>&1 &
    MY_LOCK_CLIENT=$!
    # Its end of the FIFO is open by then; what is told before would be lost.
    await 2000 2 alive_in "$MY_LOCK" || return 1
    my_tell "SET SESSION sql_mode = '', autocommit = 1, lock_wait_timeout = $MY_WAIT, wait_timeout = 3600;
        SELECT CONCAT('consistent connection=', CONNECTION_ID())" 5000 || return 1
    my_value connection
    MY_CONNECTION=$VALUE
    process "$MY_PID" && server="$MY_PID $P_START" && first_line "$MY_LOCK" || return 1
    eval "lets_go_by end_lock_connection \"$ENGINE\" $LINE $server \"$MY_CONNECTION\" $MY_CLIENT"
}

# The client in place of this very shell, a subshell: registered first, and not run at all once somebody lets go. $1, $2: its user and group.
lock_client() {
    local uid="$1" gid="$2"
    shift 2
    myself
    write_whole "$MY_LOCK" "$MYSELF" || exit 1
    [ ! -e "$OWN/claim" ] || exit 1
    become "$uid" "$gid" setsid "$@"
}

# Tells the client statements $1 and waits until it has answered, at most $2 ms -> MY_ANSWER; why it did not -> MY_SAID.
my_tell() {
    MY_STEP=$((MY_STEP + 1))
    # Opened for reading too, this never waits for a client that is gone.
    printf "%s;\nSELECT 'consistent done=%s';\n" "$1" "$MY_STEP" 1<>"$MY_LOCK.in"
    MY_SAID="no answer in time"
    await "$2" 2 my_answered || return 1
    MY_ANSWER=${TEXT##*"consistent done=$((MY_STEP - 1))"}
    case $MY_ANSWER in *"consistent done=$MY_STEP"*) return 0 ;; esac
    said "${MY_ANSWER##*ERROR }"
    MY_SAID=$SAID
    return 1
}

# Has the client answered, or ended?
my_answered() {
    slurp "$MY_LOCK.out"
    case $TEXT in *"consistent done=$MY_STEP"*) return 0 ;; esac
    # What it said before it ended is there once it has.
    ended "$MY_LOCK_CLIENT" && slurp "$MY_LOCK.out"
}

# Tells the client to lock by statements $1, for which it may wait.
my_lock() {
    my_tell "$1" $((MY_WAIT * 1000 + 1000))
}

# The recovery point, and what the session says that it holds: it must say the same when it is asked again.
my_note_locks() {
    my_tell "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS; $MY_POSITION; $MY_HOLDS" 5000 || return 1
    my_value position
    recovery_point "$VALUE"
    my_value holds
    write_whole "$MY_LOCK.holds" "$VALUE" && write_whole "$MY_LOCK.ask" "$MY_HOLDS; $MY_UNLOCK; SELECT 'consistent unlocked=1';"
}

# Who is in the way: user and age, never what he asked for.
my_report_blockers() {
    MY_ANSWER=$(my_query "SET SESSION sql_mode = ''; $MY_BLOCKERS")
    my_values blocker
    problem long_query "The locks of the server on $MY_SOCKET were not to be had within $MY_WAIT s: $(printf '%s' "${VALUES:-a session that holds locks of its own}" | tr '\n' ';' | sed 's/;$//; s/;/; /g')." \
        "Let it end, or end it (KILL and its connection), or raise $ENGINE.lock_wait_timeout: writes wait for as long."
}
