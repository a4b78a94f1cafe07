# shellcheck shell=dash
# From a file system's device down to the disks beneath it, and from disks to EBS volumes, all by device number.

# The block devices that a file system lies on directly, "major:minor" each -> BASES. Its own device, except where mounts show an anonymous
# device number. $1: its device, $2: its type, $3: its source as mountinfo spells it.
bases() {
    unspell "$3"
    case $2 in
        btrfs) btrfs_bases "$PLAIN" ;;
        zfs) zfs_bases "${PLAIN%%/*}" ;;
        *) BASES=$1 ;;
    esac
}

# All devices of the btrfs file system that device node $1 belongs to.
btrfs_bases() {
    local pool entry
    BASES=""
    device_number "$1" || return 0
    for pool in "$SYS/fs/btrfs"/*/devices; do
        BASES=""
        for entry in "$pool"/*; do
            first_line "$entry/dev" && BASES="$BASES $LINE"
        done
        case " $BASES " in *" $DEVICE_NUMBER "*) return 0 ;; esac
    done
    BASES=$DEVICE_NUMBER
}

# All devices of ZFS pool $1.
zfs_bases() {
    local name _rest
    BASES=""
    while read -r name _rest; do
        case $name in /*) device_number "$name" && BASES="$BASES $DEVICE_NUMBER" ;; esac
    done <<DEVICES
$(zpool list -vHPL "$1" 2>/dev/null)
DEVICES
}

# The device number of the node $1, symbolic links followed -> DEVICE_NUMBER.
device_number() {
    local numbers
    numbers=$(stat -L -c '%t %T' -- "$1" 2>/dev/null) && [ "$numbers" != "0 0" ] || return 1
    DEVICE_NUMBER=$((0x${numbers% *})):$((0x${numbers#* }))
}

# The disks that carry block device $1, behind partitions, LVM and md: "major:minor name", one a line, added to LEAVES.
leaves() {
    leaves_beneath "$SYS/dev/block/$1"
}

leaves_beneath() {
    local slave found=""
    real_directory "$1" || return 0
    set -- "$REAL"
    if [ -e "$1/partition" ]; then
        leaves_beneath "$1/.."
        return
    fi
    for slave in "$1/slaves"/*; do
        [ -e "$slave" ] || continue
        found=1
        leaves_beneath "$slave"
    done
    [ -z "$found" ] && first_line "$1/dev" || return 0
    case $LEAVES in *"$LINE "*) ;; *) LEAVES="$LEAVES$LINE ${1##*/}$NEWLINE" ;; esac
}

# The volumes that udev names on Nitro instances: "major:minor vol-...", one a line -> VOLUMES. By the links' device numbers: the
# kernel hands out its names in any order.
volumes() {
    local prefix="$DEV/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol" major minor name
    VOLUMES=""
    set -- "$prefix"*
    [ -e "$1" ] || return 0
    while read -r major minor name; do
        name=${name#"$prefix"}
        name=${name#-}
        VOLUMES="$VOLUMES$((0x$major)):$((0x$minor)) vol-${name%%[!0-9a-f]*}$NEWLINE"
    done <<LINKS
$(stat -L -c '%t %T %n' -- "$@" 2>/dev/null)
LINKS
}

# The volume behind leaf $1 -> VOLUME, empty where nothing names it: on Xen instances the disk's name does (xvdf). Where udev's link and
# the controller's own serial number disagree, nobody is believed.
volume_of() {
    local device id serial=""
    VOLUME=""
    while read -r device id; do
        [ "$device" != "$1" ] || VOLUME=$id
    done <<LIST
$VOLUMES
LIST
    read -r serial <"$SYS/dev/block/$1/device/serial" || :
    case $serial in
        vol[0-9a-f]* | vol-[0-9a-f]*)
            serial=${serial#vol}
            serial=vol-${serial#-}
            [ "${VOLUME:-$serial}" = "$serial" ] && VOLUME=$serial || VOLUME=""
            ;;
    esac
} 2>/dev/null

# Is leaf $1 an instance store, whose content no image holds?
instance_store() {
    local model=""
    read -r model <"$SYS/dev/block/$1/device/model" || :
    case $model in *"Instance Storage"*) return 0 ;; *) return 1 ;; esac
} 2>/dev/null
