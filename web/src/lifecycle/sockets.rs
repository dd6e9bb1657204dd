//! Inherited listening sockets.

use std::io;
use std::net;
use std::process;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The inherited listening sockets, if any (`sd_listen_fds(3)`): from systemd, or from a supervisor
/// that replaces the binary without closing them.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    https: Option<net::TcpListener>,
    http: Option<net::TcpListener>,
}

/// Inherited sockets that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// The names are not `https` and `http`.
    #[error(
        "LISTEN_FDNAMES cannot be used: expected the names https and http, each once, as many as \
         LISTEN_FDS"
    )]
    Names,
    /// A socket is not a TCP socket.
    #[error("LISTEN_FDS: the socket for {0} cannot be used: {1}")]
    Socket(String, io::Error),
}

impl Sockets {
    /// Takes the sockets of `LISTEN_FDS`, if `LISTEN_PID` is this process. Must be called before
    /// other threads start, because it clears these variables.
    ///
    /// # Errors
    /// [`SocketError`].
    pub(crate) fn inherited(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SocketError> {
        let is_this_process =
            lookup("LISTEN_PID").is_some_and(|pid| pid == process::id().to_string());
        if !is_this_process {
            return Ok(Self::default());
        }
        let names = lookup("LISTEN_FDNAMES");
        let mut inherited = ListenFd::from_env();
        let mut sockets = Self::default();
        for (index, name) in named(names.as_deref(), inherited.len())?
            .into_iter()
            .enumerate()
        {
            let socket = inherited
                .take_tcp_listener(index)
                .and_then(|socket| {
                    socket
                        .as_ref()
                        .map_or(Ok(()), |socket| socket.set_nonblocking(true))?;
                    Ok(socket)
                })
                .map_err(|error| SocketError::Socket(name.to_owned(), error))?;
            match name {
                "https" => sockets.https = socket,
                _ => sockets.http = socket,
            }
        }
        Ok(sockets)
    }

    /// Takes the socket for HTTPS, if inherited.
    pub(crate) fn https(&mut self) -> io::Result<Option<TcpListener>> {
        self.https.take().map(TcpListener::from_std).transpose()
    }

    /// Takes the socket for HTTP, if inherited.
    pub(crate) fn http(&mut self) -> io::Result<Option<TcpListener>> {
        self.http.take().map(TcpListener::from_std).transpose()
    }
}

/// The names of `count` sockets. A single socket without a name is for HTTPS.
fn named(names: Option<&str>, count: usize) -> Result<Vec<&str>, SocketError> {
    let names = match names.filter(|names| !names.is_empty()) {
        None if count == 1 => vec!["https"],
        None => vec![],
        Some(names) => names.split(':').collect(),
    };
    let known = names.iter().all(|name| matches!(*name, "https" | "http"));
    let once = names.len() < 2 || names.first() != names.last();
    if !known || !once || names.len() != count || count > 2 {
        return Err(SocketError::Names);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_its_name_and_each_name_one_socket() {
        assert_eq!(named(Some("https"), 1).unwrap(), ["https"]);
        assert_eq!(named(Some("http:https"), 2).unwrap(), ["http", "https"]);
        assert_eq!(named(None, 1).unwrap(), ["https"]);
        assert_eq!(named(None, 0).unwrap(), [""; 0]);
        for (names, count) in [
            (None, 2),
            (Some("https"), 2),
            (Some("https:https"), 2),
            (Some("https:http:https"), 3),
            (Some("https:http"), 1),
            (Some("web.socket"), 1),
            (Some("https:"), 2),
        ] {
            assert!(named(names, count).is_err(), "{names:?}, {count}");
        }
    }

    #[test]
    fn sockets_of_another_process_are_not_taken() {
        for pid in [None, Some("1"), Some(""), Some("x")] {
            let sockets = Sockets::inherited(|name| match name {
                "LISTEN_PID" => pid.map(str::to_owned),
                "LISTEN_FDS" => Some("1".to_owned()),
                _ => None,
            });
            let sockets = sockets.unwrap();
            assert!(sockets.https.is_none() && sockets.http.is_none());
        }
    }
}
