//! Notifications to the service manager (`sd_notify(3)`). Without a service manager, all of this
//! does nothing.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tokio::time;
use tokio::time::Instant;

/// Time between two attempts to notify a service manager that does not read.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Total time of these attempts.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A state of the process, as the service manager distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The process serves.
    Ready,
    /// A shutdown has begun.
    Stopping,
    /// The process makes progress: restarts the watchdog's interval.
    Watchdog,
}

impl State {
    fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1\n",
            Self::Stopping => "STOPPING=1\n",
            Self::Watchdog => "WATCHDOG=1\n",
        }
    }
}

/// The watchdog's interval: the service manager restarts a process without a notification for
/// longer. `None` without a watchdog.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

/// Notifies the service manager. Tries again for a second if it does not read.
pub async fn notify_reliably(state: State) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match send(state) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() >= deadline {
                    return tracing::warn!("the service manager does not read notifications");
                }
            }
            Err(error) => return tracing::warn!(%error, "the service manager cannot be notified"),
        }
        time::sleep(RETRY_INTERVAL).await;
    }
}

/// Notifies the service manager once, and ignores a failure: for a state that is notified again
/// soon.
pub fn notify(state: State) {
    drop(send(state));
}

fn send(state: State) -> io::Result<()> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return Ok(());
    };
    send_to(&socket, state.message())
}

/// Sends without waiting: a service manager that does not read must not delay requests. The
/// function of `sd-notify` would wait, and does not support abstract sockets.
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
    fn an_abstract_socket_is_notified_too_and_a_full_one_is_not_waited_for() {
        let name = format!("notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let socket = format!("@{name}");
        send_to(socket.as_ref(), State::Ready.message()).unwrap();
        let mut message = [0; 32];
        let length = receiver.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1\n");
        // Ends, because it does not wait.
        let message = State::Watchdog.message();
        let full = (0..100_000).find_map(|_| send_to(socket.as_ref(), message).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
