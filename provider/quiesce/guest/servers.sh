# shellcheck shell=dash
# From the engines asked for to servers, paths, mounts and disks: what probe, arm and hold all have to know.

SERVERS=""
# "purpose path" a line, the path in mountinfo's spelling: of all servers, and of the one that is being looked for.
NEEDED_PATHS=""
SERVER_PATHS=""
# The root processes of the servers; "pid start" a line of those in containers.
ROOTS=""
BOXES=""
# How method stop stops the servers, starts them again, and tells that they are still down: lines of shell.
STOP_COMMANDS=""
START_COMMANDS=""
DOWN_TESTS=""
# "device mount-point" a line: the mounts on which servers write.
DATA_MOUNTS=""
MOUNT_REPORTS=""

# Finds the servers of all engines asked for.
find_servers() {
    for ENGINE in $CDB_ENGINES; do
        SERVER_PATHS="" VIEW="" BOX=""
        "${ENGINE}_find"
    done
}

# Counts the server of process $1 among those that were found.
found_server() {
    ROOTS="$ROOTS $1"
    [ -z "$BOX" ] || ! process "$1" || BOXES="$BOXES$1 $P_START$NEWLINE"
}

# What the user told about option $1 of the engine at work, both in capitals -> TOLD, empty where it is to be detected.
told() {
    eval "TOLD=\$CDB_$(printf '%s' "$ENGINE" | tr '[:lower:]' '[:upper:]')_$1"
}

# Adds a path that the server needs. $1: data, wal, tablespace, link (a symbolic link inside), mount (a mount inside) or config; $2: where it
# really is.
need() {
    local entry
    spell "$2"
    entry="$1 $SPELLED"
    case $SERVER_PATHS in *" $SPELLED$NEWLINE"*) ;; *) SERVER_PATHS="$SERVER_PATHS$entry$NEWLINE" ;; esac
    # What is configuration to one may be data to another.
    case $NEWLINE$NEEDED_PATHS in *"$NEWLINE$entry$NEWLINE"*) ;; *) NEEDED_PATHS="$NEEDED_PATHS$entry$NEWLINE" ;; esac
}

# The same for a directory, as the server names it, with everything mounted inside it. $1: purpose, $2: directory, $3: an entry inside that may be
# elsewhere.
need_directory() {
    local point directory
    place "$2"
    [ $? != 2 ] || return 0
    if [ ! -d "$REAL" ]; then
        problem path_unreadable "$2 ($1) is no directory that can be entered." "Repair it: the server needs it too."
        return
    fi
    need "$1" "$REAL"
    [ -z "$UPPER" ] || need link "$UPPER"
    directory=$SEEN
    nested_mounts "$SEEN"
    while read -r point; do
        [ -n "$point" ] || continue
        unspell "$point"
        case $PLAIN in "$directory/$3" | "$directory/lost+found") continue ;; esac
        if [ -z "$VIEW" ]; then need mount "$PLAIN"; elif place "$PLAIN"; then need mount "$REAL"; fi
    done <<NESTED
$NESTED
NESTED
}

# The same for a symbolic link $1 inside a data directory, to a directory or a file.
need_link() {
    place "$1" || return 0
    if [ -d "$REAL" ]; then need_directory link "$1" ""; else need link "$REAL"; fi
}

