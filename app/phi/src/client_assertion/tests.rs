//! Assertions that are accepted and refused, with the example of SMART's implementation guide and the vectors of Wycheproof.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use time::macros::datetime;
use wycheproof::TestResult;

use super::jws::Algorithm;
use super::*;

const AUDIENCE: &str = "https://clinic.example/oauth/token";
const CLIENT: &str = "0b6f2f5e-3a52-4c0b-9d0e-7d6a3c1f9b10";
const NOW: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);

/// A key pair of a client, with the id `one`.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self, id: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let coordinate = |range| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
        json!({"kty": "EC", "crv": "P-384", "x": coordinate(1..49), "y": coordinate(49..97), "kid": id})
    }

    fn keys(&self) -> JwkSet {
        JwkSet::parse(&json!({"keys": [self.jwk("one")]}).to_string()).unwrap()
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn header() -> Value {
    json!({"alg": "ES384", "kid": "one", "typ": "JWT"})
}

fn claims() -> Value {
    let exp = NOW.unix_timestamp() + 300;
    json!({"iss": CLIENT, "sub": CLIENT, "aud": AUDIENCE, "exp": exp, "jti": "7"})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

fn check(signer: &Signer, token: &str) -> Result<VerifiedAssertion, AssertionError> {
    ClientAssertion::parse(token, AUDIENCE, NOW)?.verify(&signer.keys())
}

#[test]
fn an_assertion_with_the_claims_of_smart_is_accepted() {
    let signer = Signer::new();
    let accepted = check(&signer, &signer.token(&header(), &claims())).unwrap();
    assert_eq!(accepted.client().to_string(), CLIENT);
    assert_eq!(accepted.expires_at(), NOW + MAX_LIFETIME + MAX_SKEW * 2);
    let same = check(&signer, &signer.token(&header(), &claims())).unwrap();
    assert_eq!(same.digest(), accepted.digest());
    let other = with(claims(), "jti", json!("8"));
    let other = check(&signer, &signer.token(&header(), &other)).unwrap();
    assert_ne!(other.digest(), accepted.digest());
    let now = NOW.unix_timestamp();
    for claims in [
        with(claims(), "aud", json!([AUDIENCE])),
        with(claims(), "exp", json!(now - 29)),
        with(claims(), "exp", json!(now + 330)),
        with(claims(), "iat", json!(now + 30)),
        with(claims(), "nbf", json!(now + 30)),
        with(claims(), "scope", json!("anything")),
    ] {
        let token = signer.token(&header(), &claims);
        assert!(check(&signer, &token).is_ok(), "{claims}");
    }
    let token = signer.token(&without(header(), "typ"), &claims());
    assert!(check(&signer, &token).is_ok());
}

#[test]
fn a_wrong_claim_is_refused() {
    let signer = Signer::new();
    let now = NOW.unix_timestamp();
    let other = "1b6f2f5e-3a52-4c0b-9d0e-7d6a3c1f9b10";
    let changes = [
        ("iss", json!(other), AssertionError::Client),
        ("sub", json!(other), AssertionError::Client),
        (
            "aud",
            json!("https://clinic.example/oauth/token/"),
            AssertionError::Audience,
        ),
        (
            "aud",
            json!("https://clinic.example"),
            AssertionError::Audience,
        ),
        (
            "aud",
            json!([AUDIENCE, "https://other.example"]),
            AssertionError::Claims,
        ),
        ("aud", json!([]), AssertionError::Claims),
        ("exp", json!(now - 30), AssertionError::Time),
        ("exp", json!(now + 331), AssertionError::Time),
        ("exp", json!((now + 60).to_string()), AssertionError::Claims),
        ("exp", json!(9_000_000_000_000_i64), AssertionError::Claims),
        ("iat", json!(now + 31), AssertionError::Time),
        ("nbf", json!(now + 31), AssertionError::Time),
        ("jti", json!(""), AssertionError::Claims),
        ("jti", json!("x".repeat(257)), AssertionError::Claims),
        ("jti", json!(7), AssertionError::Claims),
    ];
    for (name, value, expected) in changes {
        let token = signer.token(&header(), &with(claims(), name, value.clone()));
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            expected,
            "{name} {value}"
        );
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let token = signer.token(&header(), &without(claims(), name));
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            AssertionError::Claims,
            "{name}"
        );
    }
    // One spelling of an id only: others would be further identities of one assertion.
    let upper = CLIENT.to_uppercase();
    let claims = with(with(claims(), "iss", json!(upper)), "sub", json!(upper));
    let token = signer.token(&header(), &claims);
    assert_eq!(check(&signer, &token).unwrap_err(), AssertionError::Client);
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let signer = Signer::new();
    let twice = claims()
        .to_string()
        .replacen("{\"iss\"", "{\"jti\":\"8\",\"iss\"", 1);
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let token = format!(
        "{}.{}.{}",
        part(&header().to_string()),
        part(&twice),
        part("x")
    );
    assert_eq!(check(&signer, &token).unwrap_err(), AssertionError::Claims);
}

