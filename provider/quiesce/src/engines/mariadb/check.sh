# shellcheck shell=dash
# Settings of MariaDB that void its crash recovery.

# Is there no way that innodb_flush_method $1 survives a crash? MariaDB promises nothing of O_DIRECT_NO_FSYNC where files grow (its
# InnoDB Flush Method page); nosync and littlesync are for tests.
mariadb_never_syncs() {
    case $1 in nosync | littlesync | O_DIRECT_NO_FSYNC) return 0 ;; *) return 1 ;; esac
}
