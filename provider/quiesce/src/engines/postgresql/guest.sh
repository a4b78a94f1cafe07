# shellcheck shell=dash
# PostgreSQL on the guest: finds the server by its processes, asks it by psql as its own user, flushes it by CHECKPOINT.
#
# The postmaster is the process that works in a data directory whose postmaster.pid begins with its own pid: no command line has to be
# understood, no port guessed. That file's lines (9.2 and later): pid, data directory, start time, port, socket directory, ...

# How long a query of the probe may take, in ms, and the whole of psql, in seconds.
PG_QUERY_LIMIT=3000
PG_PSQL_LIMIT=10

postgresql_find() {
    PG_VERSION="" PG_ROLE="" PG_SERVICE=""
    pg_postmasters
    pg_choose || return 0
    pg_identify || return 0
    pg_ask || return 0
    pg_check_settings
    pg_paths
    describe_server "$PG_VERSION" "$PG_ROLE" "$PG_PID" "$PG_OS_USER" "$PG_PORT" "$PG_SOCKETS" "$PG_DATA" "$PG_SERVICE"
    found_server "$PG_PID"
}

# ---- which server -----------------------------------------------------------------------------------------------------

# All postmasters -> PG_POSTMASTERS.
pg_postmasters() {
    local pid
    PG_POSTMASTERS=""
    for pid in "$PROC"/[0-9]*; do
        first_line "$pid/comm" || continue
        case $LINE in postgres | postmaster | edb-postgres) ;; *) continue ;; esac
        first_line "$pid/cwd/postmaster.pid" || continue
        # A process that works for another one is none, whatever that one calls itself.
        [ "$LINE" = "${pid##*/}" ] || ! [ "$pid/cwd" -ef "$PROC/$LINE/cwd" ] || continue
        owner_of "${pid##*/}"
        [ "$LINE" != "$INNER_PID" ] || PG_POSTMASTERS="$PG_POSTMASTERS $OWNER_PID"
    done
}

# The one postmaster that the options leave -> PG_PID.
pg_choose() {
    local pid found="" list=""
    for pid in $PG_POSTMASTERS; do
        pg_read_pidfile "$pid"
        list="$list${list:+; }$PG_DATA on port $PG_PORT"
        pg_is_meant "$pid" && found="$found $pid"
    done
    # shellcheck disable=SC2086 # pids
    set -- $found
    case $# in
        1)
            PG_PID=$1
            pg_read_pidfile "$PG_PID"
            return 0
            ;;
        0) pg_report_none "$list" ;;
        *) problem several_servers "Several PostgreSQL servers run here: $list." \
            "Choose one: set postgresql.port, postgresql.data_directory or postgresql.socket_directory." ;;
    esac
    return 1
}

# Facts of postmaster $1 from its postmaster.pid -> PG_DATA, PG_PORT, PG_SOCKETS.
pg_read_pidfile() {
    local number=0 line
    PG_DATA="" PG_PORT="" PG_SOCKETS=""
    PG_DATA=$(readlink "$PROC/$1/cwd")
    while IFS= read -r line; do
        number=$((number + 1))
        case $number in 4) PG_PORT=$line ;; 5) PG_SOCKETS=$line ;; esac
    done <"$PROC/$1/cwd/postmaster.pid"
}

# Is the postmaster just read the one that the options mean? Its directories are told as it sees them; where data lies may be told as the guest sees it.
pg_is_meant() {
    local cwd="$PROC/$1/cwd" root="$PROC/$1/root"
    [ -z "$CDB_POSTGRESQL_PORT" ] || [ "$CDB_POSTGRESQL_PORT" = "$PG_PORT" ] || return 1
    [ -z "$CDB_POSTGRESQL_DATA_DIRECTORY" ] || [ "$CDB_POSTGRESQL_DATA_DIRECTORY" -ef "$cwd" ] || [ "$root$CDB_POSTGRESQL_DATA_DIRECTORY" -ef "$cwd" ] || return 1
    [ -z "$CDB_POSTGRESQL_SOCKET_DIRECTORY" ] || [ -S "$root$CDB_POSTGRESQL_SOCKET_DIRECTORY/.s.PGSQL.$PG_PORT" ]
}

