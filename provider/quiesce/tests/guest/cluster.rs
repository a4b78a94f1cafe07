//! Real PostgreSQL clusters inside a guest, made once per version and copied.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::machine::{Guest, run};

/// Not through any tool that a busybox guest replaces.
const AS_POSTGRES: &str = "/usr/sbin/chroot --userspec=postgres:postgres / /usr/bin/env";

/// Where the programs of a major version are: Debian's own 15, the others fetched.
pub(crate) fn programs(version: u32) -> PathBuf {
    if version == 15 {
        return PathBuf::from("/usr/lib/postgresql/15/bin");
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bin = repository.join(format!(".cache/postgres/{version}/bin"));
    if !bin.join("postgres").exists() {
        let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/fetch-postgres.sh");
        run("sh", &[fetch]);
    }
    bin.canonicalize().expect("fetched")
}

/// A data directory fresh from initdb, made once and kept beside the build.
fn template(version: u32) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{version}"));
    if !template.exists() {
        let unfinished = template.with_extension("unfinished");
        let path = unfinished.to_string_lossy();
        run("rm", &["-rf", &path]);
        run("install", &["-d", "-o", "postgres", &path]);
        let initdb = programs(version).join("initdb");
        let user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
        let options = [
            "--nosync",
            "--auth-local=peer",
            "--username=postgres",
            "--pgdata",
        ];
        run(
            "setpriv",
            &[&user[..], &[&initdb.to_string_lossy()], &options, &[&path]].concat(),
        );
        run("mv", &[&path, &template.to_string_lossy()]);
    }
    template
}

/// A cluster to be: where its parts lie.
pub(crate) struct Layout<'a> {
    pub(crate) version: u32,
    pub(crate) port: u16,
    /// An existing directory that the data directory is made in.
    pub(crate) data: &'a str,
    /// A directory for a WAL directory of its own.
    pub(crate) wal: Option<&'a str>,
    /// Further lines of postgresql.conf.
    pub(crate) settings: &'a str,
}

impl<'a> Layout<'a> {
    /// PostgreSQL 15 on port 6001, all of it in `data`.
    pub(crate) fn on(data: &'a str) -> Self {
        Self {
            version: 15,
            port: 6001,
            data,
            wal: None,
            settings: "",
        }
    }
}

/// A running server.
pub(crate) struct Cluster<'a> {
    guest: &'a Guest,
    pub(crate) port: u16,
    pub(crate) data: String,
    pub(crate) version: u32,
}

impl<'a> Cluster<'a> {
    pub(crate) fn start(guest: &'a Guest, layout: &Layout<'_>) -> Self {
        let cluster = Self::create(guest, layout);
        cluster.ctl("start");
        cluster
    }

    /// The files, without a server.
    pub(crate) fn create(guest: &'a Guest, layout: &Layout<'_>) -> Self {
        let template = template(layout.version);
        let data = format!("{}/pg{}", layout.data, layout.port);
        let log = if layout.version >= 10 {
            "pg_wal"
        } else {
            "pg_xlog"
        };
        let mut script = format!("cp -a {} {data}\n", template.display());
        if let Some(wal) = layout.wal {
            let wal = format!("{wal}/wal{}", layout.port);
            let _ = writeln!(script, "mv {data}/{log} {wal} && ln -s {wal} {data}/{log}");
        }
        let _ = writeln!(
            script,
            "cat >>{data}/postgresql.conf <<'EOF'\nport = {}\nlisten_addresses = ''\n\
             unix_socket_directories = '/run/postgresql'\nshared_buffers = 16MB\n{}\nEOF",
            layout.port, layout.settings
        );
        guest.sh(&script);
        Self {
            guest,
            port: layout.port,
            data,
            version: layout.version,
        }
    }

    /// A streaming standby of this server, from a cold copy of its files.
    pub(crate) fn standby(&self, port: u16) -> Self {
        let data = format!("{}-standby", self.data);
        let source = format!("host=/run/postgresql port={} user=postgres", self.port);
        let recovery = if self.version >= 12 {
            format!(
                "touch {data}/standby.signal; echo \"primary_conninfo = '{source}'\" >>{data}/postgresql.conf"
            )
        } else {
            format!(
                "printf \"standby_mode = on\\nprimary_conninfo = '{source}'\\n\" >{data}/recovery.conf"
            )
        };
        self.ctl("stop");
        self.guest.sh(&format!(
            "cp -a {} {data}; {recovery}; echo 'port = {port}' >>{data}/postgresql.conf",
            self.data
        ));
        self.ctl("start");
        self.sql("SELECT 1");
        let standby = Self {
            guest: self.guest,
            port,
            data,
            version: self.version,
        };
        standby.ctl("start");
        standby
    }

    /// `pg_ctl` with this action, as the server's user.
    pub(crate) fn ctl(&self, action: &str) {
        self.guest.sh(&self.ctl_command(action));
    }

    pub(crate) fn ctl_command(&self, action: &str) -> String {
        format!(
            "cd / && {AS_POSTGRES} {}/pg_ctl -D {data} -m fast -w -l {data}.log {action} >/dev/null",
            programs(self.version).display(),
            data = self.data,
        )
    }

    /// What the server answers to `query`.
    pub(crate) fn sql(&self, query: &str) -> String {
        self.guest.sh(&self.psql(query)).trim().to_owned()
    }

    /// The shell command that asks.
    pub(crate) fn psql(&self, query: &str) -> String {
        format!(
            "{AS_POSTGRES} /usr/lib/postgresql/15/bin/psql -XAtq -v ON_ERROR_STOP=1 \
             -h /run/postgresql -p {} -d postgres -c \"{query}\"",
            self.port
        )
    }

    /// The postmaster's process id inside the guest.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self
            .guest
            .sh(&format!("head -1 {}/postmaster.pid", self.data));
        pid.trim().parse().expect("a pid")
    }
}
