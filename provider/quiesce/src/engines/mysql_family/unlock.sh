# shellcheck shell=dash
# Asking the lock session at the release, and ending it: what whoever lets go has to know.

# Is the session the one that took the locks, and does it still hold them? Asked when the server runs again, and told to unlock in the same breath.
my_verify() {
    local base="$OWN/lock.$ENGINE" answer
    [ "$H_METHOD" != stop ] && [ -e "$base.in" ] || return 0
    if ! alive_in "$base" || ! slurp "$base.ask"; then
        broken lock "The session that held the locks of $ENGINE is gone."
        return 0
    fi
    printf '%s\n' "$TEXT" 1<>"$base.in"
    await 5000 2 lock_session_answered "$base"
    slurp "$base.out"
    answer=${TEXT##*consistent holds=}
    first_line "$base.holds"
    case $TEXT in
        *"consistent unlocked=1"*)
            : >"$base.unlocked"
            [ "${answer%%"$NEWLINE"*}" = "$LINE" ] ||
                broken lock "The session that held the locks of $ENGINE holds ${answer%%"$NEWLINE"*}, and held $LINE."
            ;;
        *)
            said "${TEXT##*consistent done=}"
            broken lock "The session that held the locks of $ENGINE does not hold them any more: $SAID"
            ;;
    esac
    return 0
}

lock_session_answered() {
    slurp "$1.out"
    case $TEXT in *"consistent unlocked=1"*) return 0 ;; esac
    ! alive_in "$1"
}

# Ends the client of engine $1: its connection closes, and the server lets go its locks.
end_lock_client() {
    ! alive_in "$HELD_IN/lock.$1" || end_client "${LINE%% *}" "${LINE#* }"
}

end_client() {
    kill -KILL "$1" 2>/dev/null
    await 2000 2 ended "$1"
}

# Ends the client of engine $1, process $2 that started at $3, and its connection $6 on the server, process $4 that started at $5, by a client of
# the words $7... A server that is asked while it waits for a lock notices only then.
end_lock_connection() {
    local engine="$1" client="$2 $3" server="$4 $5" connection="$6"
    ! alive "$2" "$3" || end_client "$2"
    shift 6
    [ ! -e "$HELD_IN/lock.$engine.unlocked" ] || return 0
    # shellcheck disable=SC2086 # "pid start"
    ! alive $server || await 6000 20 connection_ended "$connection" "$@"
}

# Is connection $1 gone? It is killed where it is not. The other words: user, group, client.
connection_ended() {
    local connection="$1" uid="$2" gid="$3" answer
    shift 3
    limit 3
    # shellcheck disable=SC2086 # words
    answer=$(as_user "$uid" "$gid" $LIMIT "$@" --execute="KILL $connection" 2>&1)
    case $answer in *'Unknown thread id'*) return 0 ;; *) return 1 ;; esac
}
