# shellcheck shell=dash
# How the locks of MySQL are taken.
#
# FLUSH TABLES WITH READ LOCK is not among them: one that gives up keeps every table that a long statement uses closed to everybody until that
# statement ends, and nobody could let that go. InnoDB needs no lock: the hold is one instant for all of its files. Changes of tables wait for
# LOCK INSTANCE FOR BACKUP; what is not transactional is locked by name, and closed, so that it lies complete in its files.

mysql_hold() { my_hold; }

# First what nobody but changes of tables waits for, then the tables that are not transactional, if there are any. Those of a server that takes no
# writes (super_read_only) can be locked for reading only.
# shellcheck disable=SC2016 # in SQL, $ begins no variable of the shell's
mysql_take_locks() {
    local tables
    mysql_statements
    my_lock 'SET @consistent_thread = (SELECT THREAD_ID FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID());
        LOCK INSTANCE FOR BACKUP; SET SESSION group_concat_max_len = 4294967295;
        SELECT CONCAT("consistent odd=", COUNT(*)) FROM information_schema.TABLES WHERE CONCAT(TABLE_SCHEMA, TABLE_NAME) REGEXP "[[:cntrl:]]"' || return 1
    my_value odd
    # A name is what whoever may create a table says. One of several lines could pass for an answer of ours, and become a statement.
    [ "$VALUE" = 0 ] || { MY_SAID="$VALUE tables have names with control characters"; return 1; }
    my_lock 'SELECT CONCAT("consistent tables=", GROUP_CONCAT(name), "\nconsistent locks=", GROUP_CONCAT(name, IF(@@super_read_only, " READ", " WRITE")),
        "\nconsistent read_only=", @@super_read_only) FROM (SELECT CONCAT("`", REPLACE(TABLE_SCHEMA, "`", "``"), "`.`", REPLACE(TABLE_NAME, "`", "``"),
        "`") AS name FROM information_schema.TABLES WHERE ENGINE IN ("MyISAM", "MRG_MYISAM", "ARCHIVE", "CSV")
        AND TABLE_SCHEMA NOT IN ("mysql", "information_schema", "performance_schema", "sys")) AS tables_to_lock' || return 1
    my_value locks
    [ -n "$VALUE" ] || return 0
    take_first
    tables=$MY_ANSWER
    my_lock "LOCK TABLES $VALUE" || return 1
    MY_ANSWER=$tables
    my_value read_only
    [ "$VALUE" = 0 ] || return 0
    my_value tables
    my_lock "FLUSH NO_WRITE_TO_BINLOG TABLES $VALUE"
}
