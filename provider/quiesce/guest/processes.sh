# shellcheck shell=dash
# Processes as /proc shows them: who is who, who descends from whom, who runs and who is stopped.

# One process's state letter, parent, session, page faults (its own and those of its ended children) and start time (ticks since boot) -> P_STATE, P_PARENT,
# P_SESSION, P_FAULTS, P_START; fails if it is gone.
# A pid with its start time names a process for good; a pid alone is reused. $1: a pid, or pid/task/tid.
process() {
    local line=""
    # The command's name may hold anything, even newlines and parentheses: the rest begins behind the last one.
    while read -r line; do
        case $line in *') '*) break ;; esac
    done 2>/dev/null <"$PROC/$1/stat" || return 1
    case $line in *') '*) ;; *) return 1 ;; esac
    # shellcheck disable=SC2086 # split on purpose: numbers only
    set -- ${line##*) }
    [ $# -ge 20 ] || return 1
    P_STATE=$1 P_PARENT=$2 P_SESSION=$4 P_FAULTS=$8,$9,${10},${11} P_START=${20}
}

# Is process $1 that started at $2 alive? A zombie is not: it does nothing any more.
alive() {
    [ -n "$1" ] && process "$1" && [ "$P_START" = "$2" ] && case $P_STATE in Z | X) return 1 ;; esac
}

# Is the process alive whose "pid start" stands in file $1?
alive_in() {
    local pid start
    first_line "$1" || return 1
    pid=${LINE%% *} start=${LINE#* }
    alive "$pid" "$start"
}

# This very shell's "pid start", right in a subshell too, where $$ is the parent's -> MYSELF.
myself() {
    local pid _rest
    read -r pid _rest <"$PROC/self/stat"
    process "$pid"
    MYSELF="$pid $P_START"
}

# The children of process $1, by all of its threads -> CHILDREN.
children() {
    local pid="$1" list
    CHILDREN=""
    if [ -e "$PROC/$pid/task/$pid/children" ]; then
        for list in "$PROC/$pid/task"/*/children; do
            first_line "$list" && CHILDREN="$CHILDREN $LINE"
        done
        return
    fi
    # Kernels built without CONFIG_PROC_CHILDREN: ask every process for its parent.
    for list in "$PROC"/[0-9]*; do
        process "${list##*/}" && [ "$P_PARENT" = "$pid" ] && CHILDREN="$CHILDREN ${list##*/}"
    done
    return 0
}

# Process $1 and all that descend from it, ancestors first -> TREE.
tree() {
    local frontier="$1" next pid
    TREE=$1
    while [ -n "$frontier" ]; do
        next=""
        for pid in $frontier; do
            children "$pid"
            next="$next${CHILDREN:+ }$CHILDREN"
        done
        TREE="$TREE $next"
        case $next in *[0-9]*) frontier=$next ;; *) frontier="" ;; esac
    done
}

# Has every thread of process $1 stopped (or ended)?
stopped() {
    local task
    for task in "$PROC/$1/task"/*; do
        process "$1/task/${task##*/}" || continue
        case $P_STATE in T | t | Z | X) ;; *) return 1 ;; esac
    done
}

# The directory of process $1 in the cgroup v2 hierarchy -> CGROUP; fails where it has none of its own.
cgroup() {
    local line path="" root="" point="" _id _parent _device a_root a_point rest
    CGROUP=""
    while read -r line; do
        case $line in 0::*) path=${line#0::} ;; esac
    done <"$PROC/$1/cgroup" || return 1
    while read -r _id _parent _device a_root a_point rest; do
        case $rest in *' - cgroup2 '*) root=${a_root%/} point=$a_point ;; esac
    done <"$PROC/self/mountinfo"
    case $path in */../* | */.. | / | "") return 1 ;; esac
    case $path in "$root"/*) ;; *) return 1 ;; esac
    CGROUP=$point${path#"$root"}
    [ -n "$point" ] && [ -e "$CGROUP/cgroup.procs" ]
} 2>/dev/null

# Every process in the cgroup of directory $1 and in those below it -> MEMBERS.
members() {
    local child
    slurp "$1/cgroup.procs"
    MEMBERS="$MEMBERS $TEXT"
    for child in "$1"/*/; do
        [ ! -e "${child}cgroup.procs" ] || members "${child%/}"
    done
}

# Does cgroup $1 hold process $2 with all that descend from it, and nobody else but what lives in the same container? Only then may it be frozen as a whole.
# Asked of a busy server it may fail for once: processes come and go while they are counted.
cgroup_is_of() {
    local pid both
    MEMBERS=""
    members "$1"
    tree "$2"
    both=" $(printf '%s' "$MEMBERS" | tr '\n' ' ') / $TREE "
    for pid in $MEMBERS; do
        case ${both#*/} in *" $pid "*) ;; *) live_together "$pid" "$2" || ! alive_now "$pid" || return 1 ;; esac
    done
    for pid in $TREE; do
        case ${both%/*} in *" $pid "*) ;; *) ! alive_now "$pid" || return 1 ;; esac
    done
}

# Do processes $1 and $2 live in one container, or other place with mounts of its own?
live_together() {
    [ "$PROC/$1/ns/mnt" -ef "$PROC/$2/ns/mnt" ] && ! [ "$PROC/$1/ns/mnt" -ef "$PROC/self/ns/mnt" ]
}

# Is there a process $1 that can still do anything?
alive_now() {
    process "$1" && [ "$P_STATE" != Z ]
}

# The name of user id $1 -> USER_NAME; busybox's id knows names only.
user_name() {
    local name _password uid _rest
    USER_NAME=$(id -nu "$1" 2>/dev/null) && return 0
    while IFS=: read -r name _password uid _rest; do
        [ "$uid" != "$1" ] || USER_NAME=$name
    done </etc/passwd
    [ -n "$USER_NAME" ]
}

# Runs a command as user id $1 and group id $2, without opening a login session where that can be avoided.
as_user() {
    (become "$@")
}

# The same in place of this very shell, which has to be a subshell: the command keeps its process id where setpriv is there, or nothing to change.
become() {
    local uid="$1" gid="$2"
    shift 2
    [ "$uid" != 0 ] || exec "$@"
    if setpriv --reuid="$uid" --regid="$gid" --clear-groups true 2>/dev/null; then
        exec setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"
    elif ! user_name "$uid"; then
        echo "user id $uid has no name, and this guest has no setpriv" >&2
        return 1
    elif have runuser; then
        exec runuser -u "$USER_NAME" -- "$@"
    else
        words "$@"
        exec su -s /bin/sh -c "exec $WORDS" "$USER_NAME"
    fi
}

# Is there no process of the names $2... that works in directory $1?
nobody_works_in() {
    local directory="$1" pid
    shift
    for pid in "$PROC"/[0-9]*; do
        first_line "$pid/comm" || continue
        case " $* " in *" $LINE "*) [ ! "$pid/cwd" -ef "$directory" ] || return 1 ;; esac
    done
    return 0
}
