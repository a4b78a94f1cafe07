//! Where Terraform connects: a unix socket that only this user can open; TCP on loopback where there are none.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use super::handshake::Invitation;

/// What the handshake says about it.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) network: &'static str,
    pub(super) address: String,
}

/// A byte stream to a client.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

#[derive(Debug)]
pub(super) struct Listener {
    socket: Socket,
    address: Address,
}

#[derive(Debug)]
enum Socket {
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        /// Removed with everything in it when the listener goes.
        _directory: tempfile::TempDir,
    },
    #[cfg_attr(
        unix,
        allow(
            dead_code,
            reason = "used where there are no unix sockets, and tested everywhere"
        )
    )]
    Tcp(TcpListener),
}

impl Listener {
    #[cfg(unix)]
    pub(super) fn bind(invitation: &Invitation) -> io::Result<Self> {
        Self::bind_unix(invitation.socket_dir.as_deref())
    }

    #[cfg(not(unix))]
    pub(super) fn bind(invitation: &Invitation) -> io::Result<Self> {
        Self::bind_tcp(invitation.ports.clone())
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.socket {
            #[cfg(unix)]
            Socket::Unix { listener, .. } => Ok(Box::new(listener.accept().await?.0)),
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }

    /// The directory is what protects the socket from its first moment; its own mode is a second lock.
    #[cfg(unix)]
    fn bind_unix(parent: Option<&std::path::Path>) -> io::Result<Self> {
        use std::{fs, os::unix::fs::PermissionsExt as _};

        let temporary = std::env::temp_dir();
        let directory = tempfile::Builder::new()
            .prefix("tfplug-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent.unwrap_or(&temporary))?;
        let path = directory.path().join("plugin.sock");
        let listener = tokio::net::UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            socket: Socket::Unix {
                listener,
                _directory: directory,
            },
            address: Address {
                network: "unix",
                address: path.display().to_string(),
            },
        })
    }

    /// The first free port of the range that Terraform allows.
    #[cfg(any(not(unix), test))]
    fn bind_tcp(ports: std::ops::RangeInclusive<u16>) -> io::Result<Self> {
        let bind = |port| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).ok();
        let listener = ports
            .into_iter()
            .find_map(bind)
            .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))?;
        listener.set_nonblocking(true)?;
        let address = Address {
            network: "tcp",
            address: listener.local_addr()?.to_string(),
        };
        Ok(Self {
            socket: Socket::Tcp(TcpListener::from_std(listener)?),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn the_socket_is_private_and_goes_away() {
        use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

        let parent = tempfile::tempdir().expect("a directory");
        let listener = Listener::bind_unix(Some(parent.path())).expect("a socket");
        let socket = Path::new(&listener.address().address).to_owned();
        let directory = socket.parent().expect("a directory").to_owned();
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert!(directory.starts_with(parent.path()));
        assert_eq!((mode(&directory), mode(&socket)), (0o700, 0o600));
        drop(listener);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn tcp_passes_over_ports_in_use() {
        let first = Listener::bind_tcp(20_000..=20_200).expect("a port");
        let second = Listener::bind_tcp(20_000..=20_200).expect("another port");
        assert_ne!(first.address().address, second.address().address);
        assert!(second.address().address.starts_with("127.0.0.1:"));
        let client = tokio::net::TcpStream::connect(&second.address().address);
        let (accepted, connected) = tokio::join!(second.accept(), client);
        assert!(accepted.is_ok() && connected.is_ok());
    }
}
