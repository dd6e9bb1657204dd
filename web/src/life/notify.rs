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
    sync::Arc,
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{self, Instant};

use super::pulse::{self, Pulse};

/// How often the apps are looked at until the first is ready.
const LOOK: Duration = Duration::from_millis(50);
/// Without an app we are of little use, but of more than nothing: after so long, whoever started us
/// should go on, and the health checks will say the rest.
const GRACE: Duration = Duration::from_secs(10);
/// How long a service manager that does not read is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the service manager that we are ready: the sockets listen, and an app is ready or has
/// been waited for long enough. Does nothing where there is no service manager.
pub(crate) async fn announce(is_app_ready: impl Fn() -> bool) {
    let deadline = Instant::now() + GRACE;
    while !is_app_ready() {
        if Instant::now() >= deadline {
            tracing::warn!("no app is ready yet");
            break;
        }
        time::sleep(LOOK).await;
    }
    tell(&NotifyState::Ready).await;
}

/// Tells the service manager that we are about to end.
pub(super) async fn stopping() {
    tell(&NotifyState::Stopping).await;
}

/// Tells the service manager that every worker lives, twice as often as it wants to know; ends at
/// once if it does not.
pub(crate) async fn watchdog(pulse: Arc<Pulse>) {
    let Some(limit) = pulse::patience() else {
        return;
    };
    let mut beat = time::interval(limit / 2);
    loop {
        beat.tick().await;
        if pulse.is_regular() {
            // One that is lost, because nobody reads them, is no loss.
            drop(send(&NotifyState::Watchdog));
        } else {
            tracing::error!("a worker is stuck");
        }
    }
}

/// Tells the service manager something that it should not miss.
async fn tell(state: &NotifyState<'_>) {
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

fn send(state: &NotifyState<'_>) -> io::Result<()> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return Ok(());
    };
    send_to(&socket, &format!("{state}\n"))
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
        let name = format!("web-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let socket = format!("@{name}");
        send_to(socket.as_ref(), "READY=1\n").unwrap();
        let mut message = [0; 32];
        let length = receiver.recv(&mut message).unwrap();
        assert_eq!(&message[..length], b"READY=1\n");
        // Ends, because it does not wait.
        let full = (0..100_000).find_map(|_| send_to(socket.as_ref(), "WATCHDOG=1\n").err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
