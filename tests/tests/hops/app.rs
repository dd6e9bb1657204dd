//! Web → app, from the client's side.

use dev_ca::Leaf;
use dev_ca::Usage;
use tests::RunningStack;

use super::connection::Chain;
use super::connection::chain;
use super::connection::chain_of;
use super::connection::client;
use super::connection::get;
use super::connection::get_plaintext;
use super::identities;
use super::identities::Authority;

fn port(running: &RunningStack) -> u16 {
    running
        .status
        .app
        .address
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

fn stored(running: &RunningStack, name: &str) -> Chain {
    let file = |suffix| {
        std::fs::read(running.status.certificates.join(format!("{name}.{suffix}"))).unwrap()
    };
    chain(&file("pem"), &file("key"))
}

async fn get_from_app(running: &RunningStack, show: Option<Chain>, path: &str) -> String {
    let authority = std::fs::read(running.status.certificates.join("internal/ca.pem")).unwrap();
    get(
        client(&authority, show),
        "app.internal",
        port(running),
        path,
    )
    .await
}

fn changed(change: impl FnOnce(&mut Leaf)) -> Leaf {
    let mut leaf = identities::web();
    change(&mut leaf);
    leaf
}

#[tokio::test]
async fn web_is_accepted() {
    let running = RunningStack::shared().unwrap();
    let own = get_from_app(&running, Some(stored(&running, "internal/web")), "/healthz").await;
    assert!(own.starts_with("HTTP/1.1 200"), "{own}");
    let renewed = Authority::internal(&running.status).issue(&identities::web());
    let response = get_from_app(&running, Some(chain_of(&renewed)), "/healthz").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn a_client_without_tls_or_without_a_certificate_gets_no_response() {
    let running = RunningStack::shared().unwrap();
    for path in ["/healthz", "/sign-in"] {
        let plain = get_plaintext(port(&running), path).await;
        assert!(!plain.contains("HTTP/"), "{plain}");
        assert_eq!(get_from_app(&running, None, path).await, "");
    }
}

#[tokio::test]
async fn a_client_certificate_with_any_wrong_property_gets_no_response() {
    let running = RunningStack::shared().unwrap();
    let internal = Authority::internal(&running.status);
    let other = Authority::other_internal();
    let wrong = [
        (
            "another CA of the same name",
            other.issue(&identities::web()),
        ),
        (
            "app's identity",
            internal.issue(&changed(|l| l.uris = vec![identities::spiffe("app")])),
        ),
        (
            "an identity with web's as its prefix",
            internal.issue(&changed(|l| l.uris = vec![identities::spiffe("web2")])),
        ),
        (
            "another trust domain",
            internal.issue(&changed(|l| {
                l.uris = vec!["spiffe://other.internal/web".to_owned()];
            })),
        ),
        (
            "only a common name",
            internal.issue(&changed(|l| l.uris.clear())),
        ),
        (
            "two identities",
            internal.issue(&changed(|l| l.uris.push(identities::spiffe("app")))),
        ),
        (
            "a server's usage",
            internal.issue(&changed(|l| l.usage = Usage::Server)),
        ),
        (
            "an expired validity",
            internal.issue(&changed(|l| l.validity = identities::expired())),
        ),
        (
            "a future validity",
            internal.issue(&changed(|l| l.validity = identities::not_yet_valid())),
        ),
    ];
    for (what, leaf) in wrong {
        let response = get_from_app(&running, Some(chain_of(&leaf)), "/healthz").await;
        assert_eq!(response, "", "{what}");
    }
}

#[tokio::test]
async fn the_stack_s_other_identities_get_no_response() {
    let running = RunningStack::shared().unwrap();
    for name in [
        "public/web",
        "internal/app",
        "internal/db",
        "internal/kms",
        "database/app",
        "database/migrate",
    ] {
        let response = get_from_app(&running, Some(stored(&running, name)), "/healthz").await;
        assert_eq!(response, "", "{name}");
    }
}
