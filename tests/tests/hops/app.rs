//! Web → app, from the side of who connects.

use dev_ca::Leaf;
use dev_ca::Usage;
use tests::Running;

use super::identities;
use super::identities::Authority;
use super::wire::Chain;
use super::wire::ask;
use super::wire::ask_in_the_clear;
use super::wire::chain;
use super::wire::chain_of;
use super::wire::client;

fn port(running: &Running) -> u16 {
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

fn stored(running: &Running, name: &str) -> Chain {
    let file = |suffix| {
        std::fs::read(running.status.certificates.join(format!("{name}.{suffix}"))).unwrap()
    };
    chain(&file("pem"), &file("key"))
}

async fn ask_app(running: &Running, show: Option<Chain>, path: &str) -> String {
    let authority = std::fs::read(running.status.certificates.join("internal/ca.pem")).unwrap();
    ask(
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
async fn web_is_let_in() {
    let running = Running::shared().unwrap();
    let own = ask_app(&running, Some(stored(&running, "internal/web")), "/healthz").await;
    assert!(own.starts_with("HTTP/1.1 200"), "{own}");
    let renewed = Authority::internal(&running.status).issue(&identities::web());
    let answer = ask_app(&running, Some(chain_of(&renewed)), "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn whoever_speaks_plainly_or_shows_no_certificate_gets_no_answer() {
    let running = Running::shared().unwrap();
    for path in ["/healthz", "/sign-in"] {
        let plain = ask_in_the_clear(port(&running), path).await;
        assert!(!plain.contains("HTTP/"), "{plain}");
        assert_eq!(ask_app(&running, None, path).await, "");
    }
}

#[tokio::test]
async fn a_certificate_that_is_wrong_in_any_one_respect_gets_no_answer() {
    let running = Running::shared().unwrap();
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
            "an identity that begins like web's",
            internal.issue(&changed(|l| l.uris = vec![identities::spiffe("web2")])),
        ),
        (
            "another trust domain",
            internal.issue(&changed(|l| {
                l.uris = vec!["spiffe://other.internal/web".to_owned()];
            })),
        ),
        (
            "no identity but the right common name",
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
            "a time that is over",
            internal.issue(&changed(|l| l.validity = identities::expired())),
        ),
        (
            "a time to come",
            internal.issue(&changed(|l| l.validity = identities::not_yet_valid())),
        ),
    ];
    for (what, leaf) in wrong {
        let answer = ask_app(&running, Some(chain_of(&leaf)), "/healthz").await;
        assert_eq!(answer, "", "{what}");
    }
}

#[tokio::test]
async fn the_stacks_other_identities_get_no_answer_either() {
    let running = Running::shared().unwrap();
    for name in [
        "public/web",
        "internal/app",
        "internal/db",
        "internal/kms",
        "database/app",
        "database/migrate",
    ] {
        let answer = ask_app(&running, Some(stored(&running, name)), "/healthz").await;
        assert_eq!(answer, "", "{name}");
    }
}