# The same for configuration file $1, unless it lies in data directory $2.
need_config() {
    local file
    place "$1" || return 0
    file=$REAL
    place "$2"
    case $file in "$REAL"/*) ;; *) need config "$file" ;; esac
}

# Does the file system of directory $1 never overwrite in place? ZFS, and btrfs unless copy-on-write is switched off.
pages_are_atomic() {
    place "$1" && mount_of "$REAL" || return 1
    case $M_TYPE,$M_OPTIONS, in
        zfs,*) return 0 ;;
        btrfs,*,nodatacow,*) return 1 ;;
        btrfs,*) case $(lsattr -d "$REAL" 2>/dev/null) in [!\ ]*C*\ *) return 1 ;; esac ;;
        *) return 1 ;;
    esac
}

# Maps every needed path to its mount and its disks; what cannot be captured becomes a problem.
map_paths() {
    local purpose spelled directory device devices="" entries=""
    while read -r purpose spelled; do
        [ -n "$purpose" ] || continue
        unspell "$spelled"
        directory=$PLAIN
        [ -d "$directory" ] || directory=${directory%/*}/
        locate "$purpose" "$directory" || continue
        entries="$entries$M_DEVICE $purpose $spelled$NEWLINE"
        case " $devices " in
            *" $M_DEVICE "*) ;;
            *) devices="$devices $M_DEVICE" ;;
        esac
    done <<PATHS
$NEEDED_PATHS
PATHS
    needed_by_guest
    volumes
    for device in $devices; do
        describe_mount "$device" "$entries"
    done
}

# The mount of directory $2 (needed as $1), which must be one of a local disk.
locate() {
    if ! mount_of "$2" || ! mount_confirmed "$2"; then
        problem mount_unclear "The mount that $2 ($1) lies on cannot be told: mounts lie over each other." \
            "Unmount what hides it."
        return 1
    fi
    on_disk && return 0
    not_on_a_volume "$2 ($1)"
    return 1
}

# Is the mount that was found one of a local disk?
on_disk() {
    case $M_DEVICE:$M_TYPE in 0:*:btrfs | 0:*:zfs) ;; 0:*) return 1 ;; esac
}

not_on_a_volume() {
    problem not_on_a_volume "$1 lies on $M_TYPE at $M_POINT, which no EBS volume holds." \
        "Move it to an EBS volume of this instance; an image holds nothing else."
}

# Adds the mount with device $1 to the report; $2: "device purpose path" of all needed paths.
describe_mount() {
    local device purpose spelled paths="" is_data=false first=""
    while read -r device purpose spelled; do
        [ "$device" = "$1" ] || continue
        unspell "$spelled"
        [ -n "$first" ] || first=$PLAIN
        [ "$purpose" = config ] || is_data=true
        json "$PLAIN"
        paths="$paths${paths:+,}$JSON"
    done <<ENTRIES
$2
ENTRIES
    [ -d "$first" ] || first=${first%/*}/
    mount_of "$first"
    [ "$is_data" = false ] || DATA_MOUNTS="$DATA_MOUNTS$M_DEVICE $M_POINT$NEWLINE"
    find_leaves "$first" "$is_data"
    mount_json "$is_data" "$paths"
}

# The disks beneath the mount that `mount_of` found -> LEAVES; those that no image can hold become problems. $1: a path on it.
find_leaves() {
    local base leaf name
    LEAVES=""
    bases "$M_DEVICE" "$M_TYPE" "$M_SOURCE"
    for base in $BASES; do
        leaves "$base"
    done
    [ "$2" = false ] || HELD_BASES="$HELD_BASES $BASES"
    [ -n "$LEAVES" ] || problem disk_unknown "No disk is known beneath $M_SOURCE, which holds $1." \
        "Use a file system on EBS volumes, directly or through partitions, LVM or md."
    while read -r leaf name; do
        [ -n "$leaf" ] && instance_store "$leaf" || continue
        problem instance_store "$1 lies on $name, an instance store, which no image holds." "Move it to an EBS volume."
    done <<LEAVES
$LEAVES
LEAVES
}
HELD_BASES=""

# What manages the guest's services -> SERVICE_MANAGER, empty where nothing known does.
service_manager() {
    SERVICE_MANAGER=""
    if [ -d /run/systemd/system ] && have systemctl; then
        SERVICE_MANAGER=systemd
    elif have rc-service; then
        SERVICE_MANAGER=openrc
    elif have service; then
        SERVICE_MANAGER=sysvinit
    fi
}

# The systemd unit that process $1 runs in -> UNIT, empty where it is none of its own.
unit_of() {
    local line
    UNIT=""
    while read -r line; do
        case $line in
            0::*.service | *name=systemd:*.service) UNIT=${line##*/} ;;
        esac
    done <"$PROC/$1/cgroup"
    case $UNIT in user@*) UNIT="" ;; esac
} 2>/dev/null

# How the service manager stops and starts service $1: words of shell -> SERVICE_STOP, SERVICE_START.
service_commands() {
    case $SERVICE_MANAGER in
        systemd) set -- systemctl stop "$1" systemctl start "$1" ;;
        openrc) set -- rc-service "$1" stop rc-service "$1" start ;;
        *) set -- service "$1" stop service "$1" start ;;
    esac
    words "$1" "$2" "$3"
    SERVICE_STOP=$WORDS
    words "$4" "$5" "$6"
    SERVICE_START=$WORDS
}

# Records that a server is started by command line $1 until command line $2 says that it is up.
starts_by() {
    words bring_up "$1" "$2"
    START_COMMANDS="$START_COMMANDS$WORDS& STARTS=\"\$STARTS \$!\"$NEWLINE"
}

# Records that a server is down as long as the command of these words succeeds.
down_while() {
    words "$@"
    DOWN_TESTS="$DOWN_TESTS$WORDS || exit 1$NEWLINE"
}

# Does the service manager agree that unit $1 is that of process $2? What the user named ($3) is believed.
service_is_of() {
    [ -n "$1" ] && [ -n "$SERVICE_MANAGER" ] || return 1
    [ -z "$3" ] || return 0
    [ "$(systemctl show -p MainPID "$1" 2>/dev/null)" = "MainPID=$2" ]
}
