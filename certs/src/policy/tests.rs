//! Tests of the TLS policy.

use super::*;
use crate::testing::Certificates;
use crate::testing::spiffe;

#[test]
fn every_configuration_is_fips_exactly_in_a_fips_build() {
    let expected = cfg!(feature = "fips");
    assert_eq!(is_fips(), expected);
    let certificates = Certificates::issue();
    let files = certificates.identity("internal/app");
    let identity = Identity::load(&files.certificate, &files.key).unwrap();
    let anchors = certificates.anchors("internal/ca.pem");
    let tickets = rotating_tickets().unwrap();
    for versions in [Versions::Tls13, Versions::Tls12AndTls13] {
        let public = public_server(&identity, versions, Arc::clone(&tickets)).unwrap();
        assert_eq!(public.fips(), expected);
    }
    let server = mutual_server(&identity, &anchors, &spiffe("web")).unwrap();
    assert_eq!(server.fips(), expected);
    let client = mutual_client(&identity, &anchors, &spiffe("app")).unwrap();
    assert_eq!(client.fips(), expected);
    assert_eq!(https_client(&anchors).unwrap().fips(), expected);
}

#[test]
fn the_hybrid_group_is_preferred_and_only_approved_algorithms_remain_in_a_fips_build() {
    let provider = provider();
    let groups: Vec<_> = provider
        .kx_groups
        .iter()
        .map(|group| group.name())
        .collect();
    let suites: Vec<_> = provider
        .cipher_suites
        .iter()
        .map(rustls::SupportedCipherSuite::suite)
        .collect();
    assert_eq!(groups.first(), Some(&rustls::NamedGroup::X25519MLKEM768));
    assert!(groups.contains(&rustls::NamedGroup::secp256r1));
    assert!(suites.contains(&rustls::CipherSuite::TLS13_AES_128_GCM_SHA256));
    let other = !cfg!(feature = "fips");
    let chacha = rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    assert_eq!(suites.contains(&chacha), other);
    assert_eq!(groups.contains(&rustls::NamedGroup::X25519), other);
}
