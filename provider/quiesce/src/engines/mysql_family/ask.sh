# shellcheck shell=dash
# What a server of MySQL's family says of itself, and what of that stands in the way of an image.

# How long the client may take to answer, in seconds.
MY_LIMIT=10

# What the server answers to statements $1, errors included.
my_query() {
    limit "$MY_LIMIT"
    eval "as_user_within '$LIMIT' $MY_CLIENT"' --execute="$1"' 2>&1 </dev/null
}

# Runs a command as user $2, group $3, ended by the words of $1.
as_user_within() {
    local within="$1" uid="$2" gid="$3"
    shift 3
    # shellcheck disable=SC2086 # words
    as_user "$uid" "$gid" $within "$@"
}

# Asks for variables, configuration files and tablespaces -> MY_ANSWER: our lines, "consistent name=value"; MY_VERSION.
my_ask() {
    local answer
    if ! answer=$(my_query "$MY_QUESTIONS"); then
        my_report_refusal "$answer"
        return 1
    fi
    MY_ANSWER=$answer
    my_value version
    MY_VERSION=${VALUE%%[-~]*}
    my_value port
    MY_PORT=$VALUE
    [ "$MY_PORT" != 0 ] || MY_PORT=""
    "${ENGINE}_is_old" || return 0
    problem too_old "$MY_NAME $MY_VERSION on $MY_SOCKET is too old: it has no lock for backups." "Upgrade it, or use method custom commands."
    return 1
}

# Value $1 of what the server has said -> VALUE, the first line of that name; empty where there is none.
my_value() {
    VALUE=${NEWLINE}$MY_ANSWER$NEWLINE
    case $VALUE in
        *"${NEWLINE}consistent $1="*) ;;
        *) VALUE="" && return ;;
    esac
    VALUE=${VALUE#*"${NEWLINE}consistent $1="}
    VALUE=${VALUE%%"$NEWLINE"*}
}

# Every value of name $1, one a line -> VALUES.
my_values() {
    local line
    VALUES=""
    while IFS= read -r line; do
        case $line in "consistent $1="?*) VALUES="$VALUES${line#*=}$NEWLINE" ;; esac
    done <<ANSWER
$MY_ANSWER
ANSWER
}

# Why the client failed, from its own words $1.
my_report_refusal() {
    said "${1##*ERROR }"
    case $1 in
        *'Access denied'* | *'is not allowed to connect'*)
            problem no_permission "Not admitted to the server on $MY_SOCKET as $MY_ACCOUNT: $SAID" \
                "Let root@localhost in by the socket (auth_socket, unix_socket), or put user and password into a file on the guest that only root reads, and name it in $ENGINE.defaults_file." ;;
        *) problem not_accepting "No answer from the server on $MY_SOCKET: $SAID" "Wait until the server accepts connections." ;;
    esac
}

# May the account do what a hold needs?
my_check_permission() {
    my_values lacks
    [ -n "$VALUES" ] || return 0
    my_value account
    problem no_permission "$VALUE on $MY_SOCKET lacks what a hold needs: $(printf '%s' "$VALUES" | tr '\n' ' ' | sed 's/ $//')." \
        "Grant it to the account itself, on *.* (a role is not seen)."
    return 1
}

# ---- what would void its crash recovery -------------------------------------------------------------------------------

my_check_settings() {
    my_value innodb_flush_method
    if "${ENGINE}_never_syncs" "$VALUE"; then
        problem flush_method_unsafe "innodb_flush_method is $VALUE in $MY_DATA: no copy of a running server's files is safe, whatever is frozen." \
            "Set it to O_DIRECT or fsync, and restart the server."
    fi
    my_value innodb_doublewrite
    case $VALUE in
        OFF | 0 | DETECT_ONLY)
            pages_are_atomic "$MY_DATA" ||
                problem doublewrite_off "innodb_doublewrite is $VALUE in $MY_DATA, and $M_TYPE at $M_POINT may hold torn pages." \
                    "Set innodb_doublewrite = ON, and restart the server."
            ;;
    esac
    my_value innodb_redo_log_enabled
    if [ "$VALUE" = OFF ]; then
        problem redo_log_off "The redo log is switched off in $MY_DATA: a server that stops unexpectedly does not start again." \
            "Run ALTER INSTANCE ENABLE INNODB REDO_LOG."
    fi
    my_check_durability
}

# What loses the last commits in any crash.
my_check_durability() {
    local binary_log
    my_value innodb_flush_log_at_trx_commit
    case $VALUE in
        1 | 3 | "") ;;
        *) warn "innodb_flush_log_at_trx_commit is $VALUE: commits acknowledged in the last moments before the hold may be missing, as after any crash." ;;
    esac
    my_value log_bin
    binary_log=$VALUE
    my_value sync_binlog
    [ "$binary_log" != ON ] || [ "$VALUE" = 1 ] ||
        warn "sync_binlog is $VALUE: after a crash the binary log of this server may lack transactions that its tables hold."
    my_value wsrep_on
    [ "$VALUE" != ON ] || warn "The server is a node of a Galera cluster: the cluster waits for it, or drops it, while its writes are held."
}
