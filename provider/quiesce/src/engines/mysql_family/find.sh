# shellcheck shell=dash
# MySQL and MariaDB on the guest: finds the server by its processes, and the socket that it listens on by the kernel's own list.
#
# A server works in its data directory, whatever its configuration is: no command line has to be understood. ENGINE is mysql or mariadb; the facts
# about its server stand in MY_...

# What has to be known of a server once it has been found.
MY_FACTS="MY_PID MY_DATA MY_SOCKET MY_UID MY_GID MY_SERVICE MY_CLIENT MY_ANSWER MY_VERSION MY_NAME MY_WAIT"

# $1: the engine's name as its makers write it.
my_find() {
    MY_NAME=$1
    my_servers
    my_choose || return 0
    my_identify && my_ask || return 0
    ! have my_check || my_check
    my_paths
    my_value role
    describe_server "$MY_VERSION" "$VALUE" "$MY_PID" "$MY_OS_USER" "$MY_PORT" "${MY_SOCKET%/*}" "$MY_DATA" "$MY_SERVICE"
    found_server "$MY_PID"
    my_keep
}

# Keeps the facts about the server of the engine at work: another engine may be at work before it comes to hold.
my_keep() {
    local name value state=""
    for name in $MY_FACTS; do
        eval "value=\$$name"
        quote "$value"
        state="$state$name=$QUOTED "
    done
    eval "MY_KEPT_$ENGINE=\$state"
}

# Makes the facts of the engine at work those of MY_... again.
my_recall() {
    eval "eval \"\$MY_KEPT_$ENGINE\""
}

# ---- which server -----------------------------------------------------------------------------------------------------

# The servers of the engine at work -> MY_SERVERS; one of its cousin's -> MY_COUSIN.
my_servers() {
    local pid program
    MY_SERVERS="" MY_COUSIN=""
    for pid in "$PROC"/[0-9]*; do
        first_line "$pid/comm" || continue
        case $LINE in mysqld | mariadbd) ;; *) continue ;; esac
        program=$(readlink "$pid/exe") || continue
        # The program's own name, not that of the link by which it was started: MariaDB keeps one called mysqld.
        case $ENGINE,${program##*/} in
            mysql,mysqld* | mariadb,mariadbd*) ;;
            *) MY_COUSIN=${pid##*/} && continue ;;
        esac
        MY_SERVERS="$MY_SERVERS ${pid##*/}"
    done
}

# The one server that the options leave -> MY_PID.
my_choose() {
    local pid found="" list=""
    for pid in $MY_SERVERS; do
        my_read_server "$pid"
        list="$list${list:+; }$MY_DATA (socket ${MY_SOCKET:-none})"
        my_is_meant "$pid" && found="$found $pid"
    done
    # shellcheck disable=SC2086 # pids
    set -- $found
    case $# in
        1)
            MY_PID=$1
            my_read_server "$MY_PID"
            return 0
            ;;
        0) my_report_none "$list" ;;
        *) problem several_servers "Several $MY_NAME servers run here: $list." "Choose one: set $ENGINE.socket." ;;
    esac
    return 1
}

# Facts of server $1 as the kernel tells them -> MY_DATA, MY_SOCKET.
my_read_server() {
    MY_DATA=$(readlink "$PROC/$1/cwd")
    my_socket_of "$1"
}

