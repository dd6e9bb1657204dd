//! Tests of client addresses, forged and genuine.

use proptest::prelude::*;

use super::*;

const TRUSTED_PROXIES: &str = "10.0.0.0/8, 2001:db8:aa::/48, 192.0.2.7";

fn client(from: &str, headers: &[(&str, &str)]) -> Client {
    let trusted_proxies = TRUSTED_PROXIES.parse().unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::try_from(*value).unwrap(),
        );
    }
    let from = SocketAddr::new(from.parse().unwrap(), 4000);
    Client::from_request(from, &map, &trusted_proxies)
}

fn address(from: &str, forwarded: &[&str]) -> String {
    let headers: Vec<_> = forwarded.iter().map(|v| ("x-forwarded-for", *v)).collect();
    client(from, &headers).address.to_string()
}

#[test]
fn headers_of_an_untrusted_peer_are_ignored() {
    for name in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-envoy-external-address",
        "x-forwarded",
        "forwarded-for",
        "x_forwarded_for",
        "x-amzn-trace-id",
        "via",
    ] {
        for value in ["6.6.6.6", "for=6.6.6.6", "10.0.0.1", "Root=1-2-3"] {
            let client = client("203.0.113.9", &[(name, value)]);
            assert_eq!(client.address.to_string(), "203.0.113.9", "{name}: {value}");
            assert_eq!(client.trace, None, "{name}: {value}");
        }
    }
}

#[test]
fn two_headers_of_a_trusted_proxy_are_read_and_no_others() {
    for name in ["forwarded", "x-real-ip", "x-client-ip", "x_forwarded_for"] {
        let client = client("10.1.2.3", &[(name, "6.6.6.6")]);
        assert_eq!(client.address.to_string(), "10.1.2.3", "{name}");
    }
    let trace = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678";
    let client = client(
        "10.1.2.3",
        &[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-amzn-trace-id", trace),
        ],
    );
    assert_eq!(client.address.to_string(), "203.0.113.9");
    assert_eq!(client.trace.unwrap(), trace);
}

#[test]
fn the_client_is_the_last_address_that_is_not_a_trusted_proxy() {
    for (forwarded, client) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (&["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (&["6.6.6.6, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        (&["203.0.113.9", "10.9.9.9 , 192.0.2.7"], "203.0.113.9"),
        (&["203.0.113.9:1234"], "203.0.113.9"),
        (&["[2001:db8:1::5]:1234"], "2001:db8:1::5"),
        (&["::ffff:203.0.113.9"], "203.0.113.9"),
        (&["::ffff:10.0.0.1"], "10.0.0.1"),
        (&["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        (&["203.0.113.9,"], "10.1.2.3"),
        (&["203.0.113.9, unknown"], "10.1.2.3"),
        (&["203.0.113.9, 10.0.0.1, 0x7f.1"], "10.1.2.3"),
        (&["203.0.113.9, garbage, 10.0.0.1"], "10.0.0.1"),
        (&[""], "10.1.2.3"),
        (&[], "10.1.2.3"),
    ] {
        assert_eq!(address("10.1.2.3", forwarded), client, "{forwarded:?}");
    }
    assert_eq!(address("::ffff:10.1.2.3", &["203.0.113.9"]), "203.0.113.9");
    assert_eq!(address("2001:db8:aa:1::1", &["203.0.113.9"]), "203.0.113.9");
}

#[test]
fn a_malformed_trace_id_is_dropped() {
    let long = "a".repeat(257);
    for traces in [
        &["a b"][..],
        &["Root=1", "Root=2"],
        &["a,b"],
        &[""],
        &[&long],
    ] {
        let headers: Vec<_> = traces.iter().map(|v| ("x-amzn-trace-id", *v)).collect();
        assert_eq!(client("10.1.2.3", &headers).trace, None, "{traces:?}");
    }
}

#[test]
fn trusted_proxies_are_networks_or_addresses_but_never_all_addresses() {
    let trusted_proxies: TrustedProxies = TRUSTED_PROXIES.parse().unwrap();
    for (address, contained) in [
        ("10.255.0.1", true),
        ("::ffff:10.255.0.1", true),
        ("11.0.0.1", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8:aa::1", true),
        ("2001:db8:ab::1", false),
    ] {
        assert_eq!(
            trusted_proxies.contains(address.parse().unwrap()),
            contained,
            "{address}"
        );
    }
    for bad in [
        "",
        "10.0.0.0/33",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.1,,10.0.0.2",
        "lb.internal",
    ] {
        assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn entries_to_the_left_of_the_client_address_are_ignored(
        forged in "[ -~]{0,60}",
        lines in proptest::collection::vec("[ -~]{0,40}", 0..4),
    ) {
        let last = format!("{forged}, 203.0.113.9");
        let mut forwarded: Vec<&str> = lines.iter().map(String::as_str).collect();
        forwarded.push(&last);
        prop_assert_eq!(address("10.1.2.3", &forwarded), "203.0.113.9");
        prop_assert_eq!(address("198.51.100.1", &forwarded), "198.51.100.1");
    }
}
