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

# How often process $1 has been given a processor, by all of its threads -> RUNS. It stands still while the process is
# held: whoever lets it run and stops it again is found out. 0 where the kernel does not count.
runs() {
    local task _ran _waited slices
    RUNS=0
    for task in "$PROC/$1/task"/*; do
        slices=""
        [ ! -r "$task/schedstat" ] || read -r _ran _waited slices <"$task/schedstat" || :
        RUNS=$((RUNS + ${slices:-0}))
    done
} 2>/dev/null
