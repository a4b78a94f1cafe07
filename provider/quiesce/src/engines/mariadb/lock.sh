# shellcheck shell=dash
# How the locks of MariaDB are taken.

mariadb_hold() { my_hold; }

# Stage by stage: until BLOCK_DDL nobody waits for anything; behind BLOCK_COMMIT every table that is not transactional lies complete in its files,
# and the binary log stands still. BACKUP STAGE END succeeds only in a session that has been at it until then: that is the proof.
mariadb_take_locks() {
    mariadb_statements
    my_lock "SET SESSION max_statement_time = 0; BACKUP STAGE START; BACKUP STAGE FLUSH" || return 1
    take_first
    my_lock "BACKUP STAGE BLOCK_DDL; BACKUP STAGE BLOCK_COMMIT"
}
