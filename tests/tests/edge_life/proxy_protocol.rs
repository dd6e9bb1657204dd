//! The PROXY protocol of a network load balancer, and clients that bypass it.

use tokio::task;

use super::environment::Environment;
use super::environment::FAST_PATH;
use super::program::Program;
use super::program::socket;

/// A PROXY protocol header, version 2: from 203.0.113.9:4000 to 10.0.0.1:443.
const HEADER: [u8; 28] =
    *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB";
/// The header of the load balancer's own health check.
const LOCAL_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_network_load_balancer_the_proxy_header_has_the_client_s_address() {
    let environment = Environment::new().await;
    let (socket, address) = socket();
    let client = environment.client(address);
    let variables = [
        ("WEB_BALANCERS", "127.0.0.0/8"),
        ("WEB_PROXY_PROTOCOL", "true"),
    ];
    let web = Program::start(&environment, "web", &socket, &variables);
    task::block_in_place(|| web.await_notification("READY=1"));
    for (opening, address) in [(&HEADER[..], "203.0.113.9"), (LOCAL_HEADER, "127.0.0.1")] {
        let response = client
            .opening_with(opening)
            .get_text(FAST_PATH)
            .await
            .unwrap();
        let body = format!("{{\"client\":\"{address}\"}}");
        assert!(response.ends_with(&body), "{response}");
    }
    let mut other_version = HEADER;
    other_version[12] = 0x31;
    let mut udp = HEADER;
    udp[13] = 0x12;
    for opening in [
        &b""[..],
        b"PROXY TCP4 203.0.113.9 10.0.0.1 4000 443\r\n",
        &other_version,
        &udp,
        &HEADER[..27],
    ] {
        let refused = client.opening_with(opening).get_text(FAST_PATH).await;
        assert!(refused.is_err(), "{opening:?}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_bypasses_the_load_balancer_is_refused() {
    let environment = Environment::new().await;
    let (socket, address) = socket();
    let client = environment.client(address);
    let variables = [
        ("WEB_BALANCERS", "10.0.0.0/8"),
        ("WEB_PROXY_PROTOCOL", "true"),
    ];
    let web = Program::start(&environment, "web", &socket, &variables);
    task::block_in_place(|| web.await_notification("READY=1"));
    for opening in [&HEADER[..], LOCAL_HEADER, b""] {
        assert!(
            client
                .opening_with(opening)
                .get_text(FAST_PATH)
                .await
                .is_err()
        );
    }
}
