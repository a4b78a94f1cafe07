//! MySQL 8.0 and later: its locks held by a session of ours, recovered from InnoDB's redo log.

use super::{Engine, Recipe, Statement, mysql_family as family};

pub(super) const MYSQL: Engine = Engine {
    name: "mysql",
    title: "MySQL",
    docs: "A MySQL server, 8.0 or later, source or replica. A session that stays open until the release locks it against changes of tables, \
           and every table that is not transactional; then its writes are held. The image starts by InnoDB's ordinary crash recovery.",
    page: include_str!("page.md"),
    processes: &["mysqld"],
    statements: STATEMENTS,
    options: family::OPTIONS,
    recipe: Recipe::Bracket {
        functions: &[
            family::FIND,
            family::ASK,
            family::PATHS,
            family::FLUSH,
            include_str!("guest.sh"),
        ],
        checks: &[family::CHECK, include_str!("check.sh")],
        stop: &[family::STOP, include_str!("stop.sh")],
        hold: &[family::LOCK, include_str!("lock.sh")],
        let_go: &[family::UNLOCK, include_str!("verify.sh")],
    },
};

const STATEMENTS: &[Statement] = &[
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent version=", VERSION())"#,
        purpose: "The version.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent ", VARIABLE_NAME, "=", VARIABLE_VALUE) FROM performance_schema.global_variables WHERE VARIABLE_NAME IN
                   ("port", "pid_file", "innodb_flush_method", "innodb_doublewrite", "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin",
                   "innodb_fast_shutdown", "innodb_log_group_home_dir", "innodb_doublewrite_dir", "innodb_data_home_dir", "innodb_data_file_path",
                   "innodb_undo_directory", "log_bin_basename", "log_bin_index", "relay_log_basename", "relay_log_index", "keyring_file_data", "wsrep_on",
                   "rocksdb_datadir", "rocksdb_wal_dir")"#,
        purpose: "Where everything lies, and the settings that would void crash recovery.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent innodb_redo_log_enabled=", VARIABLE_VALUE) FROM performance_schema.global_status
                   WHERE VARIABLE_NAME = "Innodb_redo_log_enabled""#,
        purpose: "Whether the redo log is switched on.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT DISTINCT CONCAT("consistent config=", VARIABLE_PATH) FROM performance_schema.variables_info WHERE VARIABLE_PATH <> """#,
        purpose: "The configuration files, which the image has to hold.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT DISTINCT CONCAT("consistent tablespace=", LEFT(FILE_NAME, CHAR_LENGTH(FILE_NAME) - CHAR_LENGTH(SUBSTRING_INDEX(FILE_NAME, "/", -1))))
                   FROM information_schema.FILES WHERE FILE_NAME LIKE "/%" OR FILE_NAME LIKE "../%""#,
        purpose: "Tablespaces outside of the data directory.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent role=", IF(COUNT(*) > 0, "standby", "primary")) FROM performance_schema.replication_connection_configuration"#,
        purpose: "Source or replica.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent account=", CURRENT_USER())"#,
        purpose: "Whom the server takes us for.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent lacks=", p) FROM (SELECT "BACKUP_ADMIN" AS p UNION SELECT "RELOAD" UNION SELECT "PROCESS" UNION SELECT "LOCK TABLES"
                   UNION SELECT "SELECT") AS needed WHERE p NOT IN (SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE =
                   CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", 1)), "@", QUOTE(SUBSTRING_INDEX(CURRENT_USER(), "@", -1))))"#,
        purpose: "What the account lacks.",
    },
    Statement {
        script: "arm, hold",
        text: "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS",
        purpose: "Little is left to write in the hold; once the locks are held, every commit that the recovery point counts is in the log files.",
    },
    Statement {
        script: "hold",
        text: "SET SESSION sql_mode = '', autocommit = 1, lock_wait_timeout = $MY_WAIT, wait_timeout = 3600",
        purpose: "The lock session. `$MY_WAIT` is `lock_wait_timeout`, or less where the hold has not that long.",
    },
    Statement {
        script: "hold",
        text: "LOCK INSTANCE FOR BACKUP",
        purpose: "No table is created, changed or dropped from here on. Nobody else waits.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent odd=", COUNT(*)) FROM information_schema.TABLES WHERE CONCAT(TABLE_SCHEMA, TABLE_NAME) REGEXP "[[:cntrl:]]""#,
        purpose: "Tables whose names hold control characters: where there are any, there is no image.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent tables=", GROUP_CONCAT(name), "\nconsistent locks=", GROUP_CONCAT(name, IF(@@super_read_only, " READ", " WRITE")),
                   "\nconsistent read_only=", @@super_read_only) FROM (SELECT CONCAT("`", REPLACE(TABLE_SCHEMA, "`", "``"), "`.`", REPLACE(TABLE_NAME, "`", "``"),
                   "`") AS name FROM information_schema.TABLES WHERE ENGINE IN ("MyISAM", "MRG_MYISAM", "ARCHIVE", "CSV")
                   AND TABLE_SCHEMA NOT IN ("mysql", "information_schema", "performance_schema", "sys")) AS tables_to_lock"#,
        purpose: "The tables that are not transactional.",
    },
    Statement {
        script: "hold",
        text: "LOCK TABLES $VALUE",
        purpose: "They are locked, where there are any: `WRITE`, or `READ` where `super_read_only` is on.",
    },
    Statement {
        script: "hold",
        text: "FLUSH NO_WRITE_TO_BINLOG TABLES $VALUE",
        purpose: "And closed, so that they lie complete in their files; not under `super_read_only`.",
    },
    Statement {
        script: "hold, release",
        text: r#"SELECT CONCAT("consistent holds=", CONNECTION_ID(), "/", COUNT(*)) FROM performance_schema.metadata_locks WHERE LOCK_STATUS = "GRANTED"
                   AND OWNER_THREAD_ID = @consistent_thread
                   AND (OBJECT_TYPE = "BACKUP LOCK" AND LOCK_TYPE = "SHARED" OR LOCK_TYPE IN ("SHARED_NO_READ_WRITE", "SHARED_READ_ONLY"))"#,
        purpose: "Which locks the session holds: asked when it has them, and again at the release, where the answer has to be the same.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent position=", IF(LOCAL->>"$.binary_log_file" <> "", CONCAT(LOCAL->>"$.binary_log_file", ":",
                   LOCAL->>"$.binary_log_position", IF(LOCAL->>"$.gtid_executed" = "", "", CONCAT("/", REPLACE(LOCAL->>"$.gtid_executed", "\n", "")))),
                   CONCAT("lsn:", STORAGE_ENGINES->>"$.InnoDB.LSN"))) FROM performance_schema.log_status"#,
        purpose: "The recovery point: binary log, position and GTIDs; the log sequence number of InnoDB where there is no binary log.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent blocker=", PROCESSLIST_USER, "@", PROCESSLIST_HOST, " (connection ", PROCESSLIST_ID, ") ",
                   IF(PROCESSLIST_COMMAND = "Sleep", "with locks, idle for ", "in a statement for "), PROCESSLIST_TIME, " s") FROM performance_schema.threads AS t
                   WHERE PROCESSLIST_ID <> CONNECTION_ID() AND EXISTS (SELECT 1 FROM performance_schema.metadata_locks AS l WHERE l.OWNER_THREAD_ID = t.THREAD_ID
                   AND LOCK_STATUS = "GRANTED" AND (OBJECT_TYPE = "BACKUP LOCK" OR OBJECT_TYPE = "TABLE" AND EXISTS (SELECT 1 FROM information_schema.TABLES
                   WHERE TABLE_SCHEMA = OBJECT_SCHEMA AND TABLE_NAME = OBJECT_NAME AND ENGINE IN ("MyISAM", "MRG_MYISAM", "ARCHIVE", "CSV"))))
                   ORDER BY PROCESSLIST_TIME DESC LIMIT 3"#,
        purpose: "Who was in the way, where the locks were not to be had. What was asked is not read.",
    },
    Statement {
        script: "release",
        text: "UNLOCK TABLES; UNLOCK INSTANCE",
        purpose: "Everything goes on.",
    },
    Statement {
        script: "release",
        text: "KILL $connection",
        purpose: "Where the session did not unlock by itself. `$connection` is its number.",
    },
    Statement {
        script: "hold",
        text: "SHUTDOWN",
        purpose: "Method `stop` only, where no service is known.",
    },
    Statement {
        script: "release",
        text: "DO 1",
        purpose: "Method `stop` only: whether the server accepts connections again.",
    },
];
