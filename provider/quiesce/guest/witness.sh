# shellcheck shell=dash
# Independent witnesses of an unbroken hold: counters of the kernel's own that stand still while writes are held. Taken when all is held,
# compared when it is let go.

# How many sectors block devices $1 have been told to write so far -> WRITTEN ("device=sectors" each); fails where the kernel does not count.
# Sectors, not requests: an fsync that finds nothing to write still sends an empty flush, frozen or not.
written() {
    local device sectors
    WRITTEN=""
    for device in $1; do
        read -r _ _ _ _ _ _ sectors _ <"$SYS/dev/block/$device/stat" || return 1
        WRITTEN="$WRITTEN $device=$sectors"
    done
} 2>/dev/null

# What process $1 has done so far that leaves a trace, by all of its threads: page faults, bytes and calls of reads and writes -> DEEDS. All of it
# stands still while the process is held: whoever lets it run, and be it only to fork, and stops it again is found out. How often it was
# given a processor would say less: the kernel wakes a frozen process to note a signal, such as that of the timer with which a PostgreSQL
# session waits for a lock.
deeds() {
    local _name count
    DEEDS=""
    process "$1" || return 1
    DEEDS=$P_FAULTS
    [ -r "$PROC/$1/io" ] || return 0
    while read -r _name count; do
        DEEDS=$DEEDS,$count
    done <"$PROC/$1/io"
} 2>/dev/null
