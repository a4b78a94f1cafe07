//! What most tests of these engines play on: one server whose data and logs lie on two volumes.

use std::path::PathBuf;

use quiesce::method::Method;

use super::server::{Kind, Layout, Server};
use crate::{machine::Guest, session::Session};

pub(super) struct Scene {
    pub(super) guest: Guest,
    pub(super) kind: Kind,
    pub(super) data: String,
    pub(super) logs: String,
}

impl Scene {
    pub(super) fn new(kind: Kind) -> Self {
        Self::on(Guest::new(), kind)
    }

    pub(super) fn on(guest: Guest, kind: Kind) -> Self {
        let data = guest.volume("data", "ext4", 320, "0aaa");
        let logs = guest.volume("logs", "xfs", 320, "0bbb");
        Self {
            guest,
            kind,
            data,
            logs,
        }
    }

    /// One with an InnoDB and a MyISAM table.
    pub(super) fn server(&self) -> Server<'_> {
        let layout = Layout {
            logs: Some(&self.logs),
            ..Layout::on(self.kind, &self.data)
        };
        let server = Server::start(&self.guest, &layout);
        server.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(200));
             CREATE TABLE shop.counter (n INT, KEY (n)) ENGINE = MyISAM; INSERT INTO shop.counter VALUES (0)",
        );
        server
    }

    /// What the image would hold of both volumes now: copies of the files that carry them.
    pub(super) fn capture(&self) -> [PathBuf; 2] {
        ["data", "logs"].map(|name| {
            let file = self.guest.dir.path().join(format!("{name}.img"));
            let copy = file.with_extension("copy");
            std::fs::copy(&file, &copy).expect("copied");
            copy
        })
    }

    /// Puts such copies in the place of the volumes, which nobody uses.
    pub(super) fn restore(&self, copies: &[PathBuf; 2]) {
        let volumes = [(&self.data, "0aaa"), (&self.logs, "0bbb")];
        for ((point, serial), copy) in volumes.into_iter().zip(copies) {
            self.guest.sh(&format!(
                "device=$(readlink -f /dev/disk/by-id/*vol{serial}) && umount {point} && \
                 dd if={} of=$device bs=1M conv=fsync status=none && mount $device {point}",
                copy.display()
            ));
        }
    }

    pub(super) fn session(&self, method: Method) -> Session<'_> {
        let mut session = Session::new(&self.guest, method, &[&self.data, &self.logs]);
        session.engines = vec![self.kind.options()];
        session
    }

    /// Nothing is held any more: volumes take writes, tables of every kind do, nobody is connected, no switch is left.
    pub(super) fn assert_let_go(&self, server: &Server<'_>) {
        assert!(self.guest.writes_go_on());
        server.sql_within(
            5,
            "SET SESSION lock_wait_timeout = 1; INSERT INTO shop.orders (note) VALUES ('after'); \
             UPDATE shop.counter SET n = n + 1; CREATE TABLE shop.made (i INT); DROP TABLE shop.made",
        );
        self.guest.sh("sleep 0.5");
        assert_eq!(self.guest.switches(), 0);
        // A busy machine needs a moment to end what was killed.
        self.guest.sh("[ ! -e /run/consistent/hold ] || exit 1
             for _ in {1..30}; do pgrep -f -- '[-]-unbuffered' >/dev/null || exit 0; sleep 0.1; done
             pgrep -af -- '[-]-unbuffered' >&2; exit 1");
    }
}
