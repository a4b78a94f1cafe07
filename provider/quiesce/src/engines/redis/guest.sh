# shellcheck shell=dash
# Redis on the guest: finds the server by its processes, asks it by redis-cli. Valkey is asked by the same words: ENGINE says which.
#
# What is on disk when all is held is what the server would find after its process was killed: the hold writes every page out. So an append-only file (AOF)
# is complete once the server has handed it to the kernel, whatever appendfsync says; a snapshot file (RDB) is as old as the last BGSAVE.

# What is known of a server, kept for each engine by itself.
RD_FACTS="VIEW RD_PID RD_DIR RD_WHERE RD_PLACE RD_CLI RD_ENTER RD_USER RD_PASSWORD_FILE RD_CONFIG_FILE RD_SERVICE RD_VERSION RD_ROLE RD_AOF RD_AOF_DIR RD_AOF_NAME
RD_RDB_NAME RD_SAVED_AT RD_SAVE_TOOK"

redis_find() {
    rd_forget
    rd_servers
    rd_choose && rd_learn && rd_configuration || return 0
    rd_check
    rd_paths
    describe_server "$RD_VERSION" "$RD_ROLE" "$RD_PID" "" "$RD_PORT" "$RD_SOCKET" "$RD_DIR" "$RD_SERVICE"
    found_server "$RD_PID"
    rd_keep
}

rd_forget() {
    local fact
    for fact in $RD_FACTS; do
        eval "$fact="
    done
}

rd_keep() {
    local fact
    for fact in $RD_FACTS; do
        eval "${ENGINE}_$fact=\$$fact"
    done
}

rd_recall() {
    local fact
    for fact in $RD_FACTS; do
        eval "$fact=\$${ENGINE}_$fact"
    done
}

# ---- which server -----------------------------------------------------------------------------------------------------

# All servers -> RD_SERVERS. Their children, which save, have the same name; a sentinel keeps no data.
rd_servers() {
    local pid
    RD_SERVERS=""
    for pid in "$PROC"/[0-9]*; do
        pid=${pid##*/}
        first_line "$PROC/$pid/comm" && [ "$LINE" = "$ENGINE-server" ] && process "$pid" || continue
        first_line "$PROC/$P_PARENT/comm" && [ "$LINE" = "$ENGINE-server" ] && continue
        case $(tr '\0' ' ' <"$PROC/$pid/cmdline" 2>/dev/null) in *'[sentinel]'* | *--sentinel*) continue ;; esac
        RD_SERVERS="$RD_SERVERS $pid"
    done
}

# The one server that the options leave -> RD_PID, RD_DIR, RD_PORT, RD_SOCKET, RD_WHERE (how to reach it, words of shell).
rd_choose() {
    local pid found="" list=""
    told PORT
    RD_ASKED_PORT=$TOLD
    for pid in $RD_SERVERS; do
        rd_listeners "$pid"
        list="$list${list:+; }process $pid in $(readlink "$PROC/$pid/cwd"), port ${RD_PORT:-none}, socket ${RD_SOCKET:-none}"
        rd_is_meant && found="$found $pid"
    done
    # shellcheck disable=SC2086 # pids
    set -- $found
    case $# in
        1) look_as "$1" && rd_take "$1" && return 0 ;;
        0) rd_report_none "$list" ;;
        *) problem several_servers "Several servers of $ENGINE run here: $list." "Choose one: set $ENGINE.port or $ENGINE.socket." ;;
    esac
    return 1
}

rd_report_none() {
    if [ -n "$1" ]; then
        problem no_server "No server of $ENGINE here is the one that the options name; these run: $1." "Correct $ENGINE.port or $ENGINE.socket."
    else
        problem no_server "No server of $ENGINE runs on this guest." "Start it, or name the instance that it runs on."
    fi
}

# Takes server $1 for the one that is meant.
rd_take() {
    RD_PID=$1
    RD_DIR=$(readlink "$PROC/$1/cwd")
    rd_find_client || return 1
    rd_listeners "$1"
    told SOCKET
    RD_SOCKET=${TOLD:-$RD_SOCKET}
    if [ -n "$RD_SOCKET" ]; then
        words -s "$OUTSIDE$RD_SOCKET"
        RD_PLACE="socket $RD_SOCKET"
    elif [ -n "$RD_PORT" ]; then
        words -h "$RD_ADDRESS" -p "$RD_PORT"
        RD_PLACE="port $RD_PORT"
    else
        problem not_accepting "The server of $RD_DIR listens nowhere that is known." "Set $ENGINE.socket."
        return 1
    fi
    RD_WHERE=$WORDS
    unit_of "$1"
    told SERVICE
    RD_SERVICE=${TOLD:-$UNIT}
}

# Is the server whose listeners were just read the one that the options mean?
rd_is_meant() {
    [ -z "$RD_ASKED_PORT" ] || [ "$RD_ASKED_PORT" = "$RD_PORT" ] || return 1
    told SOCKET
    [ -z "$TOLD" ] || case $NEWLINE$RD_SOCKETS in *"$NEWLINE$TOLD$NEWLINE"*) ;; *) return 1 ;; esac
}

