# shellcheck shell=dash
# Writing dirty pages out: before a hold, so that little is left to write in it, and in one that stops the processes but not the kernel.

# Writes every data mount's dirty pages out, all at once, until uptime $1; looks every $2 ms whether that is done.
sync_mounts() {
    local until="$1" pause="$2" device point pids="" pid
    while read -r device point; do
        unspell "$point"
        sync_mount "$PLAIN" </dev/null >/dev/null 2>&1 &
        pids="$pids $!"
    done <"$OWN/mounts"
    for pid in $pids; do
        now
        await $((until - NOW)) "$pause" ended "$pid" || { SAID="sync is not done within its time limit"; return 1; }
        wait "$pid" || { SAID="sync failed"; return 1; }
    done
}

sync_failed() {
    problem sync_failed "The data mounts could not be written out: $SAID." \
        "Look for storage that does not answer, or raise max_hold_seconds."
    return 1
}

# One file system, or all of them where the guest's sync cannot choose.
sync_mount() {
    sync -f "$1" 2>/dev/null || sync
}
