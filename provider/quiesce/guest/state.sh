# shellcheck shell=dash
# What the scripts of one session, and the sessions of one guest, know of each other: files on /run, in memory, gone with the boot.
#
#   $STATE/sessions/<session>/   one directory per session, made by whoever comes first, arm or release
#     arm.pid, hold.pid, release.pid
#                                "pid start" of the delivery that does a script's work; made (atomically, with its content) by the first
#     arm.answer, hold.answer, release.answer
#                                what that delivery answered; before it stands, the script is at work, or died
#     method, mounts             what the hold is: "freeze"; "device mount-point" a line
#     boxes                      "pid start" a line: servers in containers
#     limits                     until when to flush (uptime), how long then to wait for a hold, how long that may last: in ms
#     armed                      uptime after which no hold may come any more
#     began                      uptime right before the first write could be held
#     taken                      uptime when the first of all that is held was taken: from then on the hold is counted
#     worker.<n>                 "pid start" of a process that may still bring about a hold (fsfreeze in D state)
#     pids, cgroups              what is paused
#     start, down                how what is stopped is started again, and what tells that it is still down
#     engines                    how what the engines hold themselves is let go: functions, and their calls
#     left                       "link detail": what an engine could not let go and gave up
#     lapsed                     "link detail": what an engine found to have been let go before
#     theirs.<n>                 the mount point of a file system that an engine's own command froze, and has to thaw
#     witness                    what must not have moved when the hold is let go
#     claim/                     made (atomically) by the first who lets go
#     switch.first, switch.spare "pid start" of the two switches; fired: "uptime reason"
#     over                       everything is let go
#   $STATE/hold                  the lock: a symbolic link to the one session that may hold (made atomically)

# The directory of this session -> OWN.
locate_state() {
    OWN=$STATE/sessions/$CDB_SESSION
}

open_state() {
    locate_state
    mkdir -p "$OWN" 2>/dev/null
}

# Forgets sessions of the day before yesterday and earlier.
forget_old_sessions() {
    find "$STATE/sessions" -mindepth 1 -maxdepth 1 -mmin +2880 ! -path "$STATE/$(readlink "$STATE/hold")" \
        -exec rm -rf {} + 2>/dev/null
}

# Makes this script the one delivery that does the work of phase $1; fails for every later one. Whoever sees the file sees its content.
adopt() {
    local mine="$OWN/$1.pid.$$" status
    myself
    write_whole "$mine" "$MYSELF" || return 1
    ln "$mine" "$OWN/$1.pid"
    status=$?
    rm -f "$mine"
    return $status
} 2>/dev/null

# Is the script of phase $2 at work for the session of directory $1? Its pid -> LINE.
at_work() {
    [ ! -e "$1/$2.answer" ] && alive_in "$1/$2.pid"
}

# Did that script die before it answered? Asked in this order: what is dead answers no more.
died() {
    [ -e "$1/$2.pid" ] && ! alive_in "$1/$2.pid" && [ ! -e "$1/$2.answer" ]
}

LOCKED=""

# The session directory that has the lock -> LOCKED; fails where none has.
locked() {
    local target
    target=$(readlink "$STATE/hold" 2>/dev/null) || return 1
    LOCKED=$STATE/$target
}

lock() {
    ln -sn "sessions/$CDB_SESSION" "$STATE/hold" 2>/dev/null
}

# Gives the lock of the session in directory $1 back, if it has it.
unlock() {
    ! locked || [ "$LOCKED" != "$1" ] || rm -f "$STATE/hold"
}

# Makes the caller the first who lets session directory $1 go.
claim() {
    mkdir "$1/claim" 2>/dev/null && write_whole "$1/claim/by" "$2"
}

# Is everything of session directory $1 let go for good?
is_over() {
    [ -e "$1/over" ] || [ -e "$1/release.answer" ]
}

# Is somebody at work who holds, or who will let go? Directory: $1.
in_progress() {
    alive_in "$1/switch.first" || alive_in "$1/switch.spare" || at_work "$1" arm || at_work "$1" hold
}

# What the hold in directory $1 is -> H_METHOD, H_MOUNTS, H_PIDS, H_CGROUPS, H_START, H_ENGINES, H_BEGAN, H_TAKEN, H_FIRES: when the switch fires, or stands down
# because no hold has come. What cannot be read keeps the value it had: the switch goes on from memory should somebody delete the directory.
recall() {
    local flush_until armed_limit max_hold
    ! first_line "$1/method" || H_METHOD=$LINE
    ! slurp "$1/mounts" || H_MOUNTS=$TEXT
    ! slurp "$1/pids" || H_PIDS=$TEXT
    ! slurp "$1/cgroups" || H_CGROUPS=$TEXT
    ! slurp "$1/start" || H_START=$TEXT
    ! slurp "$1/engines" || H_ENGINES=$TEXT
    if first_line "$1/limits"; then
        read -r flush_until armed_limit max_hold <<LIMITS
$LINE
LIMITS
        H_MAX_HOLD=$max_hold
        H_FIRES=$((flush_until + armed_limit))
    fi
    ! first_line "$1/armed" || H_FIRES=$LINE
    ! first_line "$1/began" || H_BEGAN=$LINE
    ! first_line "$1/taken" || H_TAKEN=$LINE
    [ -z "$H_BEGAN" ] || H_FIRES=$((H_BEGAN + H_MAX_HOLD))
}

# Forgets what `recall` learnt.
forget() {
    H_METHOD="" H_MOUNTS="" H_PIDS="" H_CGROUPS="" H_START="" H_ENGINES="" H_BEGAN="" H_TAKEN="" H_FIRES="" H_MAX_HOLD=""
}
forget

# The hold in directory $1 as the reports describe it -> HOLD_JSON, HELD_FOR, FIRES_IN (ms).
describe_hold() {
    forget
    recall "$1"
    now
    HELD_FOR=0 FIRES_IN=0
    [ -z "$H_BEGAN" ] || HELD_FOR=$((NOW - H_BEGAN))
    [ -z "$H_FIRES" ] || [ "$H_FIRES" -lt "$NOW" ] || FIRES_IN=$((H_FIRES - NOW))
    HOLD_JSON="{\"session\":\"${1##*/}\",\"method\":\"$H_METHOD\",\"held_for_ms\":$HELD_FOR,\"fires_in_ms\":$FIRES_IN}"
}
