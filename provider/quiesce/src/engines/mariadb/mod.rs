//! MariaDB 10.6 and later: held at its own backup stage by a session of ours, recovered from InnoDB's and Aria's redo logs.

use super::{Engine, Recipe, Statement, mysql_family as family};

pub(super) const MARIADB: Engine = Engine {
    name: "mariadb",
    title: "MariaDB",
    docs: "A MariaDB server, 10.6 or later, primary or replica. A session that stays open until the release keeps it at the backup stage at which \
           nothing is committed and every table that is not transactional is complete; then its writes are held. The image starts by ordinary \
           crash recovery.",
    page: include_str!("page.md"),
    processes: &["mariadbd"],
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
        text: r#"SELECT CONCAT("consistent ", LOWER(VARIABLE_NAME), "=", VARIABLE_VALUE) FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME IN
                   ("port", "pid_file", "innodb_flush_method", "innodb_doublewrite", "innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin",
                   "innodb_fast_shutdown", "innodb_log_group_home_dir", "innodb_data_home_dir", "innodb_data_file_path", "innodb_undo_directory",
                   "log_bin_basename", "log_bin_index", "relay_log_basename", "relay_log_index", "aria_log_dir_path", "wsrep_on", "wsrep_data_home_dir",
                   "rocksdb_datadir", "rocksdb_wal_dir")"#,
        purpose: "Where everything lies, and the settings that would void crash recovery.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT DISTINCT CONCAT("consistent config=", GLOBAL_VALUE_PATH) FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_PATH <> """#,
        purpose: "The configuration files, which the image has to hold.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT DISTINCT CONCAT("consistent tablespace=", LEFT(FILENAME, CHAR_LENGTH(FILENAME) - CHAR_LENGTH(SUBSTRING_INDEX(FILENAME, "/", -1))))
                   FROM information_schema.INNODB_SYS_TABLESPACES WHERE FILENAME LIKE "/%" OR FILENAME LIKE "../%""#,
        purpose: "Tablespaces outside of the data directory.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent role=", IF(VARIABLE_VALUE > 0, "standby", "primary")) FROM information_schema.GLOBAL_STATUS
                   WHERE VARIABLE_NAME = "SLAVES_RUNNING""#,
        purpose: "Primary or replica.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent account=", CURRENT_USER())"#,
        purpose: "Whom the server takes us for.",
    },
    Statement {
        script: "probe, arm, hold",
        text: r#"SELECT CONCAT("consistent lacks=", p) FROM (SELECT "RELOAD" AS p UNION SELECT "PROCESS") AS needed
                   WHERE p NOT IN (SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE =
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
        text: "SET SESSION max_statement_time = 0; BACKUP STAGE START; BACKUP STAGE FLUSH",
        purpose: "Tables that are not transactional and not in use are closed. Nobody waits yet.",
    },
    Statement {
        script: "hold",
        text: "BACKUP STAGE BLOCK_DDL; BACKUP STAGE BLOCK_COMMIT",
        purpose: "Every table that is not transactional lies complete in its files; nothing is committed from here on.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent position=", IF(@@log_bin, CONCAT(MAX(IF(VARIABLE_NAME = "BINLOG_SNAPSHOT_FILE", VARIABLE_VALUE, "")), ":",
                   MAX(IF(VARIABLE_NAME = "BINLOG_SNAPSHOT_POSITION", VARIABLE_VALUE, "")), IF(@@gtid_current_pos = "", "", CONCAT("/", @@gtid_current_pos))),
                   CONCAT("lsn:", MAX(IF(VARIABLE_NAME = "INNODB_LSN_FLUSHED", VARIABLE_VALUE, ""))))) FROM information_schema.GLOBAL_STATUS
                   WHERE VARIABLE_NAME IN ("BINLOG_SNAPSHOT_FILE", "BINLOG_SNAPSHOT_POSITION", "INNODB_LSN_FLUSHED")"#,
        purpose: "The recovery point: binary log, position and GTID; the log sequence number of InnoDB where there is no binary log.",
    },
    Statement {
        script: "hold, release",
        text: r#"SELECT CONCAT("consistent holds=", CONNECTION_ID(), "/", GROUP_CONCAT(VARIABLE_VALUE ORDER BY VARIABLE_NAME SEPARATOR ":"))
                   FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ("BINLOG_SNAPSHOT_FILE", "BINLOG_SNAPSHOT_POSITION")"#,
        purpose: "The session and where the binary log stands: asked when it has its locks, and again at the release, where the answer has to be the same.",
    },
    Statement {
        script: "hold",
        text: r#"SELECT CONCAT("consistent blocker=", USER, "@", HOST, " (connection ", ID, ") in a statement for ", TIME_MS DIV 1000, " s")
                   FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND IN ("Query", "Execute") ORDER BY TIME_MS DESC LIMIT 3"#,
        purpose: "Who was perhaps in the way, where the locks were not to be had. What was asked is not read.",
    },
    Statement {
        script: "release",
        text: "BACKUP STAGE END",
        purpose: "Everything goes on. The server refuses this to a session that is not at a backup stage, and the hold has lapsed then.",
    },
    Statement {
        script: "release",
        text: "KILL $connection",
        purpose: "Where the session did not end its backup by itself. `$connection` is its number.",
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
