# shellcheck shell=dash
# Paths as a server sees them. One in a container, or with mounts of its own, calls other directories by names that the guest has too.
#
# VIEW is where the kernel shows the root of the server at work (/proc/<pid>/root), empty where that server sees what the guest sees. What lies beneath is
# read as $VIEW/... where no symbolic link can be in it, for the kernel follows absolute ones from the guest's root; else `seen` follows them first.

# Looks at paths as server $1 does -> VIEW; BOX: the server where it is in a container, which has a root of its own.
look_as() {
    owner_of "$1"
    VIEW="" BOX=""
    if [ "$PROC/$1/ns/mnt" -ef "$PROC/self/ns/mnt" ]; then
        [ "$PROC/$1/root" -ef / ] && return 0
        problem server_in_container "Process $1 has a root directory (chroot), but no mounts of its own: where its files lie cannot be told." \
            "Run it without chroot."
        return 1
    fi
    VIEW=$PROC/$1/root
    [ "$VIEW" -ef / ] || BOX=$1
}

# Where path $1 of the server lies on the guest -> REAL; SEEN: the same as the server sees it, without symbolic links. Fails with 1 where there is no
# such place, with 2 where it is none that could be held, which is then said.
place() {
    local file
    REAL="" UPPER=""
    if [ -z "$VIEW" ]; then
        real_directory "$1" || { file=$(readlink -f "$1") && real_directory "${file%/*}/" && REAL=${REAL%/}/${file##*/}; } || return 1
        SEEN=$REAL
        return 0
    fi
    seen "$1" "$VIEW" && mount_of "$SEEN" "${VIEW%root}mountinfo" || return 1
    set -- "${M_ROOT%/}${SPELLED#"${M_POINT%/}"}"
    case $BOX,$M_TYPE in ?*,overlay) place_by_layers "$1" ;; *) place_by_device "$1" ;; esac
    [ -z "$REAL" ] || return 0
    if on_disk || [ "$M_TYPE" = overlay ]; then
        problem mount_unclear "$SEEN of process $OWNER_PID lies on $M_TYPE at $M_POINT, which only that process sees: once it is gone nobody could let go." \
            "Mount that on the guest, and bind it into the container."
    else
        not_on_a_volume "$SEEN of process $OWNER_PID"
    fi
    return 2
}

# What the server sees at path $1 of file system M_DEVICE, spelled, by the guest's own mounts of it -> REAL. The kernel says whether it is the same. Of several
# mounts the one that shows most: it is the least likely to go with the container.
place_by_device() {
    local device root point most=""
    while read -r _ _ device root point _; do
        root=${root%/}
        [ "$device" = "$M_DEVICE" ] && case $1/ in "$root"/*) ;; *) false ;; esac || continue
        unspell "${point%/}${1#"$root"}"
        [ "${PLAIN:-/}" -ef "$VIEW$SEEN" ] || continue
        [ -n "$REAL" ] && [ "${#root}" -ge "$most" ] || { REAL=${PLAIN:-/} most=${#root}; }
    done <"$PROC/self/mountinfo"
}

# The same at path $1 of an overlay, by its layers -> REAL; UPPER: the layer that is written to, where what is there is still in another. The attributes that
# the kernel passes on from a layer say whether it is the same. What lies in further layers is needed too.
place_by_layers() {
    local options="$M_OPTIONS," option layers="" upper
    while [ -n "$options" ]; do
        option=${options%%,*} options=${options#*,}
        case $option in
            upperdir=*) UPPER=${option#*=} layers=$UPPER:$layers ;;
            lowerdir*=*) layers=$layers${option#*=}: ;;
        esac
    done
    upper=$UPPER
    while [ -n "$layers" ]; do
        option=${layers%%:*}
        unspell "${option%/}$1"
        case $PLAIN in /*) [ -e "$PLAIN" ] ;; *) false ;; esac && case $REAL in
            "")
                await 500 20 looks_like "$PLAIN" "$VIEW$SEEN" || return 1
                REAL=$PLAIN
                [ "$option" != "$upper" ] || UPPER=""
                ;;
            *) need config "$PLAIN" ;;
        esac
        layers=${layers#*:}
    done
}

looks_like() {
    [ "$(stat -c '%s %f %y %z' -- "$1")" = "$(stat -c '%s %f %y %z' -- "$2")" ]
}

# User and group of process $1 -> OWNER_UID, OWNER_GID, OWNER_PID; its id where it lives itself -> INNER_PID.
owner_of() {
    local key value rest
    OWNER_PID=$1 INNER_PID=$1
    # At once: what bash reads by lines it reads again and again, and the first of them change their length as the process comes and goes.
    slurp "$PROC/$1/status"
    while read -r key value rest; do
        case $key in
            Uid:) OWNER_UID=$value ;;
            Gid:) OWNER_GID=$value ;;
            NSpid:) INNER_PID=${rest:-$value} INNER_PID=${INNER_PID##*[!0-9]} ;;
        esac
    done <<STATUS
$TEXT
STATUS
}

# The client to run as user $1, group $2: the first there is of patterns $3... -> CLIENT; ENTER: the words to put before it; ASK_UID, ASK_GID: who runs these;
# OUTSIDE: what to put before paths that the server has told. A container's own client is run as its server's user, never as root, for whom nothing of the
# guest would be out of its reach, nor with what it could gain by a set-user-id bit.
find_client() {
    local uid="$1" gid="$2"
    shift 2
    ENTER="" OUTSIDE="" ASK_UID=$uid ASK_GID=$gid
    if [ -n "$BOX" ]; then
        ASK_UID=0 ASK_GID=0
        if [ "$OWNER_UID" != 0 ] && setpriv --no-new-privs true 2>/dev/null && first_program "$VIEW" "$@"; then
            CLIENT=${CLIENT#"$VIEW"}
            ENTER="setpriv --no-new-privs nsenter -t $BOX -m -n -r -S $OWNER_UID -G $OWNER_GID"
            return 0
        fi
        ENTER="nsenter -t $BOX -n -S $uid -G $gid" OUTSIDE=$VIEW
    fi
    first_program "" "$@"
}

# The first program of patterns $2... beneath root $1 -> CLIENT.
first_program() {
    local root="$1" pattern IFS="$NEWLINE"
    shift
    for pattern in "$@"; do
        for CLIENT in $root$pattern; do
            [ ! -x "$CLIENT" ] || return 0
        done
    done
    return 1
}
