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
    ROOTS="$ROOTS $MY_PID"
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

# The servers of the engine at work -> MY_SERVERS; one of its cousin's -> MY_COUSIN; one in a container -> MY_STRANGER.
my_servers() {
    local pid program
    MY_SERVERS="" MY_COUSIN="" MY_STRANGER=""
    for pid in "$PROC"/[0-9]*; do
        first_line "$pid/comm" || continue
        case $LINE in mysqld | mariadbd) ;; *) continue ;; esac
        program=$(readlink "$pid/exe") || continue
        # The program's own name, not that of the link by which it was started: MariaDB keeps one called mysqld.
        case $ENGINE,${program##*/} in
            mysql,mysqld* | mariadb,mariadbd*) ;;
            *) MY_COUSIN=${pid##*/} && continue ;;
        esac
        if [ "$(readlink "$pid/cwd")" -ef "$pid/cwd" ]; then
            MY_SERVERS="$MY_SERVERS ${pid##*/}"
        else
            MY_STRANGER=${pid##*/}
        fi
    done
}

# The one server that the options leave -> MY_PID.
my_choose() {
    local pid found="" list=""
    for pid in $MY_SERVERS; do
        my_read_server "$pid"
        list="$list${list:+; }$MY_DATA (socket ${MY_SOCKET:-none})"
        my_is_meant && found="$found $pid"
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

# Is the server just read the one that the options mean?
my_is_meant() {
    told SOCKET
    [ -z "$TOLD" ] || [ "$TOLD" = "$MY_SOCKET" ] || [ "$TOLD" -ef "$MY_SOCKET" ]
}

my_report_none() {
    if [ -n "$1" ]; then
        problem no_server "No $MY_NAME server here is the one that the options name; these run: $1." "Correct $ENGINE.socket."
    elif [ -n "$MY_STRANGER" ]; then
        problem server_in_container "$MY_NAME runs in a container (process $MY_STRANGER): its paths are not the guest's own." \
            "Run it on the guest itself."
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
    local key value _rest
    while read -r key value _rest; do
        case $key in Uid:) MY_UID=$value ;; Gid:) MY_GID=$value ;; esac
    done <"$PROC/$MY_PID/status"
    user_name "$MY_UID"
    MY_OS_USER=${USER_NAME:-$MY_UID}
    unit_of "$MY_PID"
    told SERVICE
    MY_SERVICE=${TOLD:-$UNIT}
    told LOCK_WAIT_TIMEOUT
    MY_WAIT=${TOLD:-5}
    my_reach_socket && my_asking_user && my_program && my_client
}

# A socket in the server's own /tmp (PrivateTmp) is reached through its root.
my_reach_socket() {
    if [ -z "$MY_SOCKET" ]; then
        problem no_socket "The server of $MY_DATA listens on no Unix socket." "Set socket in its configuration, and restart it."
        return 1
    fi
    case $MY_SOCKET in @*) return 0 ;; esac
    [ -S "$MY_SOCKET" ] || MY_SOCKET=$PROC/$MY_PID/root$MY_SOCKET
}

# The operating system user to ask as: root, unless told -> MY_ASK_UID, MY_ASK_GID, MY_ACCOUNT.
my_asking_user() {
    MY_ASK_UID=0 MY_ASK_GID=0
    told OS_USER
    MY_ACCOUNT=${TOLD:-root}
    [ -n "$TOLD" ] || return 0
    MY_ASK_UID=$(id -u "$TOLD" 2>/dev/null) && MY_ASK_GID=$(id -g "$TOLD") && return 0
    problem no_such_user "This guest has no user $TOLD." "Correct $ENGINE.os_user, or leave it out."
    return 1
}

# The command line client, the server's own if it has one -> MY_PROGRAM.
my_program() {
    local bin
    bin=$(readlink "$PROC/$MY_PID/exe")
    bin=${bin%/*}
    for MY_PROGRAM in "$bin/$ENGINE" "${bin%/*}/bin/$ENGINE" "/usr/bin/$ENGINE" "/usr/local/bin/$ENGINE" "$bin/mysql" "${bin%/*}/bin/mysql" \
        /usr/bin/mysql /usr/bin/mariadb; do
        [ ! -x "$MY_PROGRAM" ] || return 0
    done
    problem no_client "No $ENGINE client is installed beside the server in $bin." "Install the client of $MY_NAME."
    return 1
}

# The client and what it needs, words of shell to which a user and what to ask are added -> MY_CLIENT. Who it is stands on the guest alone: in a
# file that the options name, or in the operating system's word for it.
my_client() {
    told DEFAULTS_FILE
    if [ -n "$TOLD" ] && [ ! -r "$TOLD" ]; then
        problem no_defaults_file "$TOLD is no file that can be read." "Correct $ENGINE.defaults_file; the user root reads it."
        return 1
    fi
    set -- "--user=$MY_ACCOUNT"
    [ -z "$TOLD" ] || set -- "--defaults-file=$TOLD"
    case $1 in --user=*) set -- --no-defaults "$1" ;; esac
    words "$MY_ASK_UID" "$MY_ASK_GID" env -i "PATH=$PATH" LC_ALL=C "$MY_PROGRAM" "$@" "--socket=$MY_SOCKET" --protocol=socket \
        --connect-timeout=3 --default-character-set=utf8mb4 --skip-reconnect --batch --raw --binary-mode --skip-column-names --unbuffered
    MY_CLIENT=$WORDS
}
