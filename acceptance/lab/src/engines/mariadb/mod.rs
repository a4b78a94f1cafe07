//! MariaDB 10.11 of Debian 12, with MySQL's bank; its counters are Aria tables.

use super::{
    Clients, Engine, Judge, MARIADB_AND_REDIS,
    mysql::{DOOR, LAYOUTS, OPEN_LEDGER, PLACES, commit, findings, why_it_stopped},
};
use crate::host::ServerSpec;

pub const MARIADB: Engine = Engine {
    name: "mariadb",
    title: "MariaDB 10.11",
    layouts: LAYOUTS,
    server: ServerSpec {
        name: "mariadb",
        root: MARIADB_AND_REDIS,
        places: PLACES,
        set_up: concat!(include_str!("setup.sh"), include_str!("../mysql/server.sh")),
        size: 10,
        settings: "innodb_log_file_size = 8M\n\
                   innodb_buffer_pool_size = 16M\n\
                   myisam_recover_options = OFF\n\
                   aria_recover_options = OFF",
    },
    unit: "mariadb",
    version: &["mariadbd", "--version"],
    clients: Clients {
        load: concat!("client=mariadb\n", include_str!("../mysql/load.sh")),
        user: "root",
        session: &[
            "mariadb",
            "--batch",
            "--skip-column-names",
            "--unbuffered",
            "bank",
        ],
        open_ledger: OPEN_LEDGER,
        commit,
    },
    door: DOOR,
    judge: Judge {
        checks: "CHECK TABLE, innochecksum",
        script: concat!(
            "client=mariadb unit=mariadb\n",
            include_str!("../mysql/judge.sh")
        ),
        why_it_stopped,
        findings,
    },
};
