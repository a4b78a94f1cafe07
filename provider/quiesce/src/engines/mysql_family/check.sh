# shellcheck shell=dash
# What of the things that a server of MySQL's family says of itself stands in the way of an image. Looked at before anything is held.

my_check() {
    my_check_permission
    my_check_settings
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

# What would void its crash recovery.
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
