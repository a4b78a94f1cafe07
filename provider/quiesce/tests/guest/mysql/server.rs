//! Real servers of MySQL's family inside a guest: MariaDB as Debian 12 has it, MySQL from Debian's unstable release. Data directories are made
//! once per kind and copied.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use quiesce::engines::{Engine, Options};

use crate::machine::{Guest, run};

/// Not through any tool that a busybox guest replaces; no package of these makes a user of its own.
const AS_SERVER: &str = "/usr/sbin/chroot --userspec=nobody:nogroup / /usr/bin/env";

/// Every kind, in the order of the engines.
pub(crate) const KINDS: [Kind; 2] = [Kind::MySql, Kind::MariaDb];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    MySql,
    MariaDb,
}

impl Kind {
    pub(crate) fn engine(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
        }
    }

    /// The engine with everything left to detection.
    pub(crate) fn options(self) -> Options {
        Options::new(Engine::named(self.engine()).expect("an engine of ours"))
    }

    fn server(self) -> String {
        match self {
            Self::MySql => format!("{}/bin/mysqld", root().display()),
            Self::MariaDb => "/usr/sbin/mariadbd".to_owned(),
        }
    }

    fn client(self) -> String {
        match self {
            Self::MySql => format!("{}/bin/mysql", root().display()),
            Self::MariaDb => "/usr/bin/mariadb".to_owned(),
        }
    }

    /// What makes a server of little memory and few files, in a place of its own.
    fn arguments(self) -> String {
        match self {
            Self::MySql => format!(
                "--basedir={root}/usr --lc-messages-dir={root}/usr/share/mysql --plugin-dir={root}/usr/lib/mysql/plugin --secure-file-priv=NULL \
                 --mysqlx=OFF --innodb-redo-log-capacity=16M --innodb-buffer-pool-size=32M --performance-schema-max-table-instances=200",
                root = root().display()
            ),
            Self::MariaDb => {
                "--innodb-log-file-size=8M --innodb-buffer-pool-size=32M --aria-pagecache-buffer-size=1M".to_owned()
            }
        }
    }

    /// A data directory fresh from its makers' own tool, made once and kept beside the build. Its root comes in by the socket.
    fn template(self) -> PathBuf {
        static MAKING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let template =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-data", self.engine()));
        if !template.exists() {
            let unfinished = template.with_extension("unfinished");
            let path = unfinished.to_string_lossy();
            run("rm", &["-rf", &path]);
            run("install", &["-d", "-o", "nobody", &path]);
            run("sh", &["-ec", &self.initialize(&path)]);
            run("mv", &[&path, &template.to_string_lossy()]);
        }
        template
    }

    fn initialize(self, path: &str) -> String {
        let (server, arguments) = (self.server(), self.arguments());
        match self {
            Self::MySql => format!(
                "cat >{path}.sql <<'EOF'\nINSTALL PLUGIN auth_socket SONAME 'auth_socket.so';\n\
                 ALTER USER root@localhost IDENTIFIED WITH auth_socket;\nEOF\n\
                 {server} --no-defaults --user=nobody --datadir={path} {arguments} --initialize-insecure --init-file={path}.sql >&2"
            ),
            Self::MariaDb => format!(
                "mariadb-install-db --no-defaults --user=nobody --datadir={path} {arguments} --skip-test-db \
                 --auth-root-authentication-method=socket >&2"
            ),
        }
    }
}

/// Where MySQL's own programs and libraries are: cached beside the lab's root file systems.
fn root() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = std::env::var("LAB_CACHE").unwrap_or_else(|_| "/var/cache/consistent-lab".into());
    let root = PathBuf::from(cache).join("guest-mysql");
    if !root.exists() {
        let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/fetch-mysql.sh");
        run("sh", &[fetch, &root.to_string_lossy()]);
    }
    root
}

/// A server to be: where its parts lie.
pub(crate) struct Layout<'a> {
    pub(crate) kind: Kind,
    /// Tells servers of one guest apart.
    pub(crate) name: &'a str,
    /// An existing directory that the data directory is made in.
    pub(crate) data: &'a str,
    /// A directory for its logs, InnoDB's and the binary one.
    pub(crate) logs: Option<&'a str>,
    /// Further arguments.
    pub(crate) settings: &'a str,
}

