# shellcheck shell=dash
# MySQL on the guest: what it is asked. The rest is its family's.

# In SQL, $ begins no variable of the shell's.
# shellcheck disable=SC2016
mysql_statements() {
    MY_QUESTIONS='SET SESSION sql_mode = "";
        SELECT CONCAT("consistent version=", VERSION());
        SELECT CONCAT("consistent account=", CURRENT_USER());
        SELECT CONCAT("consistent ", VARIABLE_NAME, "=", VARIABLE_VALUE) FROM performance_schema.global_variables WHERE VARIABLE_NAME IN
            ("port", "pid_file", "innodb_flush_method", "innodb_doublewrite", "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin",
            "innodb_fast_shutdown", "innodb_log_group_home_dir", "innodb_doublewrite_dir", "innodb_data_home_dir", "innodb_data_file_path",
            "innodb_undo_directory", "log_bin_basename", "log_bin_index", "relay_log_basename", "relay_log_index", "keyring_file_data", "wsrep_on",
            "rocksdb_datadir", "rocksdb_wal_dir");
        SELECT CONCAT("consistent innodb_redo_log_enabled=", VARIABLE_VALUE) FROM performance_schema.global_status
            WHERE VARIABLE_NAME = "Innodb_redo_log_enabled";
        SELECT DISTINCT CONCAT("consistent config=", VARIABLE_PATH) FROM performance_schema.variables_info WHERE VARIABLE_PATH <> "";
        SELECT DISTINCT CONCAT("consistent tablespace=", LEFT(FILE_NAME, CHAR_LENGTH(FILE_NAME) - CHAR_LENGTH(SUBSTRING_INDEX(FILE_NAME, "/", -1))))
            FROM information_schema.FILES WHERE FILE_NAME LIKE "/%" OR FILE_NAME LIKE "../%";
        SELECT CONCAT("consistent role=", IF(COUNT(*) > 0, "standby", "primary")) FROM performance_schema.replication_connection_configuration;
        SELECT CONCAT("consistent lacks=", p) FROM (SELECT "BACKUP_ADMIN" AS p UNION SELECT "RELOAD" UNION SELECT "PROCESS" UNION SELECT "LOCK TABLES"
            UNION SELECT "SELECT") AS needed WHERE p NOT IN (SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE =
            CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", 1)), "@", QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", -1))))'
    MY_POSITION='SELECT CONCAT("consistent position=", IF(LOCAL->>"$.binary_log_file" <> "", CONCAT(LOCAL->>"$.binary_log_file", ":",
        LOCAL->>"$.binary_log_position", IF(LOCAL->>"$.gtid_executed" = "", "", CONCAT("/", REPLACE(LOCAL->>"$.gtid_executed", "\n", "")))),
        CONCAT("lsn:", STORAGE_ENGINES->>"$.InnoDB.LSN"))) FROM performance_schema.log_status'
    MY_HOLDS='SELECT CONCAT("consistent holds=", CONNECTION_ID(), "/", COUNT(*)) FROM performance_schema.metadata_locks WHERE LOCK_STATUS = "GRANTED"
        AND OWNER_THREAD_ID = @consistent_thread
        AND (OBJECT_TYPE = "BACKUP LOCK" AND LOCK_TYPE = "SHARED" OR LOCK_TYPE IN ("SHARED_NO_READ_WRITE", "SHARED_READ_ONLY"))'
    MY_UNLOCK='UNLOCK TABLES; UNLOCK INSTANCE'
    MY_BLOCKERS='SELECT CONCAT("consistent blocker=", PROCESSLIST_USER, "@", PROCESSLIST_HOST, " (connection ", PROCESSLIST_ID, ") ",
        IF(PROCESSLIST_COMMAND = "Sleep", "with locks, idle for ", "in a statement for "), PROCESSLIST_TIME, " s") FROM performance_schema.threads AS t
        WHERE PROCESSLIST_ID <> CONNECTION_ID() AND EXISTS (SELECT 1 FROM performance_schema.metadata_locks AS l WHERE l.OWNER_THREAD_ID = t.THREAD_ID
        AND LOCK_STATUS = "GRANTED" AND (OBJECT_TYPE = "BACKUP LOCK" OR OBJECT_TYPE = "TABLE" AND EXISTS (SELECT 1 FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = OBJECT_SCHEMA AND TABLE_NAME = OBJECT_NAME AND ENGINE IN ("MyISAM", "MRG_MYISAM", "ARCHIVE", "CSV"))))
        ORDER BY PROCESSLIST_TIME DESC LIMIT 3'
}

mysql_find() {
    mysql_statements
    my_find MySQL
}

# 8.0 brought the lock for backups.
mysql_is_old() {
    [ "${MY_VERSION%%.*}" -lt 8 ]
}

mysql_flush() { my_flush; }
