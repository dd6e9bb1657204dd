use tokio::task;

use super::program::Program;
use super::program::socket;
use super::surroundings::FAST;
use super::surroundings::Surroundings;

/// From 203.0.113.9:4000 to 10.0.0.1:443, in version 2.
const HEADER: [u8; 28] =
    *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xCB\0\x71\x09\x0A\0\0\x01\x0F\xA0\x01\xBB";
/// The load balancer's own look.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_network_load_balancer_the_proxy_header_says_who_the_client_is() {
    let surroundings = Surroundings::new().await;
    let (socket, address) = socket();
    let client = surroundings.client(address);
    let variables = [
        ("WEB_BALANCERS", "127.0.0.0/8"),
        ("WEB_PROXY_PROTOCOL", "true"),
    ];
    let web = Program::start(&surroundings, "web", &socket, &variables);
    task::block_in_place(|| web.tells("READY=1"));
    for (opening, said) in [(&HEADER[..], "203.0.113.9"), (LOCAL, "127.0.0.1")] {
        let answer = client.that_opens_with(opening).ask(FAST).await.unwrap();
        let body = format!("{{\"client\":\"{said}\"}}");
        assert!(answer.ends_with(&body), "{answer}");
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
        let refused = client.that_opens_with(opening).ask(FAST).await;
        assert!(refused.is_err(), "{opening:?}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_load_balancer_nobody_gets_in() {
    let surroundings = Surroundings::new().await;
    let (socket, address) = socket();
    let client = surroundings.client(address);
    let variables = [
        ("WEB_BALANCERS", "10.0.0.0/8"),
        ("WEB_PROXY_PROTOCOL", "true"),
    ];
    let web = Program::start(&surroundings, "web", &socket, &variables);
    task::block_in_place(|| web.tells("READY=1"));
    for opening in [&HEADER[..], LOCAL, b""] {
        assert!(client.that_opens_with(opening).ask(FAST).await.is_err());
    }
}