impl<'a> Layout<'a> {
    /// All of it in `data`.
    pub(crate) fn on(kind: Kind, data: &'a str) -> Self {
        Self {
            kind,
            name: "one",
            data,
            logs: None,
            settings: "",
        }
    }
}

/// A running server.
pub(crate) struct Server<'a> {
    guest: &'a Guest,
    pub(crate) kind: Kind,
    pub(crate) data: String,
    pub(crate) socket: String,
    pub(crate) command: String,
}

impl<'a> Server<'a> {
    pub(crate) fn start(guest: &'a Guest, layout: &Layout<'_>) -> Self {
        let server = Self::create(guest, layout);
        server.up();
        server
    }

    /// The files, without a server.
    pub(crate) fn create(guest: &'a Guest, layout: &Layout<'_>) -> Self {
        let kind = layout.kind;
        let data = format!("{}/{}-{}", layout.data, kind.engine(), layout.name);
        let logs = layout.logs.unwrap_or(&data);
        let socket = format!("/run/{}-{}.sock", kind.engine(), layout.name);
        let pid_file = format!("{data}.pid");
        // The guests share /tmp, where a server that starts removes what it takes for its own of an earlier time.
        let scratch = format!("/run/{}-{}.tmp", kind.engine(), layout.name);
        guest.sh(&format!(
            "chmod 1777 /run && install -d -o nobody {scratch} && cp -a {} {data}",
            kind.template().display()
        ));
        if layout.logs.is_some() {
            guest.sh(&format!(
                "install -d -o nobody {logs}/innodb {logs}/binary && {{ mv {data}/#innodb_redo {data}/ib_logfile* {logs}/innodb/ 2>/dev/null || :; }}"
            ));
        }
        let (innodb, binary) = match layout.logs {
            Some(logs) => (format!("{logs}/innodb"), format!("{logs}/binary/bin")),
            None => (data.clone(), format!("{data}/bin")),
        };
        let command = format!(
            "{AS_SERVER} {} --no-defaults --datadir={data} --socket={socket} --pid-file={pid_file} --skip-networking --server-id=1 \
             --tmpdir={scratch} --log-bin={binary} --innodb-log-group-home-dir={innodb} {} {}",
            kind.server(),
            kind.arguments(),
            layout.settings
        );
        Self {
            guest,
            kind,
            data,
            socket,
            command,
        }
    }

    /// Starts it, and waits until it takes connections.
    pub(crate) fn up(&self) {
        self.guest.sh(&format!(
            "setsid {command} >>{data}.log 2>&1 </dev/null &
             for _ in {{1..600}}; do ! {ask} >/dev/null 2>&1 || exit 0; sleep 0.05; done; tail {data}.log >&2; exit 1",
            command = self.command,
            data = self.data,
            ask = self.client("DO 1"),
        ));
    }

    /// Shuts it down, and waits until it is.
    pub(crate) fn down(&self) {
        let pid = self.pid();
        self.sql("SHUTDOWN");
        // Nobody buries it here.
        self.guest.sh(&format!(
            "while grep -qs '^State:.[^ZX]' /proc/{pid}/status; do sleep 0.02; done"
        ));
    }

    /// What the server answers to `statements`.
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.guest.sh(&self.client(statements)).trim().to_owned()
    }

    /// The same, which must be done within `seconds`.
    pub(crate) fn sql_within(&self, seconds: u32, statements: &str) {
        let output = self
            .guest
            .try_sh(&format!("timeout {seconds} {}", self.client(statements)));
        assert!(output.status.success(), "{statements}: {output:?}");
    }

    /// The shell command that asks.
    pub(crate) fn client(&self, statements: &str) -> String {
        format!(
            "{} --no-defaults --user=root --socket={} --batch --raw --skip-column-names --execute=\"{statements}\"",
            self.kind.client(),
            self.socket
        )
    }

    /// The process id inside the guest.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.guest.sh(&format!("cat {}.pid", self.data));
        pid.trim().parse().expect("a pid")
    }
}
