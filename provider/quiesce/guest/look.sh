# shellcheck shell=dash
# The read-only look at what sessions left on this guest, or have there now: for a person who asks. It reads /run and /proc, and writes nothing.

# More than these no guest has at a time, and SSM cuts a long answer.
MOST_SESSIONS=30
MOST_GIVEN_UP=10

look() {
    list_sessions frozen_mounts_json
    note_what_was_given_up
    look_report
    if [ ${#ANSWER} -gt 23900 ]; then
        warn "The mounts are not shown: the answer would be too long."
        list_sessions no_mounts_json
        look_report
    fi
    printf '%s\n' "$ANSWER"
}

look_report() {
    REPORT=""
    report sessions "[$LIST]"
    report given_up "[$GIVEN_UP]"
    compose look seen
}

# Every session that is not over, with the mounts that function $1 prints -> LIST.
list_sessions() {
    local directory count=0
    LIST=""
    for directory in "$STATE/sessions"/*; do
        is_session "${directory##*/}" && [ -e "$directory/method" ] && ! is_over "$directory" || continue
        count=$((count + 1))
        [ "$count" -le "$MOST_SESSIONS" ] || { warn "Only $MOST_SESSIONS sessions are shown."; return; }
        session_json "$directory" "$("$1" "$directory")"
        # It may have ended meanwhile, and would look like one that was killed.
        ! is_over "$directory" || continue
        LIST="$LIST${LIST:+,}$SESSION_JSON"
    done
}

# Is $1 a session's id: 32 hex digits?
is_session() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} -eq 32 ]
}

# What engines could not let go, and nobody tries any more -> GIVEN_UP.
note_what_was_given_up() {
    local directory count=0
    GIVEN_UP=""
    for directory in "$STATE/sessions"/*; do
        is_session "${directory##*/}" && first_line "$directory/left" && [ "$count" -lt "$MOST_GIVEN_UP" ] || continue
        count=$((count + 1))
        said "${LINE#* }"
        json "$SAID"
        GIVEN_UP="$GIVEN_UP${GIVEN_UP:+,}{\"session\":\"${directory##*/}\",\"detail\":$JSON}"
    done
}

# The session of directory $1, with its frozen mounts $2 in JSON -> SESSION_JSON.
session_json() {
    local alive=false switches=0 role claimed=false services=false locks=false method
    ! in_progress "$1" || alive=true
    for role in first spare; do
        ! alive_in "$1/switch.$role" || switches=$((switches + 1))
    done
    [ ! -e "$1/claim" ] || claimed=true
    forget
    recall "$1"
    paused_processes
    [ "$H_METHOD" != stop ] || [ -z "$H_START" ] || services=true
    [ -z "$H_ENGINES" ] || locks=true
    json_or_null "$H_METHOD"
    method=$JSON
    SESSION_JSON="{\"session\":\"${1##*/}\",\"method\":$method,\"in_progress\":$alive,\"switches\":$switches,\"letting_go\":$claimed"
    SESSION_JSON="$SESSION_JSON,\"began_uptime_ms\":${H_BEGAN:-null},\"ends_uptime_ms\":${H_FIRES:-null},\"frozen\":$2"
    SESSION_JSON="$SESSION_JSON,\"paused\":$PAUSED,\"services\":$services,\"locks\":$locks}"
}

# The mounts which the hold in directory $1 has begun to freeze, as mountinfo spells them.
frozen_mounts_json() {
    local device point number=0 points=""
    while read -r device point; do
        number=$((number + 1))
        [ ! -e "$1/worker.$number" ] || points="$points$point$NEWLINE"
    done 2>/dev/null <"$1/mounts"
    first_line "$1/method"
    [ "$LINE" = freeze ] || points=""
    json_lines "$points"
    printf '%s' "$JSON"
}

no_mounts_json() {
    printf '[]'
}

# How many of the processes that the hold registered are paused now -> PAUSED.
paused_processes() {
    local pid start group all=""
    PAUSED=0
    while read -r group; do
        [ -z "$group" ] || ! grep -qs 'frozen 1' "$group/cgroup.events" || all=1
    done <<CGROUPS
$H_CGROUPS
CGROUPS
    while read -r pid start; do
        alive "$pid" "$start" || continue
        [ -z "$all" ] && [ "$P_STATE" != T ] || PAUSED=$((PAUSED + 1))
    done <<PIDS
$H_PIDS
PIDS
}

look