pg_report_none() {
    if [ -n "$1" ]; then
        problem no_server "No PostgreSQL server here is the one that the options name; these run: $1." \
            "Correct postgresql.port, postgresql.data_directory or postgresql.socket_directory."
    else
        problem no_server "No PostgreSQL server runs on this guest." "Start it, or name the instance that it runs on."
    fi
}

# The server's programs and users -> PG_BIN, PG_UID, PG_GID, PG_OS_USER; how it is asked; fails where it cannot be.
pg_identify() {
    look_as "$PG_PID" || return 1
    PG_UID=$OWNER_UID PG_GID=$OWNER_GID
    # What a user is called in a container stands in there, if anywhere: its role is told, or the one that images of PostgreSQL have.
    USER_NAME=postgres
    [ -n "$BOX" ] || user_name "$PG_UID"
    PG_OS_USER=${CDB_POSTGRESQL_OS_USER:-${USER_NAME:-$PG_UID}}
    pg_asking_user || return 1
    unit_of "$PG_PID"
    PG_SERVICE=${CDB_POSTGRESQL_SERVICE:-$UNIT}
    PG_BIN=$(readlink "$PROC/$PG_PID/exe")
    PG_BIN=${PG_BIN%/*}
    PG_SOCKETS=${CDB_POSTGRESQL_SOCKET_DIRECTORY:-$PG_SOCKETS}
    pg_find_psql || return 1
    [ -z "$PG_SOCKETS" ] || PG_SOCKETS=$OUTSIDE$PG_SOCKETS
}

# The user to ask as -> PG_ASK_UID, PG_ASK_GID.
pg_asking_user() {
    PG_ASK_UID=$PG_UID PG_ASK_GID=$PG_GID
    [ -n "$CDB_POSTGRESQL_OS_USER" ] && [ -z "$BOX" ] || return 0
    PG_ASK_UID=$(id -u "$CDB_POSTGRESQL_OS_USER" 2>/dev/null) && PG_ASK_GID=$(id -g "$CDB_POSTGRESQL_OS_USER") && return 0
    problem no_such_user "This guest has no user $CDB_POSTGRESQL_OS_USER." "Correct postgresql.os_user, or leave it out."
    return 1
}

# The client, the server's own if it has one: Debian's /usr/bin/psql is a slow wrapper in Perl -> PG_PSQL, PG_ENTER.
pg_find_psql() {
    if find_client "$PG_ASK_UID" "$PG_ASK_GID" "$PG_BIN/psql" '/usr/lib/postgresql/*/bin/psql' '/usr/pgsql-*/bin/psql' /usr/local/pgsql/bin/psql \
        /usr/bin/psql /usr/local/bin/psql; then
        PG_PSQL=$CLIENT PG_ENTER=$ENTER PG_ASK_UID=$ASK_UID PG_ASK_GID=$ASK_GID
        return 0
    fi
    problem no_psql "No psql is installed beside the server in $PG_BIN." "Install the PostgreSQL client on the guest."
    return 1
}

# ---- what it says of itself -------------------------------------------------------------------------------------------

# What psql answers to query $1: with nothing of the user's environment, no start-up file, no password prompt.
pg_psql() {
    limit "$PG_PSQL_LIMIT"
    # shellcheck disable=SC2086 # LIMIT and PG_ENTER are words
    as_user "$PG_ASK_UID" "$PG_ASK_GID" $LIMIT env -i "PATH=$PATH" LC_ALL=C \
        PGCONNECT_TIMEOUT=3 PGAPPNAME=consistent "PGUSER=$PG_OS_USER" \
        "PGOPTIONS=-c statement_timeout=$PG_QUERY_LIMIT -c lock_timeout=$PG_QUERY_LIMIT" \
        $PG_ENTER "$PG_PSQL" -XAtqw -v ON_ERROR_STOP=1 -h "$PG_SOCKETS" -p "$PG_PORT" -d "${CDB_POSTGRESQL_DATABASE:-postgres}" \
        -c "$1" 2>&1 </dev/null
}

# Asks for version, role, permissions and settings -> PG_VERSION, PG_ROLE, PG_FSYNC, PG_FULL_PAGES, PG_FILES...
pg_ask() {
    local answer checkpointer=""
    if [ -z "$PG_SOCKETS" ]; then
        problem no_socket "The server of $PG_DATA listens in no Unix socket directory." \
            "Set unix_socket_directories in postgresql.conf, or postgresql.socket_directory."
        return 1
    fi
    first_line "$VIEW$PG_DATA/PG_VERSION"
    PG_MAJOR=${LINE%%.*}
    # Members of pg_checkpoint may too, since 15.
    [ "$PG_MAJOR" -lt 15 ] || checkpointer=" OR pg_has_role(oid, 'pg_checkpoint', 'USAGE')"
    if ! answer=$(pg_psql "SELECT 'consistent ' || name || '=' || setting FROM pg_settings WHERE name IN ('server_version',
        'config_file', 'hba_file', 'ident_file', 'fsync', 'full_page_writes', 'synchronous_commit')
        UNION ALL SELECT 'consistent standby=' || pg_is_in_recovery()
        UNION ALL SELECT 'consistent checkpoints=' || (rolsuper$checkpointer) FROM pg_roles WHERE rolname = current_user"); then
        pg_report_refusal "$answer"
        return 1
    fi
    pg_read_answer "$answer"
}

# The lines of $1 that are ours: servers warn of all kinds of things beside them.
pg_read_answer() {
    local key value
    PG_VERSION="" PG_STANDBY="" PG_CHECKPOINTS="" PG_FSYNC="" PG_FULL_PAGES="" PG_SYNCHRONOUS="" PG_FILES=""
    while IFS='=' read -r key value; do
        case $key in
            'consistent server_version') PG_VERSION=${value%% *} ;;
            'consistent standby') PG_STANDBY=$value ;;
            'consistent checkpoints') PG_CHECKPOINTS=$value ;;
            'consistent fsync') PG_FSYNC=$value ;;
            'consistent full_page_writes') PG_FULL_PAGES=$value ;;
            'consistent synchronous_commit') PG_SYNCHRONOUS=$value ;;
            'consistent config_file' | 'consistent hba_file' | 'consistent ident_file') PG_FILES="$PG_FILES$value$NEWLINE" ;;
        esac
    done <<ANSWER