# Where process $1 listens -> RD_SOCKETS (one a line), of those RD_SOCKET; RD_PORT at RD_ADDRESS: the one asked for, else the lowest, for a cluster's nodes
# speak with each other on a higher one. The sockets that it listens on are among the first files that it opens.
rd_listeners() {
    local files inode path address
    RD_SOCKETS="" RD_SOCKET="" RD_PORT="" RD_ADDRESS=""
    files=$(ls -l "$PROC/$1/fd"/? "$PROC/$1/fd"/?? 2>/dev/null)
    while read -r _ _ _ _ _ _ inode path; do
        case $files in *"socket:[$inode]"*) RD_SOCKETS="$RD_SOCKETS$path$NEWLINE" ;; esac
    done <<UNIX
$(grep ' 00010000 ' "$PROC/$1/net/unix")
UNIX
    RD_SOCKET=${RD_SOCKETS%%"$NEWLINE"*}
    while read -r _ address _ _ _ _ _ _ _ inode _; do
        case $files in *"socket:[$inode]"*) rd_listens_at "$address" ;; esac
    done <<TCP
$(grep -h ' 0A ' "$PROC/$1/net/tcp" "$PROC/$1/net/tcp6" 2>/dev/null)
TCP
}

# Adds a listening address as /proc/net/tcp spells it: hexadecimal, the bytes of an address from right to left.
rd_listens_at() {
    local port rest address one two three
    port=$((0x${1#*:})) rest=${1%:*}
    case $rest in
        *[!0]000000) address=::1 ;;
        00000000) address=127.0.0.1 ;;
        ????????)
            one=${rest#??????} rest=${rest%??}
            two=${rest#????} rest=${rest%??}
            three=${rest#??} rest=${rest%??}
            address=$((0x$one)).$((0x$two)).$((0x$three)).$((0x$rest))
            ;;
        *) address=::1 ;;
    esac
    if [ -z "$RD_PORT" ] || [ "$port" = "$RD_ASKED_PORT" ] || { [ "$RD_PORT" != "$RD_ASKED_PORT" ] && [ "$port" -lt "$RD_PORT" ]; }; then
        RD_PORT=$port RD_ADDRESS=$address
    fi
}

# ---- what it says of itself -------------------------------------------------------------------------------------------

# The client, the server's own if it has one -> RD_CLI, RD_ENTER.
rd_find_client() {
    local bin
    bin=$(readlink "$PROC/$RD_PID/exe")
    bin=${bin%/*}
    if find_client 0 0 "$bin/$ENGINE-cli" "$bin/redis-cli" "$bin/valkey-cli" "/usr/bin/$ENGINE-cli" "/usr/local/bin/$ENGINE-cli" /usr/bin/redis-cli /usr/bin/valkey-cli; then
        RD_CLI=$CLIENT RD_ENTER=$ENTER
        return 0
    fi
    problem no_client "No $ENGINE-cli is installed beside the server in $bin." "Install it: redis-tools or valkey-tools on Debian and Ubuntu."
    return 1
}

# The server as the functions of asking.sh take it -> RD_SERVER, words of shell.
rd_server() {
    words "$RD_CLI" "$RD_ENTER" "$RD_USER" "$VIEW" "$RD_PASSWORD_FILE" "$RD_CONFIG_FILE" --
    RD_SERVER=$WORDS$RD_WHERE
}

# What the server answers to a command -> RD_ANSWER.
rd() {
    rd_server
    words "$@"
    eval "rd_ask $RD_SERVER $WORDS"
}

# Line $1 of what INFO answered -> FOUND, empty where it has none.
rd_info() {
    FOUND=$NEWLINE$RD_ANSWER
    case $FOUND in
        *"$NEWLINE$1:"*)
            FOUND=${FOUND#*"$NEWLINE$1:"}
            FOUND=${FOUND%%"$NEWLINE"*}
            ;;
        *) FOUND="" ;;
    esac
}

# Is this what INFO says? "name:value" each.
rd_says() {
    local line
    for line in "$@"; do
        case $NEWLINE$RD_ANSWER$NEWLINE in *"$NEWLINE$line$NEWLINE"*) ;; *) return 1 ;; esac
    done
}

# Version, role, state -> RD_VERSION, RD_ROLE, RD_AOF.
rd_learn() {
    told USER
    RD_USER=$TOLD
    told PASSWORD_FILE
    RD_PASSWORD_FILE=$TOLD
    told CONFIG_FILE
    RD_CONFIG_FILE=$TOLD
    rd INFO
    # A client that is not admitted goes on as nobody in particular.
    case $RD_ANSWER in 'AUTH failed'*) rd_report_refusal && return 1 ;; esac
    rd_info redis_version
    [ -n "$FOUND" ] || { rd_report_refusal; return 1; }
    RD_VERSION=$FOUND
    rd_info valkey_version
    RD_VERSION=${FOUND:-$RD_VERSION}
    rd_info process_id
    if [ "$FOUND" != "$INNER_PID" ]; then
        problem not_accepting "Another server than process $RD_PID answers on $RD_PLACE: process $FOUND." "Set $ENGINE.socket."
        return 1
    fi
    RD_ROLE=primary
    ! rd_says role:slave || RD_ROLE=standby
    RD_AOF=""
    ! rd_says aof_enabled:1 || RD_AOF=1
    RD_STATE=$RD_ANSWER
    rd_info rdb_last_bgsave_time_sec
    RD_SAVE_TOOK=$FOUND
    rd_info config_file
    RD_CONFIG_FILE=${RD_CONFIG_FILE:-$FOUND}
}

# Why it does not say of itself what has to be known.
rd_report_refusal() {
    local where="the server of $RD_DIR ($RD_PLACE)"
    said "$RD_ANSWER"
    case $RD_ANSWER in
        *NOAUTH* | *WRONGPASS* | *'invalid password'* | *'AUTH failed'*)
            problem no_permission "Not admitted to $where: $SAID" \
                "Set $ENGINE.password_file to a file on the guest that holds the password (and $ENGINE.user), or $ENGINE.config_file to the configuration that holds requirepass." ;;
        *NOPERM* | *'unknown command'*)
            problem no_permission "Not everything may be asked of $where: $SAID" \
                "Grant +info +ping +config|get +bgsave +client|pause +client|unpause to the user, or set $ENGINE.user." ;;
        *) problem not_accepting "No answer from $where: $SAID" "Wait until the server accepts connections, or set $ENGINE.socket." ;;
    esac
}

# What CONFIG GET says of setting $1 -> FOUND; fails where it may not be asked.
rd_setting() {
    rd CONFIG GET "$1"
    case $RD_ANSWER in "$1" | "$1$NEWLINE"*) ;; *) return 1 ;; esac
    FOUND=${RD_ANSWER#"$1"}
    FOUND=${FOUND#"$NEWLINE"}
}

# Where its files are -> RD_DIR, RD_RDB_NAME, RD_AOF_DIR (empty before 7.0, which has one file), RD_AOF_NAME, RD_SAVE, RD_FSYNC, RD_ACL_FILE.
rd_configuration() {
    rd_setting dir && RD_DIR=${FOUND:-$RD_DIR} && rd_setting dbfilename && RD_RDB_NAME=$FOUND &&
        rd_setting save && RD_SAVE=$FOUND && rd_setting appendfilename && RD_AOF_NAME=$FOUND &&
        rd_setting appendfsync && RD_FSYNC=$FOUND || { rd_report_refusal; return 1; }
    rd_setting appenddirname && RD_AOF_DIR=$FOUND
    rd_setting aclfile && RD_ACL_FILE=$FOUND || RD_ACL_FILE=""
}

# ---- what would void its recovery -------------------------------------------------------------------------------------

rd_check() {
    RD_ANSWER=$RD_STATE
    if rd_says loading:1 || rd_says async_loading:1 || rd_says master_sync_in_progress:1; then
        problem not_accepting "The server of $RD_DIR is still loading its data." "Wait until it has."
    elif [ -n "$RD_AOF" ]; then
        rd_check_aof
    elif [ -z "$RD_SAVE" ]; then
        problem no_persistence "The server of $RD_DIR keeps nothing on disk (appendonly no, save \"\"): after a start it is empty, or as it was long ago." \
            "Set appendonly yes, or save points; for a mere cache an ordinary image will do."
    elif ! rd_says rdb_last_bgsave_status:ok; then
        warn "The last background save of $RD_DIR failed; another one is tried."
    fi
}

# The file is written, and it is whole: after appendonly was switched on there is none before the first rewrite is done.
rd_check_aof() {
    if ! rd_says aof_last_write_status:ok; then
        problem aof_write_failed "The server of $RD_DIR could not write its append-only file." "Look into the server's log, and for a full disk."
    fi
    if [ -n "$RD_AOF_DIR" ]; then
        [ -e "$VIEW$RD_DIR/$RD_AOF_DIR/$RD_AOF_NAME.manifest" ] && ! [ -e "$VIEW$RD_DIR/$RD_AOF_DIR/temp-$RD_AOF_NAME.incr" ]
    else
        [ -e "$VIEW$RD_DIR/$RD_AOF_NAME" ] && ! rd_says aof_rewrite_in_progress:1 aof_base_size:0
    fi && return 0
    problem aof_incomplete "The append-only file of $RD_DIR is not complete yet: it is being written for the first time." \
        "Wait until aof_rewrite_in_progress and aof_rewrite_scheduled are 0."
}

# ---- where it lies ----------------------------------------------------------------------------------------------------

rd_paths() {
    local file
    need_directory data "$RD_DIR" ""
    [ -z "$RD_AOF" ] || [ -z "$RD_AOF_DIR" ] || need_directory aof "$RD_DIR/$RD_AOF_DIR" ""
    for file in "$RD_DIR/$RD_RDB_NAME" "$RD_DIR/$RD_AOF_NAME"; do
        [ ! -L "$VIEW$file" ] || need_link "$file"
    done
    for file in "$RD_CONFIG_FILE" "$RD_ACL_FILE"; do
        [ -z "$file" ] || need_config "$file" "$RD_DIR"
    done
}
