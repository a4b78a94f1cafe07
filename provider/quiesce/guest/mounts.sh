# shellcheck shell=dash
# What mounts mean for a hold: whether a path is really on one, what else is mounted inside, what the guest itself needs.

# Is $1 really on mount M_ID? The kernel itself says so of an open descriptor (since Linux 3.15): a mount hidden beneath a
# later one is not taken for the one that a path leads to.
mount_confirmed() {
    local key value
    while read -r key value; do
        [ "$key" != mnt_id: ] || [ "$value" = "$M_ID" ] || return 1
    done <"$PROC/self/fdinfo/3"
    return 0
} 3<"$1" 2>/dev/null

# Every mount point beneath the real directory $1, as the server at work sees it, spelled, one a line -> NESTED.
nested_mounts() {
    local point path list="$PROC/self" _rest
    [ -z "$VIEW" ] || list=${VIEW%/root}
    spell "${1%/}"
    path=$SPELLED
    NESTED=""
    while read -r _id _parent _device _root point _rest; do
        case $point in "$path"/*) NESTED="$NESTED$point$NEWLINE" ;; esac
    done <"$list/mountinfo"
}

# Can this type of file system be frozen?
freezable() {
    case $1 in ext2 | ext3 | ext4 | xfs | btrfs | f2fs | jfs | reiserfs | nilfs2) have fsfreeze ;; *) return 1 ;; esac
}

# What the guest needs so that it can thaw and answer: "device reason", one a line -> NEEDED. By device, not by mount point: a
# bind mount of the root file system is the root file system.
needed_by_guest() {
    local path reason
    NEEDED=""
    while read -r path reason; do
        if ! real_directory "$path" || ! mount_of "$REAL"; then continue; fi
        NEEDED="$NEEDED$M_DEVICE $reason ($path)$NEWLINE"
    done <<LIST
/ it is the root file system
/usr the guest's programs lie on it
/bin the guest's programs lie on it
/sbin the guest's programs lie on it
/usr/bin the guest's programs lie on it
/usr/sbin the guest's programs lie on it
/lib the guest's libraries lie on it
/lib64 the guest's libraries lie on it
/usr/lib the guest's libraries lie on it
/usr/lib64 the guest's libraries lie on it
/etc the guest's configuration lies on it
/dev the guest's devices lie on it
/run the state of the hold lies on it
/tmp the guest's temporary files lie on it
/var/lib/amazon the SSM agent writes its state to it
/var/log/amazon the SSM agent writes its log to it
/var/snap/amazon-ssm-agent the SSM agent writes its state to it
/var/log/journal the system's journal is written to it
LIST
    needed_for_swap
    needed_for_script
}

# Swap files: a guest that cannot write to its swap stalls.
needed_for_swap() {
    local file type _rest
    while read -r file type _rest; do
        [ "$type" = file ] || continue
        unspell "${file%/*}/"
        if ! real_directory "$PLAIN" || ! mount_of "$REAL"; then continue; fi
        NEEDED="$NEEDED$M_DEVICE the swap file $file lies on it$NEWLINE"
    done <"$PROC/swaps"
} 2>/dev/null

# The file that this script is being read from.
needed_for_script() {
    case $0 in /*) ;; *) return 0 ;; esac
    if ! real_directory "${0%/*}/" || ! mount_of "$REAL"; then return 0; fi
    NEEDED="$NEEDED$M_DEVICE the agent runs its commands from it (${0%/*})$NEWLINE"
}

# Why the guest needs the file system on device $1 -> WHY, empty where it does not.
why_needed() {
    local device reason
    WHY=""
    while read -r device reason; do
        [ "$device" != "$1" ] || { WHY=$reason; return; }
    done <<LIST
$NEEDED
LIST
}