$1
ANSWER
    PG_ROLE=primary
    [ "$PG_STANDBY" != true ] || PG_ROLE=standby
    [ "$PG_CHECKPOINTS" = true ] && [ -n "$PG_FILES" ] && return 0
    problem no_permission "The role of user $PG_OS_USER may not run CHECKPOINT or see the server's files on port $PG_PORT." \
        "Make it a superuser, or grant it pg_checkpoint and pg_read_all_settings (PostgreSQL 15 and later); or set postgresql.os_user."
    return 1
}

# Why psql failed, from its own words $1.
pg_report_refusal() {
    local where="the server on port $PG_PORT (socket directory $PG_SOCKETS) as user $PG_OS_USER"
    said "${1##*FATAL: }"
    case $1 in
        *'authentication failed'* | *'no password supplied'* | *'no pg_hba.conf entry'* | *' does not exist'* | *'permission denied'*)
            problem no_permission "Not admitted to $where: $SAID" \
                "Allow it in pg_hba.conf (local all $PG_OS_USER peer), create the role, or set postgresql.os_user or postgresql.database." ;;
        *) problem not_accepting "No answer from $where: $SAID" "Wait until the server accepts connections." ;;
    esac
}

# ---- what would void its crash recovery -------------------------------------------------------------------------------

pg_check_settings() {
    if [ "$PG_FSYNC" != on ]; then
        problem fsync_off "fsync is off in $PG_DATA: no copy of a running server's files is safe, whatever is frozen." \
            "Set fsync = on and reload; then run CHECKPOINT once."
    fi
    if [ "$PG_FULL_PAGES" != on ] && ! pages_are_atomic "$PG_DATA/base"; then
        problem full_page_writes_off "full_page_writes is off in $PG_DATA, and $M_TYPE at $M_POINT may hold torn pages." \
            "Set full_page_writes = on and reload."
    fi
    [ "$PG_SYNCHRONOUS" != off ] ||
        warn "synchronous_commit is off: commits acknowledged in the last moments before the hold may be missing, as after any crash."
}

