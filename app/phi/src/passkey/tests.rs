//! Ceremonies with an authenticator in software, and what is wrong in each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use https_client::Authenticator;
use https_client::PasskeyAlgorithm;
use https_client::USER_VERIFIED_FLAGS;
use serde_json::Value;
use serde_json::json;

use super::*;

const ORIGIN: &str = "https://clinic.example:8443";
const CHALLENGE: &str = "Y2hhbGxlbmdl";

fn server() -> RelyingParty {
    RelyingParty::new(ORIGIN, "Clinic")
}

fn user() -> UserEntity<'static> {
    UserEntity {
        handle: &[7; 32],
        name: "ada@clinic.example",
        display_name: "Ada Lovelace",
    }
}

fn options(passkeys: &[Passkey]) -> CeremonyOptions<'_> {
    CeremonyOptions {
        challenge: CHALLENGE,
        timeout_milliseconds: 300_000,
        passkeys,
    }
}

fn creation_options(passkeys: &[Passkey]) -> Value {
    let options = server().creation_options(user(), options(passkeys));
    serde_json::to_value(options).unwrap()
}

fn request_options(passkeys: &[Passkey]) -> Value {
    serde_json::to_value(server().request_options(options(passkeys))).unwrap()
}

fn created(algorithm: PasskeyAlgorithm) -> (Authenticator, RegistrationResponse) {
    let options = creation_options(&[]);
    let (authenticator, response) = Authenticator::create(algorithm, ORIGIN, &options).unwrap();
    (
        authenticator,
        RegistrationResponse::parse(&response).unwrap(),
    )
}

fn registered() -> (Authenticator, Passkey) {
    let (authenticator, response) = created(PasskeyAlgorithm::Es256);
    let registration = server().register(CHALLENGE, &response).unwrap();
    (authenticator, registration.passkey)
}

fn assertion(authenticator: &mut Authenticator) -> AssertionResponse {
    let response = authenticator.assertion(ORIGIN, &request_options(&[]));
    AssertionResponse::parse(&response.unwrap()).unwrap()
}