# The socket that server $1 listens on, before others the one that is not for the X protocol -> MY_SOCKET, empty where there is none.
my_socket_of() {
    local line sockets flags inode path
    MY_SOCKET=""
    # One process for all descriptors, of which there may be thousands.
    # shellcheck disable=SC2010 # names of the kernel's own
    sockets=" $(ls -l "$PROC/$1/fd" 2>/dev/null | grep -o 'socket:\[[0-9]*\]' | tr '\n' ' ')"
    while read -r line; do
        # shellcheck disable=SC2086 # split on purpose; a path with blanks is put together again
        set -- "$1" $line
        [ $# -ge 9 ] || continue
        flags=$5 inode=$8
        shift 8
        path=$*
        # Those that listen (__SO_ACCEPTCON, include/uapi/linux/net.h).
        case $flags,$sockets in 00010000,*" socket:[$inode] "*) ;; *) continue ;; esac
        case $path in /* | @*) ;; *) path=$MY_DATA/$path ;; esac
        case $MY_SOCKET,$path in ?*,*mysqlx*) ;; *) MY_SOCKET=$path ;; esac
    done <"$PROC/$1/net/unix"
}

# Is server $1, just read, the one that the options mean? Its socket is told as it sees it, or as the guest does.
my_is_meant() {
    told SOCKET
    [ -z "$TOLD" ] || [ "$TOLD" = "$MY_SOCKET" ] || [ "$TOLD" -ef "$PROC/$1/root$MY_SOCKET" ]
}

my_report_none() {
    if [ -n "$1" ]; then
        problem no_server "No $MY_NAME server here is the one that the options name; these run: $1." "Correct $ENGINE.socket."
    elif [ -n "$MY_COUSIN" ]; then
        problem no_server "No $MY_NAME server runs on this guest, but one of its family does (process $MY_COUSIN)." \
            "Ask for what it is: MySQL and MariaDB are two engines, mysql = {} and mariadb = {}."
    else
        problem no_server "No $MY_NAME server runs on this guest." "Start it, or name the instance that it runs on."
    fi
}

# ---- how to reach it --------------------------------------------------------------------------------------------------

# Users, service and client of the server -> MY_UID, MY_GID, MY_OS_USER, MY_SERVICE, MY_CLIENT; fails where it cannot be asked.
my_identify() {
    look_as "$MY_PID" || return 1
    MY_UID=$OWNER_UID MY_GID=$OWNER_GID USER_NAME=""
    [ -n "$BOX" ] || user_name "$MY_UID"
    MY_OS_USER=${USER_NAME:-$MY_UID}
    unit_of "$MY_PID"
    told SERVICE
    MY_SERVICE=${TOLD:-$UNIT}
    told LOCK_WAIT_TIMEOUT
    MY_WAIT=${TOLD:-5}
    if [ -z "$MY_SOCKET" ]; then
        problem no_socket "The server of $MY_DATA listens on no Unix socket." "Set socket in its configuration, and restart it."
        return 1
    fi
    my_asking_user && my_program || return 1
    my_reach_socket
    my_client
}

# A socket in the server's own /tmp (PrivateTmp), or in a container that the client is not run in, is reached through the server's root.
my_reach_socket() {
    case $MY_SOCKET,$ENTER in
        @* | *,setpriv*) ;;
        *) [ "$MY_SOCKET" -ef "$PROC/$MY_PID/root$MY_SOCKET" ] || MY_SOCKET=$PROC/$MY_PID/root$MY_SOCKET ;;
    esac
}

# The operating system user to ask as: root, unless told -> MY_ASK_UID, MY_ASK_GID, MY_ACCOUNT. In a container a user of our own is nobody.
my_asking_user() {
    MY_ASK_UID=0 MY_ASK_GID=0
    told OS_USER
    MY_ACCOUNT=${TOLD:-root}
    [ -n "$TOLD" ] || return 0
    [ -z "$BOX" ] || { MY_ASK_UID=$MY_UID MY_ASK_GID=$MY_GID && return; }
    MY_ASK_UID=$(id -u "$TOLD" 2>/dev/null) && MY_ASK_GID=$(id -g "$TOLD") && return 0
    problem no_such_user "This guest has no user $TOLD." "Correct $ENGINE.os_user, or leave it out."
    return 1
}

# The command line client, the server's own if it has one -> MY_PROGRAM. Whom the server knows by being root asks from outside of a container.
my_program() {
    local bin
    bin=$(readlink "$PROC/$MY_PID/exe")
    bin=${bin%/*}
    told DEFAULTS_FILE
    [ -n "$TOLD" ] || [ "$MY_ASK_UID" != 0 ] || OWNER_UID=0
    if find_client "$MY_ASK_UID" "$MY_ASK_GID" "$bin/$ENGINE" "${bin%/*}/bin/$ENGINE" "/usr/bin/$ENGINE" "/usr/local/bin/$ENGINE" "$bin/mysql" \
        "${bin%/*}/bin/mysql" /usr/bin/mysql /usr/bin/mariadb; then
        MY_PROGRAM=$CLIENT MY_ASK_UID=$ASK_UID MY_ASK_GID=$ASK_GID
        return 0
    fi
    problem no_client "No $ENGINE client is installed beside the server in $bin." "Install it on the guest; a container's own needs $ENGINE.defaults_file or os_user."
    return 1
}

# The client and what it needs, words of shell to which a user and what to ask are added -> MY_CLIENT. Who it is stands on the guest alone: in a
# file that the options name, beside the client, or in the operating system's word for it.
my_client() {
    local root=""
    told DEFAULTS_FILE
    case $ENTER in setpriv*) root=$VIEW ;; esac
    if [ -n "$TOLD" ] && ! { seen "$TOLD" "$root" && [ -r "$root$SEEN" ]; }; then
        problem no_defaults_file "$TOLD is no file that can be read${root:+ in the container}." "Correct $ENGINE.defaults_file; whom the server is asked as reads it."
        return 1
    fi
    set -- "--user=$MY_ACCOUNT"
    [ -z "$TOLD" ] || set -- "--defaults-file=$TOLD"
    case $1 in --user=*) set -- --no-defaults "$1" ;; esac
    # shellcheck disable=SC2086 # words
    words "$MY_ASK_UID" "$MY_ASK_GID" env -i "PATH=$PATH" LC_ALL=C $ENTER "$MY_PROGRAM" "$@" "--socket=$MY_SOCKET" --protocol=socket \
        --connect-timeout=3 --default-character-set=utf8mb4 --skip-reconnect --batch --raw --binary-mode --skip-column-names --unbuffered
    MY_CLIENT=$WORDS
}
