//! The program web, started as a service manager starts it.

use std::env;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use super::environment::Environment;

/// Makes standard input file descriptor 3, as `sd_listen_fds(3)` requires, and executes the
/// program.
const AS_SERVICE: &str = r#"exec 3<&0 </dev/null
LISTEN_PID=$$ LISTEN_FDS=1
export LISTEN_PID LISTEN_FDS
exec "$0""#;

/// The limit of every wait.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A listening socket that outlives the programs that serve it.
pub(crate) fn socket() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A running web; killed when dropped.
pub(crate) struct Program {
    child: Child,
    notifications: UnixDatagram,
}

impl Program {
    /// Starts web with a socket to serve. `name` distinguishes it from others of the test.
    pub(crate) fn start(
        environment: &Environment,
        name: &str,
        socket: &TcpListener,
        variables: &[(&str, &str)],
    ) -> Self {
        let path = environment.path(&format!("{name}.notify"));
        let notifications = UnixDatagram::bind(&path).unwrap();
        notifications.set_read_timeout(Some(TIMEOUT)).unwrap();
        let file = |name: &str| environment.path(name).into_os_string();
        let child = Command::new("sh")
            .args(["-c", AS_SERVICE])
            .arg(tests::program("web").unwrap())
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("NOTIFY_SOCKET", path)
            .env("LISTEN_FDNAMES", "https")
            .env("WEB_LISTEN", "127.0.0.1:0")
            .env("WEB_REDIRECT_LISTEN", "127.0.0.1:0")
            .env("WEB_PUBLIC_ORIGIN", "https://localhost")
            .env("WEB_TLS_CERTIFICATE_FILE", file("public/web.pem"))
            .env("WEB_TLS_KEY_FILE", file("public/web.key"))
            .env("WEB_UPSTREAMS", environment.app.to_string())
            .env("WEB_UPSTREAM_NAME", "app.internal")
            .env("WEB_UPSTREAM_IDENTITY", stack::identity("app"))
            .env("WEB_UPSTREAM_CA_FILE", file("internal/ca.pem"))
            .env("WEB_UPSTREAM_CERTIFICATE_FILE", file("internal/web.pem"))
            .env("WEB_UPSTREAM_KEY_FILE", file("internal/web.key"))
            .envs(variables.iter().copied())
            .spawn()
            .unwrap();
        Self {
            child,
            notifications,
        }
    }

    /// Waits for a notification of the service manager with this line.
    pub(crate) fn await_notification(&self, state: &str) {
        let deadline = Instant::now() + TIMEOUT;
        let mut received = Vec::new();
        while Instant::now() < deadline {
            let mut message = [0; 1024];
            let length = self.notifications.recv(&mut message).unwrap_or(0);
            let message = String::from_utf8_lossy(&message[..length]).into_owned();
            if message.lines().any(|line| line == state) {
                return;
            }
            received.push(message);
        }
        panic!("{state} is not among {received:?}");
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.unwrap().success());
    }

    /// Waits for the exit status.
    pub(crate) fn await_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("web does not end");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
