# shellcheck shell=dash
# The ground that every guest script stands on: its environment, time, waiting, JSON.
#
# Written for dash, bash --posix and busybox ash. A function returns its result in the capitalised variable that its comment
# names: a command substitution would fork, and would lose trailing newlines of paths.

set -u
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
IFS=' 	
'
export PATH LC_ALL
unset CDPATH ENV TMPDIR
cd /

PROC=/proc
SYS=/sys
DEV=/dev
STATE=/run/consistent
# Where an old bash (before 5.1) that is called /bin/sh writes here-documents to, which has to be no file system that is frozen. Not exported.
# shellcheck disable=SC2034
TMPDIR=$STATE
NEWLINE='
'
TAB='	'

# Uptime in ms -> NOW. The kernel counts it in hundredths of a second, monotonic, immune to clock jumps.
now() {
    local up _idle
    read -r up _idle <"$PROC/uptime"
    # The leading 1 keeps "08" from being read as octal.
    NOW=$((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}

# Sleeps $1 ms; a whole second where the guest's sleep knows no fractions.
nap() {
    local fraction=$(($1 % 1000 + 1000))
    sleep "$(($1 / 1000)).${fraction#1}" 2>/dev/null || sleep 1
}

# Repeats a command every $2 ms until it succeeds, at most $1 ms; fails if it never did.
await() {
    local limit="$1" pause="$2" started
    shift 2
    now
    started=$NOW
    until "$@"; do
        now
        [ $((NOW - started)) -lt "$limit" ] || return 1
        nap "$pause"
    done
}

# The words that, put before a command, end it after $1 seconds -> LIMIT; none where the guest has no tool for that.
limit() {
    LIMIT=""
    ! have timeout || LIMIT="timeout -s KILL $1"
}

have() {
    command -v "$1" >/dev/null
}

# The whole of a file -> TEXT, without its trailing newlines; fails where it cannot be read.
slurp() {
    TEXT=""
    [ -r "$1" ] && TEXT=$(cat "$1" 2>/dev/null)
}

# The first line of a file -> LINE; fails where there is none.
first_line() {
    LINE=""
    [ -r "$1" ] && { IFS= read -r LINE || [ -n "$LINE" ]; } <"$1"
} 2>/dev/null

# Writes text $2 to file $1 so that a reader sees all of it or nothing.
write_whole() {
    printf '%s\n' "$2" >"$1.new.$$" && mv -f "$1.new.$$" "$1"
}

# $1 as a JSON string -> JSON.
json() {
    local rest="$1" head char out=""
    while :; do
        head=${rest%%[\"\\[:cntrl:]]*}
        out=$out$head
        [ "$head" != "$rest" ] || break
        rest=${rest#"$head"}
        char=${rest%"${rest#?}"}
        rest=${rest#?}
        case $char in
            '"' | \\) out="$out\\$char" ;;
            "$NEWLINE") out="$out\\n" ;;
            "$TAB") out="$out\\t" ;;
            *) out="$out$(printf '\\u%04x' "'$char")" ;;
        esac
    done
    JSON="\"$out\""
}

# $1 as a JSON string, or null where it is empty -> JSON.
json_or_null() {
    if [ -n "$1" ]; then json "$1"; else JSON=null; fi
}

# Shell words as a JSON array of strings, one a line of $1 -> JSON.
json_lines() {
    local line list=""
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        json "$line"
        list="$list${list:+,}$JSON"
    done <<LINES
$1
LINES
    JSON="[$list]"
}

# $1 as one word of shell -> QUOTED. What `shell::quote` does in Rust.
quote() {
    local rest="$1" out=""
    while :; do
        case $rest in
            *\'*) out="$out${rest%%\'*}'\\''" rest=${rest#*\'} ;;
            *) break ;;
        esac
    done
    QUOTED="'$out$rest'"
}

# Words as one command line of shell -> WORDS.
words() {
    local word
    WORDS=""
    for word in "$@"; do
        quote "$word"
        WORDS="$WORDS$QUOTED "
    done
}

# ---- the report -------------------------------------------------------------------------------------------------------

REPORT=""
PROBLEMS=""
WARNINGS=""

# Adds member $1 with the JSON value $2.
report() {
    REPORT="$REPORT,\"$1\":$2"
}

# A reason to refuse or to fail: code, what is wrong and where, what to do about it.
problem() {
    local entry
    json "$2"
    entry="{\"code\":\"$1\",\"message\":$JSON"
    json "$3"
    PROBLEMS="$PROBLEMS${PROBLEMS:+,}$entry,\"hint\":$JSON}"
}

warn() {
    json "$1"
    WARNINGS="$WARNINGS${WARNINGS:+,}$JSON"
}

SAID=""

# At most 300 characters of a tool's own words, on one line -> SAID.
said() {
    SAID=$(printf '%s' "$1" | tr '\n\t' '  ' | cut -c 1-300)
}

# This boot's id -> BOOT_ID.
boot_id() {
    first_line "$PROC/sys/kernel/random/boot_id"
    BOOT_ID=$LINE
}

# The wall clock, for people -> WALL_CLOCK.
wall_clock() {
    WALL_CLOCK=$(date -u +%Y-%m-%dT%H:%M:%SZ)
}

# The complete report of phase $1 with outcome $2 -> ANSWER. SSM cuts at 24,000 characters, and half a report is none.
compose() {
    now
    boot_id
    json "$BOOT_ID"
    ANSWER="{\"report\":1,\"session\":\"$CDB_SESSION\",\"phase\":\"$1\",\"outcome\":\"$2\",\"boot_id\":$JSON"
    ANSWER="$ANSWER,\"uptime_ms\":$NOW,\"warnings\":[$WARNINGS],\"problems\":[$PROBLEMS]$REPORT}"
}