#[test]
fn a_token_chooses_no_other_algorithm_and_no_key_of_its_own() {
    let signer = Signer::new();
    let jwk = signer.jwk("one");
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("HS384")),
        ("alg", json!("ES256")),
        ("alg", json!("RS256")),
        ("alg", json!("es384")),
        ("typ", json!("at+jwt")),
        ("crit", json!(["exp"])),
        ("jku", json!("https://client.example/jwks.json")),
        ("kid", json!(1)),
    ] {
        let token = signer.token(&with(header(), name, value.clone()), &claims());
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            AssertionError::Header,
            "{name} {value}"
        );
    }
    for name in ["alg", "kid"] {
        let token = signer.token(&without(header(), name), &claims());
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            AssertionError::Header,
            "{name}"
        );
    }
    // A key in the header is ignored.
    let stranger = Signer::new();
    let with_key = with(header(), "jwk", stranger.jwk("one"));
    for (header, by) in [
        (with_key, &stranger),
        (header(), &stranger),
        (with(header(), "kid", json!("two")), &signer),
        (with(header(), "alg", json!("RS384")), &signer),
    ] {
        let token = by.token(&header, &claims());
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            AssertionError::Signature,
            "{header}"
        );
    }
    let own_key = with(header(), "jwk", jwk);
    assert!(check(&signer, &signer.token(&own_key, &claims())).is_ok());
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let signer = Signer::new();
    let token = signer.token(&header(), &claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    for malformed in [
        String::new(),
        "a".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{token}."),
        format!("{token}="),
        format!(" {token}"),
        format!("{message}.{signature}.{signature}"),
        token.replace('.', ".."),
    ] {
        assert!(check(&signer, &malformed).is_err(), "{malformed}");
    }
    for signature in ["", "AAAA", &signature[..signature.len() - 4]] {
        let token = format!("{message}.{signature}");
        assert_eq!(
            check(&signer, &token).unwrap_err(),
            AssertionError::Signature
        );
    }
    let long = with(claims(), "x", json!("x".repeat(MAX_ASSERTION_BYTES)));
    let long = signer.token(&header(), &long);
    assert_eq!(check(&signer, &long).unwrap_err(), AssertionError::TooLong);
}

#[test]
fn each_flipped_bit_is_refused() {
    let signer = Signer::new();
    let token = signer.token(&header(), &claims());
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(check(&signer, &changed).is_err(), "{index}");
    }
}

#[test]
fn an_empty_set_of_keys_verifies_nothing() {
    let signer = Signer::new();
    let token = signer.token(&header(), &claims());
    let assertion = ClientAssertion::parse(&token, AUDIENCE, NOW).unwrap();
    let refused = assertion.verify(&JwkSet::default()).unwrap_err();
    assert_eq!(refused, AssertionError::Signature);
}

#[test]
fn the_example_of_smart_is_verified_by_its_key() {
    // SMART App Launch 2.2, "Client Authentication: Asymmetric", worked example.
    let example = include_str!("example.jwt").trim_end();
    let example = Jws::parse(example).unwrap();
    assert_eq!(example.key_id, "eee9f17a3b598fd86417a980b591fbe6");
    assert_eq!(example.algorithm, Algorithm::Rs384);
    let claims: Value = serde_json::from_slice(&example.payload).unwrap();
    assert_eq!(claims["jti"], "random-non-reusable-jwt-id-123");
    let key = jwk::Jwk::decoy(Algorithm::Rs384).unwrap();
    assert!(key.verifies(example.signed, &example.signature));
    assert!(!key.verifies(b"other", &example.signature));
}

fn key(jwk: &Value) -> Option<JwkSet> {
    JwkSet::parse(&json!({"keys": [jwk]}).to_string()).ok()
}

/// Whether the only key of a set verifies a signature.
fn verifies(keys: &JwkSet, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    keys.key("one", algorithm)
        .unwrap()
        .verifies(message, signature)
}

