//! Notifications to the service manager, and sockets that it passes on.

use std::time::Duration;

use tokio::task;

use super::environment::Environment;
use super::program::Program;
use super::program::socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_is_notified_of_readiness_of_the_watchdog_and_of_the_end() {
    let environment = Environment::new().await;
    let (socket, address) = socket();
    let client = environment.client(address);
    let variables = [("WATCHDOG_USEC", "200000"), ("WEB_UNREADY_SECONDS", "3")];
    let mut web = Program::start(&environment, "web", &socket, &variables);
    task::block_in_place(|| {
        web.await_notification("READY=1");
        web.await_notification("WATCHDOG=1");
        web.await_notification("WATCHDOG=1");
    });
    assert_eq!(client.get("/readyz").await.unwrap(), 200);
    web.terminate();
    task::block_in_place(|| web.await_notification("STOPPING=1"));
    // The load balancer must send no new clients, and those that it still sends are served.
    assert_eq!(client.get("/readyz").await.unwrap(), 503);
    assert_eq!(client.get("/healthz").await.unwrap(), 200);
    assert_eq!(client.get("/fhir/metadata").await.unwrap(), 200);
    assert!(web.is_running());
    assert!(task::block_in_place(|| web.await_exit()).success());
    // The socket still listens for its next server.
    let waiting = client.get("/healthz");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), waiting)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inherited_socket_with_an_ambiguous_name_is_not_served() {
    let environment = Environment::new().await;
    let (socket, _address) = socket();
    for (name, names) in [
        ("two", "https:http"),
        ("other", "web.socket"),
        ("twice", "https:https"),
    ] {
        let variables = [("LISTEN_FDNAMES", names)];
        let mut web = Program::start(&environment, name, &socket, &variables);
        let ended = task::block_in_place(|| web.await_exit());
        assert_eq!(ended.code(), Some(64), "{names}");
    }
}
