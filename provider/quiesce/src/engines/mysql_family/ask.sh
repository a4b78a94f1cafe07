# shellcheck shell=dash
# What a server of MySQL's family says of itself.

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
