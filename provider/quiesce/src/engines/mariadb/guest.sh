# shellcheck shell=dash
# MariaDB on the guest: what it is asked. The rest is its family's.

mariadb_statements() {
    MY_QUESTIONS='SET SESSION sql_mode = "";
        SELECT CONCAT("consistent version=", VERSION());
        SELECT CONCAT("consistent account=", CURRENT_USER());
        SELECT CONCAT("consistent ", LOWER(VARIABLE_NAME), "=", VARIABLE_VALUE) FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME IN
            ("port", "pid_file", "innodb_flush_method", "innodb_doublewrite", "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin",
            "innodb_fast_shutdown", "innodb_log_group_home_dir", "innodb_data_home_dir", "innodb_data_file_path", "innodb_undo_directory",
            "log_bin_basename", "log_bin_index", "relay_log_basename", "relay_log_index", "aria_log_dir_path", "wsrep_on", "wsrep_data_home_dir",
            "rocksdb_datadir", "rocksdb_wal_dir");
        SELECT DISTINCT CONCAT("consistent config=", GLOBAL_VALUE_PATH) FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_PATH <> "";
        SELECT DISTINCT CONCAT("consistent tablespace=", LEFT(FILENAME, CHAR_LENGTH(FILENAME) - CHAR_LENGTH(SUBSTRING_INDEX(FILENAME, "/", -1))))
            FROM information_schema.INNODB_SYS_TABLESPACES WHERE FILENAME LIKE "/%" OR FILENAME LIKE "../%";
        SELECT CONCAT("consistent role=", IF(VARIABLE_VALUE > 0, "standby", "primary")) FROM information_schema.GLOBAL_STATUS
            WHERE VARIABLE_NAME = "SLAVES_RUNNING";
        SELECT CONCAT("consistent lacks=", p) FROM (SELECT "RELOAD" AS p UNION SELECT "PROCESS") AS needed
            WHERE p NOT IN (SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE =
            CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", 1)), "@", QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", -1))))'
    MY_POSITION='SELECT CONCAT("consistent position=", IF(@@log_bin, CONCAT(MAX(IF(VARIABLE_NAME = "BINLOG_SNAPSHOT_FILE", VARIABLE_VALUE, "")), ":",
        MAX(IF(VARIABLE_NAME = "BINLOG_SNAPSHOT_POSITION", VARIABLE_VALUE, "")), IF(@@gtid_current_pos = "", "", CONCAT("/", @@gtid_current_pos))),
        CONCAT("lsn:", MAX(IF(VARIABLE_NAME = "INNODB_LSN_FLUSHED", VARIABLE_VALUE, ""))))) FROM information_schema.GLOBAL_STATUS
        WHERE VARIABLE_NAME IN ("BINLOG_SNAPSHOT_FILE", "BINLOG_SNAPSHOT_POSITION", "INNODB_LSN_FLUSHED")'
    MY_HOLDS='SELECT CONCAT("consistent holds=", CONNECTION_ID(), "/", GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME SEPARATOR ":"))
        FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ("BINLOG_SNAPSHOT_FILE", "BINLOG_SNAPSHOT_POSITION")'
    MY_UNLOCK='BACKUP STAGE END'
    MY_BLOCKERS='SELECT CONCAT("consistent blocker=", USER, "@", HOST, " (connection ", ID, ") in a statement for ", TIME_MS DIV 1000, " s")
        FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND IN ("Query", "Execute") ORDER BY TIME_MS DESC LIMIT 3'
}

mariadb_find() {
    mariadb_statements
    my_find MariaDB
}

# The oldest that its makers maintained when this was written.
mariadb_is_old() {
    case $MY_VERSION in [1-9].* | 10.[0-5].*) return 0 ;; *) return 1 ;; esac
}

mariadb_flush() { my_flush; }
