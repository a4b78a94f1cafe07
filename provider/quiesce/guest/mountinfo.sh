# shellcheck shell=dash
# Which mount a path lies on, as /proc/self/mountinfo tells it.
#
# Paths and mount points are compared in its spelling: space, tab, newline and backslash as octal escapes. So spelled, every path is one
# word of one line.

# The root of the server at work where it sees other mounts than we (see views.sh); the server where it is in a container.
VIEW="" BOX=""

# Path $1 in mountinfo's spelling -> SPELLED.
spell() {
    local rest="$1" head char
    SPELLED=""
    while :; do
        head=${rest%%[\\ "$TAB$NEWLINE"]*}
        SPELLED=$SPELLED$head
        [ "$head" != "$rest" ] || return 0
        rest=${rest#"$head"}
        char=${rest%"${rest#?}"}
        rest=${rest#?}
        case $char in
            \\) SPELLED="$SPELLED\\134" ;;
            ' ') SPELLED="$SPELLED\\040" ;;
            "$TAB") SPELLED="$SPELLED\\011" ;;
            *) SPELLED="$SPELLED\\012" ;;
        esac
    done
}

# Mountinfo's spelling $1 as the path itself -> PLAIN.
unspell() {
    local rest="$1" head
    PLAIN=""
    while :; do
        head=${rest%%\\[01][0-9][0-9]*}
        PLAIN=$PLAIN$head
        [ "$head" != "$rest" ] || return 0
        rest=${rest#"$head"}
        case $rest in
            \\134*) PLAIN="$PLAIN\\" ;;
            \\040*) PLAIN="$PLAIN " ;;
            \\011*) PLAIN="$PLAIN$TAB" ;;
            \\012*) PLAIN="$PLAIN$NEWLINE" ;;
            \\043*) PLAIN="$PLAIN#" ;;
            *) PLAIN=$PLAIN${rest%"${rest#????}"} ;;
        esac
        rest=${rest#????}
    done
}

# Where directory $1 really is, all symbolic links followed -> REAL; fails where it is not a directory.
real_directory() {
    cd -P -- "$1" 2>/dev/null || return 1
    REAL=$PWD
    cd /
}

# Path $1 beneath root $2, all symbolic links followed as whoever has that root does -> SEEN; fails where nothing is there.
seen() {
    local rest="$1/" head link left=40
    SEEN=""
    while [ -n "$rest" ]; do
        head=${rest%%/*} rest=${rest#*/}
        case $head in
            "" | .) continue ;;
            ..) SEEN=${SEEN%/*} && continue ;;
        esac
        [ -L "$2$SEEN/$head" ] || { SEEN=$SEEN/$head && continue; }
        link=$(readlink "$2$SEEN/$head")
        rest=$link/$rest left=$((left - 1))
        case $left,$link in 0,*) return 1 ;; *,/*) SEEN="" ;; esac
    done
    SEEN=${SEEN:-/}
    [ -e "$2$SEEN" ]
}

# The mount that directory $1 (as `real_directory` says) lies on, by the list of mounts $2, else our own: the one with the longest matching mount point, the last of
# equals -> M_ID, M_DEVICE (major:minor), M_ROOT (what of its file system is mounted), M_POINT (both spelled), M_TYPE, M_SOURCE, M_OPTIONS.
mount_of() {
    local path id device root point stem options rest
    spell "${1%/}"
    path=$SPELLED
    M_POINT=""
    while read -r id _parent device root point options rest; do
        stem=${point%/}
        case $path/ in "$stem"/*) ;; *) continue ;; esac
        [ "${#point}" -ge "${#M_POINT}" ] || continue
        M_ID=$id M_DEVICE=$device M_ROOT=$root M_POINT=$point
        # A lone dash ends the optional fields: "shared:1 master:2 - ext4 /dev/nvme1n1 rw,data=ordered".
        rest=" $rest"
        rest=${rest#* - }
        M_TYPE=${rest%% *}
        rest=${rest#* }
        M_SOURCE=${rest%% *}
        M_OPTIONS=$options,${rest#* }
    done <"${2:-$PROC/self/mountinfo}"
    [ -n "$M_POINT" ]
}

# The device that is mounted at spelled mount point $1 now -> MOUNTED_DEVICE, empty where none is.
mounted_device() {
    local id device point _rest
    MOUNTED_DEVICE=""
    while read -r id _parent device _root point _rest; do
        [ "$point" != "$1" ] || MOUNTED_DEVICE=$device
    done <"$PROC/self/mountinfo"
}