#[test]
fn the_vectors_of_wycheproof_for_es384_are_decided_as_expected() {
    let name = wycheproof::ecdsa::TestName::EcdsaSecp384r1Sha384P1363;
    let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let point = group.key.key;
        let coordinate = |range| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
        let jwk = json!({
            "kty": "EC", "crv": "P-384", "kid": "one", "x": coordinate(1..49), "y": coordinate(49..97)
        });
        let key = key(&jwk).unwrap();
        for test in group.tests {
            let is_valid = verifies(&key, Algorithm::Es384, &test.msg, &test.sig);
            assert_eq!(is_valid, test.result == TestResult::Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn the_vectors_of_wycheproof_for_rs384_are_decided_as_expected() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    for name in [
        TestName::Rsa2048Sha384,
        TestName::Rsa3072Sha384,
        TestName::Rsa4096Sha384,
    ] {
        let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let n = group.key.n.iter().skip_while(|byte| **byte == 0);
            let n = BASE64_URL_SAFE_NO_PAD.encode(n.copied().collect::<Vec<_>>());
            let key = key(&json!({"kty": "RSA", "kid": "one", "n": n, "e": "AQAB"})).unwrap();
            for test in group.tests {
                let is_valid = verifies(&key, Algorithm::Rs384, &test.msg, &test.sig);
                // Acceptable are signatures without a NULL in their parameters, which this library refuses.
                assert_eq!(is_valid, test.result == TestResult::Valid, "{}", test.tc_id);
            }
        }
    }
}

#[test]
fn a_key_set_is_stored_without_what_clients_add() {
    let added =
        json!({"alg": "ES384", "use": "sig", "key_ops": ["verify"], "ext": true, "x5t": "secret"});
    let mut sent = Signer::new().jwk("one");
    for (name, value) in added.as_object().unwrap() {
        sent[name] = value.clone();
    }
    let stored = key(&sent).unwrap().to_json();
    assert!(
        !stored.contains("secret") && !stored.contains("ext"),
        "{stored}"
    );
    let again = JwkSet::parse(&stored).unwrap();
    assert_eq!(again.to_json(), stored);
    assert!(again.keys().eq([("one", Algorithm::Es384)]));
}

#[test]
fn a_key_that_is_none_of_a_client_is_refused() {
    let signer = Signer::new();
    let ec = signer.jwk("one");
    let rsa = |bytes: usize| {
        let n = BASE64_URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        json!({"kty": "RSA", "kid": "one", "n": n, "e": "AQAB"})
    };
    assert!(key(&rsa(256)).is_some() && key(&rsa(512)).is_some());
    let x = ec["x"].clone();
    for (jwk, expected) in [
        (with(ec.clone(), "d", json!("AAAA")), JwkSetError::Private),
        (with(rsa(256), "p", json!("AAAA")), JwkSetError::Private),
        (
            json!({"kty": "oct", "kid": "one", "k": "AAAA"}),
            JwkSetError::Private,
        ),
        (
            json!({"kty": "OKP", "kid": "one", "crv": "Ed25519", "x": x}),
            JwkSetError::Key,
        ),
        (with(ec.clone(), "crv", json!("P-256")), JwkSetError::Key),
        (with(ec.clone(), "y", x), JwkSetError::Key),
        (with(ec.clone(), "x", json!("AAAA")), JwkSetError::Key),
        (with(ec.clone(), "alg", json!("ES256")), JwkSetError::Key),
        (with(ec.clone(), "use", json!("enc")), JwkSetError::Key),
        (
            with(ec.clone(), "key_ops", json!(["sign"])),
            JwkSetError::Key,
        ),
        (rsa(255), JwkSetError::Key),
        (rsa(513), JwkSetError::Key),
        (with(rsa(256), "e", json!("Aw")), JwkSetError::Key),
        (with(rsa(256), "alg", json!("ES384")), JwkSetError::Key),
        (without(ec.clone(), "kid"), JwkSetError::KeyId),
        (with(ec.clone(), "kid", json!("")), JwkSetError::KeyId),
        (with(ec.clone(), "kid", json!("a b")), JwkSetError::KeyId),
        (
            with(ec.clone(), "kid", json!("x".repeat(129))),
            JwkSetError::KeyId,
        ),
    ] {
        let refused = JwkSet::parse(&json!({"keys": [jwk]}).to_string());
        assert_eq!(refused.unwrap_err(), expected, "{jwk}");
    }
    let twice = json!({"keys": [ec, ec]}).to_string();
    assert_eq!(JwkSet::parse(&twice).unwrap_err(), JwkSetError::KeyId);
    let many: Vec<_> = (0..6).map(|id| signer.jwk(&id.to_string())).collect();
    for keys in [Vec::new(), many] {
        let refused = JwkSet::parse(&json!({ "keys": keys }).to_string());
        assert_eq!(refused.unwrap_err(), JwkSetError::Count);
    }
    for text in ["", "{}", "[]", &ec.to_string()] {
        assert_eq!(
            JwkSet::parse(text).unwrap_err(),
            JwkSetError::Form,
            "{text}"
        );
    }
}
