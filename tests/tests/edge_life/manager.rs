use std::time::Duration;

use tokio::task;

use super::program::Program;
use super::program::socket;
use super::surroundings::Surroundings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_learns_that_web_is_ready_that_it_lives_and_that_it_ends() {
    let surroundings = Surroundings::new().await;
    let (socket, address) = socket();
    let client = surroundings.client(address);
    let variables = [("WATCHDOG_USEC", "200000"), ("WEB_UNREADY_SECONDS", "3")];
    let mut web = Program::start(&surroundings, "web", &socket, &variables);
    task::block_in_place(|| {
        web.tells("READY=1");
        web.tells("WATCHDOG=1");
        web.tells("WATCHDOG=1");
    });
    assert_eq!(client.get("/readyz").await.unwrap(), 200);
    web.terminate();
    task::block_in_place(|| web.tells("STOPPING=1"));
    // A load balancer learns that it should send nobody any more, and whom it sends is served.
    assert_eq!(client.get("/readyz").await.unwrap(), 503);
    assert_eq!(client.get("/healthz").await.unwrap(), 200);
    assert_eq!(client.get("/fhir/metadata").await.unwrap(), 200);
    assert!(web.is_running());
    assert!(task::block_in_place(|| web.ends()).success());
    // The socket still listens, for whoever serves it next.
    let waiting = client.get("/healthz");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), waiting)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_which_it_is_not_clear_what_it_is_for_is_not_served() {
    let surroundings = Surroundings::new().await;
    let (socket, _address) = socket();
    for (name, names) in [
        ("two", "https:http"),
        ("other", "web.socket"),
        ("twice", "https:https"),
    ] {
        let variables = [("LISTEN_FDNAMES", names)];
        let mut web = Program::start(&surroundings, name, &socket, &variables);
        let ended = task::block_in_place(|| web.ends());
        assert_eq!(ended.code(), Some(64), "{names}");
    }
}
