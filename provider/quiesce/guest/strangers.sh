# shellcheck shell=dash
# Servers of which nothing was said and whose files lie on what is held too: nobody vouches for what the image holds of them.

# Warns of every process whose name stands in CDB_SERVER_NAMES ("name engine" a line), that none of the servers found has to do with, and that keeps
# files on a data mount.
warn_of_strangers() {
    local pid root known="" kind
    for root in $ROOTS; do
        tree "$root"
        known="$known $TREE"
    done
    data_device_numbers
    for pid in "$PROC"/[0-9]*; do
        pid=${pid##*/}
        first_line "$PROC/$pid/comm" || continue
        kind_of_server "$LINE"
        case "$KIND, $CDB_ENGINES " in ,* | custom,*' custom '*) continue ;; esac
        case " $known " in *" $pid "*) continue ;; esac
        kind=$KIND
        is_child_of_its_kind "$pid" "$LINE" || ! keeps_files_on_data "$pid" || warn_of_stranger "$pid" "$LINE" "$kind"
    done
}

# The engine that a process of name $1 would be asked for by -> KIND, empty where it is no server.
kind_of_server() {
    local name engine
    KIND=""
    while read -r name engine; do
        [ "$name" != "$1" ] || KIND=$engine
    done <<NAMES
$CDB_SERVER_NAMES
NAMES
}

# Is process $1 of name $2 a part of a server that has the same name?
is_child_of_its_kind() {
    process "$1" && first_line "$PROC/$P_PARENT/comm" && [ "$LINE" = "$2" ] && return 0
    LINE=$2
    return 1
}

# The data mounts as stat(2) numbers them -> DATA_NUMBERS.
data_device_numbers() {
    local device _point major minor
    DATA_NUMBERS=" "
    while read -r device _point; do
        [ -n "$device" ] || continue
        major=${device%:*} minor=${device#*:}
        DATA_NUMBERS="$DATA_NUMBERS$(((minor & 255) | (major << 8) | ((minor >> 8) << 20))) "
    done <<MOUNTS
$DATA_MOUNTS
MOUNTS
}

# Does process $1 work in a directory of a data mount, or have a file open there? Whatever its own view of the mounts is.
keeps_files_on_data() {
    local number
    for number in $(stat -L -c %d "$PROC/$1/cwd" "$PROC/$1/fd"/* 2>/dev/null); do
        case $DATA_NUMBERS in *" $number "*) return 0 ;; esac
    done
    return 1
}

# Names process $1 of name $2 that could be asked for by engine $3.
warn_of_stranger() {
    local way="$3 = {}"
    case " $CDB_ENGINES custom " in *" $3 "*) way="custom = { paths = [...] }" ;; esac
    warn "$2 (process $1, in $(readlink "$PROC/$1/cwd")) keeps files on what is held too, and nothing is said of it: what the image holds of it is not proven. To hold it as well, add $way."
}