fn sha256(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

/// Authenticator data of this server with these flags and what follows the counter.
fn data(flags: u8, rest: &[u8]) -> Vec<u8> {
    [&sha256("clinic.example")[..], &[flags], &[0, 0, 0, 1], rest].concat()
}

#[test]
fn a_passkey_of_each_algorithm_signs_in_and_reads_back_from_its_bytes() {
    for algorithm in [
        PasskeyAlgorithm::Es256,
        PasskeyAlgorithm::EdDsa,
        PasskeyAlgorithm::Rs256,
    ] {
        let (mut authenticator, response) = created(algorithm);
        assert_eq!(response.challenge().unwrap(), CHALLENGE);
        let registration = server().register(CHALLENGE, &response).unwrap();
        let passkey = Passkey::from_bytes(&registration.passkey.to_bytes()).unwrap();
        let response = assertion(&mut authenticator);
        assert_eq!(response.user_handle(), Some(user().handle));
        assert_eq!(response.credential_id(), passkey.credential_id());
        server()
            .verify(CHALLENGE, &passkey, registration.sign_count, &response)
            .unwrap();
    }
}

#[test]
fn the_options_require_user_verification_and_name_what_the_account_has() {
    let (_, passkey) = registered();
    let id = URL_SAFE_NO_PAD.encode(passkey.credential_id());
    let credentials = json!([{"type": "public-key", "id": id}]);
    let creation = creation_options(std::slice::from_ref(&passkey));
    assert_eq!(
        creation["rp"],
        json!({"id": "clinic.example", "name": "Clinic"})
    );
    assert_eq!(creation["user"]["id"], URL_SAFE_NO_PAD.encode([7; 32]));
    assert_eq!(creation["excludeCredentials"], credentials);
    assert_eq!(creation["attestation"], "none");
    let selection = &creation["authenticatorSelection"];
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(selection["residentKey"], "required");
    let request = request_options(&[passkey]);
    assert_eq!(request["rpId"], "clinic.example");
    assert_eq!(request["userVerification"], "required");
    assert_eq!(request["allowCredentials"], credentials);
}

#[test]
fn a_response_to_another_challenge_or_of_another_origin_or_ceremony_is_refused() {
    let (mut authenticator, passkey) = registered();
    let response = assertion(&mut authenticator);
    let verify = |challenge, response: &AssertionResponse| {
        let verified = server().verify(challenge, &passkey, 0, response);
        verified.map(|_| ()).unwrap_err()
    };
    assert_eq!(verify("b3RoZXI", &response), PasskeyError::Challenge);
    for origin in [
        "https://clinic.example",
        "https://clinic.example:8444",
        "http://clinic.example:8443",
        "https://clinic.example:8443.evil.example",
        "null",
        "",
    ] {
        let response = authenticator.assertion(origin, &request_options(&[]));
        let response = AssertionResponse::parse(&response.unwrap()).unwrap();
        assert_eq!(
            verify(CHALLENGE, &response),
            PasskeyError::Origin,
            "{origin}"
        );
    }
    // A signature of a registration is none of a sign-in, nor the other way round.
    let created = authenticator.attestation(ORIGIN, &creation_options(&[]));
    let created = RegistrationResponse::parse(&created.unwrap()).unwrap();
    let swapped = AssertionResponse {
        client_data: created.client_data.clone(),
        ..assertion(&mut authenticator)
    };
    assert_eq!(verify(CHALLENGE, &swapped), PasskeyError::Ceremony);
    let swapped = RegistrationResponse {
        client_data: response.client_data.clone(),
        ..created
    };
    let registered = server().register(CHALLENGE, &swapped);
    assert_eq!(registered.unwrap_err(), PasskeyError::Ceremony);
}

#[test]
fn client_data_is_that_of_a_page_that_is_in_no_frame() {
    let client_data = |more: &str| {
        let json = format!(
            r#"{{"type":"webauthn.get","challenge":"{CHALLENGE}","origin":"{ORIGIN}"{more}}}"#
        );
        server().check_client_data(Ceremony::Get, CHALLENGE, json.as_bytes())
    };
    client_data("").unwrap();
    client_data(r#","crossOrigin":false,"later":{"a":[1]}"#).unwrap();
    for (more, error) in [
        (r#","crossOrigin":true"#, PasskeyError::Origin),
        (
            r#","topOrigin":"https://evil.example""#,
            PasskeyError::Origin,
        ),
        (
            r#","origin":"https://evil.example""#,
            PasskeyError::Malformed,
        ),
        (r#","crossOrigin":1"#, PasskeyError::Malformed),
        (r"}{", PasskeyError::Malformed),
    ] {
        assert_eq!(client_data(more).unwrap_err(), error, "{more}");
    }
}

#[test]
fn another_relying_party_and_a_person_that_was_not_verified_are_refused() {
    for (server, flags, error) in [
        (
            "other.example",
            USER_VERIFIED_FLAGS,
            PasskeyError::RelyingParty,
        ),
        ("clinic.example", 0b001, PasskeyError::UserVerification),
        ("clinic.example", 0b100, PasskeyError::UserVerification),
        ("clinic.example", 0, PasskeyError::UserVerification),
    ] {
        let mut options = creation_options(&[]);
        options["rp"]["id"] = server.into();
        let created = Authenticator::create(PasskeyAlgorithm::Es256, ORIGIN, &options);
        let mut authenticator = created.unwrap().0;
        authenticator.flags = flags;
        let response = authenticator.attestation(ORIGIN, &options).unwrap();
        let response = RegistrationResponse::parse(&response).unwrap();
        let registered = self::server().register(CHALLENGE, &response);
        assert_eq!(registered.unwrap_err(), error, "{server} {flags}");
    }
    let (mut authenticator, passkey) = registered();
    authenticator.flags = 0b001;
    let response = assertion(&mut authenticator);
    let verified = server().verify(CHALLENGE, &passkey, 0, &response);
    assert_eq!(verified.unwrap_err(), PasskeyError::UserVerification);
}

#[test]
fn the_signature_covers_the_data_the_client_data_and_no_other_key() {
    let (mut authenticator, passkey) = registered();
    let verify = |response: &AssertionResponse| {
        let verified = server().verify(CHALLENGE, &passkey, 0, response);
        verified.map(|_| ()).unwrap_err()
    };
    let good = assertion(&mut authenticator);
    server().verify(CHALLENGE, &passkey, 0, &good).unwrap();
    let mut tampered = assertion(&mut authenticator);
    tampered.authenticator_data[36] ^= 1;
    assert_eq!(verify(&tampered), PasskeyError::Signature);
    let mut tampered = assertion(&mut authenticator);
    tampered.client_data.push(b' ');
    assert_eq!(verify(&tampered), PasskeyError::Signature);
    let mut tampered = assertion(&mut authenticator);
    tampered.signature.truncate(10);
    assert_eq!(verify(&tampered), PasskeyError::Signature);
    let (mut other, _) = registered();
    assert_eq!(verify(&assertion(&mut other)), PasskeyError::Credential);
    let forged = AssertionResponse {
        credential_id: passkey.credential_id().to_vec(),
        ..assertion(&mut other)
    };
    assert_eq!(verify(&forged), PasskeyError::Signature);
    // What was not to be copied is a copy now.
    authenticator.flags = USER_VERIFIED_FLAGS | 0b1000;
    assert_eq!(
        verify(&assertion(&mut authenticator)),
        PasskeyError::Credential
    );
}

#[test]
fn a_counter_that_does_not_increase_is_that_of_a_copy() {
    let (mut authenticator, passkey) = registered();
    let verify = |count, last, authenticator: &mut Authenticator| {
        authenticator.sign_count = count;
        let response = assertion(authenticator);
        server().verify(CHALLENGE, &passkey, last, &response)
    };
    assert_eq!(verify(None, 0, &mut authenticator), Ok(0));
    assert_eq!(verify(Some(41), 0, &mut authenticator), Ok(42));
    for count in [Some(41), Some(40), Some(0), None] {
        let verified = verify(count, 42, &mut authenticator);
        assert_eq!(verified, Err(PasskeyError::Counter), "{count:?}");
    }
    assert_eq!(verify(Some(42), 42, &mut authenticator), Ok(43));
}

#[test]
fn malformed_authenticator_data_is_refused() {
    let parse = |bytes: &[u8]| AuthenticatorData::parse(bytes).map(|_| ());
    parse(&data(USER_VERIFIED_FLAGS, &[])).unwrap();
    // Extensions: a map.
    parse(&data(USER_VERIFIED_FLAGS | 0x80, &[0xA0])).unwrap();
    let credential = [&[0; 16][..], &[0, 1], &[9], &[0xA0]].concat();
    parse(&data(USER_VERIFIED_FLAGS | 0x40, &credential)).unwrap();
    parse(&data(USER_VERIFIED_FLAGS | 0x08 | 0x10, &[])).unwrap();
    let empty_id = [&[0; 16][..], &[0, 0], &[0xA0]].concat();
    let long_id = [&[0; 16][..], &[4, 0], &[9; 1024], &[0xA0]].concat();
    for (flags, rest) in [
        (USER_VERIFIED_FLAGS, &[0xA0][..]),
        (USER_VERIFIED_FLAGS | 0x40, &[]),
        (USER_VERIFIED_FLAGS | 0x80, &[]),
        (USER_VERIFIED_FLAGS | 0x80, &[0xA0, 0xA0]),
        (USER_VERIFIED_FLAGS | 0x80, &[0xBF, 0x61]),
        (USER_VERIFIED_FLAGS | 0x40, &empty_id),
        (USER_VERIFIED_FLAGS | 0x40, &long_id),
        // Backed up, and not eligible for it.
        (USER_VERIFIED_FLAGS | 0x10, &[]),
    ] {
        let error = parse(&data(flags, rest)).unwrap_err();
        assert_eq!(error, PasskeyError::Malformed, "{flags:#x} {rest:?}");
    }
    let whole = data(USER_VERIFIED_FLAGS | 0x40, &credential);
    for length in 0..whole.len() {
        assert!(parse(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn keys_of_other_algorithms_and_off_the_curve_are_refused() {
    let (_, passkey) = registered();
    let good = passkey.public_key.as_cose().to_vec();
    let changed = |at: usize, byte| {
        let mut cose = good.clone();
        cose[at] = byte;
        cose
    };
    assert!(PublicKey::parse(&good).is_ok());
    let mut point = good.clone();
    point[20] ^= 1;
    let twice = [&[0xA6][..], &good[1..], &[0x01, 0x02]].concat();
    let followed = [&good[..], &[0]].concat();
    for (what, cose) in [
        ("ES384", changed(4, 0x38)),
        ("the curve P-384", changed(6, 0x02)),
        ("an OKP key", changed(2, 0x01)),
        ("no point of the curve", point),
        ("a label twice", twice),
        ("bytes after the key", followed),
        ("an empty map", vec![0xA0]),
        ("an array", vec![0x80]),
        ("nothing", Vec::new()),
        // RS256 with a modulus of eight bits.
        (
            "a short modulus",
            vec![
                0xA4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x41, 0xFF, 0x21, 0x41, 0x03,
            ],
        ),
    ] {
        let parsed = PublicKey::parse(&cose).map(|_| ());
        assert_eq!(parsed.unwrap_err(), PasskeyError::PublicKey, "{what}");
    }
}

#[test]
fn a_malformed_response_is_refused() {
    let (mut authenticator, response) = created(PasskeyAlgorithm::Es256);
    for object in [
        &[][..],
        &[0xA0],
        &[0x80],
        // `authData` twice, and as text.
        b"\xA2\x68authData\x41\x00\x68authData\x41\x00",
        b"\xA1\x68authData\x61a",
        b"\xA1\x68authData\x41\x00\x00",
    ] {
        let response = RegistrationResponse {
            attestation_object: object.to_vec(),
            client_data: response.client_data.clone(),
            credential_id: response.credential_id.clone(),
        };
        let registered = server().register(CHALLENGE, &response);
        assert_eq!(
            registered.unwrap_err(),
            PasskeyError::Malformed,
            "{object:?}"
        );
    }
    let other_id = RegistrationResponse {
        credential_id: vec![1],
        ..response
    };
    let registered = server().register(CHALLENGE, &other_id);
    assert_eq!(registered.unwrap_err(), PasskeyError::Credential);
    let json = authenticator.assertion(ORIGIN, &request_options(&[]));
    let json: Value = serde_json::from_str(&json.unwrap()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut changed = json.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        AssertionResponse::parse(&changed.to_string()).map(|_| ())
    };
    for (pointer, value) in [
        ("/rawId", json!("not base64url!")),
        ("/rawId", json!(7)),
        ("/response/signature", json!(null)),
        ("/response", json!({})),
        ("", json!([])),
        ("/type", json!("x".repeat(17 << 10))),
    ] {
        let error = with(pointer, value).unwrap_err();
        assert_eq!(error, PasskeyError::Malformed, "{pointer}");
    }
    // A security key that keeps no user handle sends none.
    with("/response/userHandle", json!(null)).unwrap();
}

#[test]
fn bytes_of_another_format_are_no_passkey() {
    let bytes = registered().1.to_bytes();
    assert!(Passkey::from_bytes(&bytes).is_some());
    for length in 0..bytes.len() {
        assert!(Passkey::from_bytes(&bytes[..length]).is_none(), "{length}");
    }
    let mut later = bytes;
    later[0] = 2;
    assert!(Passkey::from_bytes(&later).is_none());
}
