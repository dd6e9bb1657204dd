//! What a service manager is told of a process's life, and how it wants to be told
//! (`sd_notify(3)`). Without one, all of this does nothing.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use tokio::time::{self, Instant};

/// How often a service manager that does not read is tried again.
const LOOK: Duration = Duration::from_millis(50);
/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a service manager can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The process serves.
    Ready,
    /// It is about to end.
    Stopping,
    /// It is not stuck.
    Alive,
}

impl State {
    fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1\n",
            Self::Stopping => "STOPPING=1\n",
            Self::Alive => "WATCHDOG=1\n",
        }
    }
}

/// How long the service manager lets us be silent; `None` if it does not look after us.
#[must_use]
pub fn patience() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

/// Tells it something that it should not miss.
pub async fn tell(state: State) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match send(state) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() >= deadline {
                    return tracing::warn!("the service manager does not listen");
                }
            }
            Err(error) => return tracing::warn!(%error, "the service manager can't be told"),
        }
        time::sleep(LOOK).await;
    }
}

/// Tells it something that is said again soon: one that is lost, because nobody reads them, is no
/// loss.
pub fn mention(state: State) {
    drop(send(state));
}

fn send(state: State) -> io::Result<()> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return Ok(());
    };
    send_to(&socket, state.message())
}

/// Sends without waiting: a service manager that does not read must not hold up the requests, as it
/// would with the library's own function, which also knows no abstract sockets.
fn send_to(socket: &OsStr, message: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abstract_socket_is_told_as_well_and_nobody_waits_for_one_that_is_full() {
        let name = format!("notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let socket = format!("@{name}");
        send_to(socket.as_ref(), State::Ready.message()).unwrap();
        let mut message = [0; 32];
        let length = receiver.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1\n");
        // Ends, because it does not wait.
        let alive = State::Alive.message();
        let full = (0..100_000).find_map(|_| send_to(socket.as_ref(), alive).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
