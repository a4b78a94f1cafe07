//! What most tests of a hold play on: one server whose data and log lie on two volumes.

use quiesce::method::Method;

use crate::{
    cluster::{Cluster, Layout},
    machine::Guest,
    session::Session,
};

/// Every way to hold.
pub(crate) const METHODS: [Method; 3] = [Method::Freeze, Method::Pause, Method::Stop];

/// A guest whose one server has its data and its log on two volumes.
pub(crate) struct Scene {
    pub(crate) guest: Guest,
    pub(crate) data: String,
    pub(crate) wal: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Guest::new())
    }

    pub(crate) fn on(guest: Guest) -> Self {
        let data = guest.volume("data", "ext4", 160, "0aaa");
        let wal = guest.volume("wal", "xfs", 320, "0bbb");
        Self { guest, data, wal }
    }

    pub(crate) fn cluster(&self) -> Cluster<'_> {
        self.cluster_of(15)
    }

    pub(crate) fn cluster_of(&self, version: u32) -> Cluster<'_> {
        let layout = Layout {
            version,
            wal: Some(&self.wal),
            ..Layout::on(&self.data)
        };
        Cluster::start(&self.guest, &layout)
    }

    pub(crate) fn session(&self, method: Method) -> Session<'_> {
        Session::new(&self.guest, method, &[&self.data, &self.wal])
    }

    /// Nothing is held any more: volumes take writes, the server answers, no switch is left.
    pub(crate) fn assert_let_go(&self, cluster: &Cluster<'_>) {
        assert!(self.guest.writes_go_on());
        cluster.sql("CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1)");
        self.guest.sh("sleep 0.5");
        assert_eq!(self.guest.switches(), 0);
        self.guest.sh("[ ! -e /run/consistent/hold ]");
    }
}