# ---- where it lies ----------------------------------------------------------------------------------------------------

# Everything that the server needs to start again: data, WAL, tablespaces, whatever links lead out of the data directory, configuration.
pg_paths() {
    local entry wal=$PG_DATA/pg_wal
    [ "$PG_MAJOR" -ge 10 ] || wal=$PG_DATA/pg_xlog
    need_directory data "$PG_DATA" pg_stat_tmp
    need_directory wal "$wal" ""
    for entry in "$VIEW$PG_DATA/pg_tblspc"/*; do
        [ ! -L "$entry" ] || need_directory tablespace "${entry#"$VIEW"}" ""
    done
    for entry in "$VIEW$PG_DATA"/* "$VIEW$PG_DATA/base"/* "$VIEW$PG_DATA/global"/*; do
        [ -L "$entry" ] || continue
        # Statistics in passing and the server's log are not needed to start.
        case ${entry##*/} in pg_stat_tmp | pg_wal | pg_xlog | log | pg_log | postmaster.pid) continue ;; esac
        need_link "${entry#"$VIEW"}"
    done
    while IFS= read -r entry; do
        [ -z "$entry" ] || need_config "$entry" "$PG_DATA"
    done <<FILES
$PG_FILES
FILES
}

# ---- flushing ---------------------------------------------------------------------------------------------------------

# A checkpoint before the hold: recovery of the image then starts late in the log. Until uptime QUERY_UNTIL.
postgresql_flush() {
    pg_bounded_query "CHECKPOINT" && return 0
    problem flush_failed "The checkpoint of the server on port $PG_PORT failed: $PG_SAID" \
        "Look into the server's log; a checkpoint that takes minutes needs faster storage or a smaller shared_buffers."
    return 1
}

# The position up to which an image taken from now on certainly holds everything. Until uptime QUERY_UNTIL.
postgresql_tell_position() {
    pg_position
    if pg_bounded_query "SELECT 'consistent position=' || $PG_POSITION"; then
        PG_ANSWER=${PG_ANSWER##*consistent position=}
        recovery_point "${PG_ANSWER%%"$NEWLINE"*}"
        return 0
    fi
    problem position_unknown "The server on port $PG_PORT does not tell its position: $PG_SAID" "Look into the server's log."
    return 1
}

# The function that tells the position, as this version and role name it -> PG_POSITION. A primary's log is flushed up to it; a standby has
# replayed up to it.
pg_position() {
    local minor
    minor=${PG_VERSION#*.}
    case $PG_ROLE,$PG_MAJOR in
        standby,9) PG_POSITION="pg_last_xlog_replay_location()" ;;
        standby,*) PG_POSITION="pg_last_wal_replay_lsn()" ;;
        primary,9)
            # Before 9.6 only the written position can be asked for; the sync that follows makes it a flushed one.
            PG_POSITION="pg_current_xlog_location()"
            [ "${minor%%.*}" -lt 6 ] || PG_POSITION="pg_current_xlog_flush_location()"
            ;;
        *) PG_POSITION="pg_current_wal_flush_lsn()" ;;
    esac
}

# A query that may take until QUERY_UNTIL -> PG_ANSWER; why it failed -> PG_SAID.
pg_bounded_query() {
    now
    PG_SAID="the time for it is over"
    PG_QUERY_LIMIT=$((QUERY_UNTIL - NOW))
    [ "$PG_QUERY_LIMIT" -gt 0 ] || return 1
    PG_PSQL_LIMIT=$((PG_QUERY_LIMIT / 1000 + 2))
    PG_ANSWER=$(pg_psql "$1") && return 0
    said "${PG_ANSWER##*ERROR: }"
    PG_SAID=$SAID
    return 1
}
