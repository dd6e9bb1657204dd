//! Known-answer tests of NIST CAVP, Wycheproof and C2SP, through the functions that seal and open fields.

use shake::Shake128;
use shake::digest::ExtendableOutput;
use shake::digest::Update;
use shake::digest::XofReader;
use wycheproof::TestResult;
use wycheproof::aead::TestName;
use wycheproof::aead::TestSet;

use super::Suite;
use super::TAG;
use crate::secret::SecretKey;

struct Case<'a> {
    key: &'a [u8],
    nonce: &'a [u8],
    aad: &'a [u8],
}

impl Case<'_> {
    /// Ciphertext and tag.
    fn seal(&self, suite: Suite, plaintext: &[u8]) -> (Vec<u8>, [u8; TAG]) {
        let key = SecretKey::from_slice(self.key).unwrap();
        let mut text = plaintext.to_vec();
        let tag = suite
            .encrypt(&key, self.nonce, self.aad, &mut text)
            .unwrap();
        (text, tag)
    }

    /// The plaintext, opened from `nonce | ciphertext | tag` as a stored field is.
    fn open(&self, suite: Suite, ciphertext: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        let key = SecretKey::from_slice(self.key).unwrap();
        let sealed = [self.nonce, ciphertext, tag].concat();
        suite
            .open(&key, self.aad, &sealed)
            .ok()
            .map(|text| text.to_vec())
    }
}

#[test]
fn wycheproof_aes_256_gcm() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let groups = set
        .test_groups
        .iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    let mut count = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let case = Case {
            key: &test.key,
            nonce: &test.nonce,
            aad: &test.aad,
        };
        let opened = case.open(Suite::Gcm, &test.ct, &test.tag);
        match test.result {
            TestResult::Valid => {
                let (ciphertext, tag) = case.seal(Suite::Gcm, &test.pt);
                assert_eq!((&ciphertext[..], &tag[..]), (&test.ct[..], &test.tag[..]));
                assert_eq!(opened.as_deref(), Some(&test.pt[..]), "case {}", test.tc_id);
            }
            TestResult::Invalid | TestResult::Acceptable => {
                assert_eq!(opened, None, "case {}", test.tc_id);
            }
        }
        count += 1;
    }
    assert!(count > 60, "{count} cases");
}

#[test]
fn nist_cavp_encryption() {
    let cases = cavp(include_str!("vectors/gcmEncryptExtIV256.rsp"));
    assert_eq!(cases.len(), 375);
    for case in cases {
        let (key, nonce, aad) = (&case.bytes("Key"), &case.bytes("IV"), &case.bytes("AAD"));
        let (ciphertext, tag) = Case { key, nonce, aad }.seal(Suite::Gcm, &case.bytes("PT"));
        assert_eq!(
            (ciphertext, tag.to_vec()),
            (case.bytes("CT"), case.bytes("Tag"))
        );
    }
}

#[test]
fn nist_cavp_decryption() {
    let cases = cavp(include_str!("vectors/gcmDecrypt256.rsp"));
    assert_eq!(cases.len(), 375);
    for case in cases {
        let (key, nonce, aad) = (&case.bytes("Key"), &case.bytes("IV"), &case.bytes("AAD"));
        let opened =
            Case { key, nonce, aad }.open(Suite::Gcm, &case.bytes("CT"), &case.bytes("Tag"));
        let expected = (!case.fails).then(|| case.bytes("PT"));
        assert_eq!(opened, expected);
    }
}

/// The two vectors of the specification.
#[test]
fn c2sp_xaes_256_gcm() {
    let vectors: [(u8, &[u8], &str); 2] = [
        (
            1,
            b"",
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
        ),
        (
            3,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ];
    for (key, aad, expected) in vectors {
        let case = Case {
            key: &[key; 32],
            nonce: b"ABCDEFGHIJKLMNOPQRSTUVWX",
            aad,
        };
        let (ciphertext, tag) = case.seal(Suite::Xaes, b"XAES-256-GCM");
        assert_eq!(hex::encode([&ciphertext[..], &tag].concat()), expected);
        let opened = case.open(Suite::Xaes, &ciphertext, &tag);
        assert_eq!(opened.unwrap(), b"XAES-256-GCM");
    }
}

/// The specification's accumulated test: 10,000 messages from one SHAKE-128 stream, whose ciphertexts are hashed by
/// another.
#[test]
fn c2sp_xaes_256_gcm_accumulated() {
    let mut stream = Shake128::default().finalize_xof();
    let mut draw = |length: usize| {
        let mut bytes = vec![0; length];
        stream.read(&mut bytes);
        bytes
    };
    let mut hash = Shake128::default();
    for _ in 0..10_000 {
        let (key, nonce) = (draw(32), draw(24));
        let length = draw(1)[0].into();
        let plaintext = draw(length);
        let length = draw(1)[0].into();
        let aad = draw(length);
        let case = Case {
            key: &key,
            nonce: &nonce,
            aad: &aad,
        };
        let (ciphertext, tag) = case.seal(Suite::Xaes, &plaintext);
        assert_eq!(case.open(Suite::Xaes, &ciphertext, &tag), Some(plaintext));
        hash.update(&ciphertext);
        hash.update(&tag);
    }
    let mut sum = [0; 32];
    hash.finalize_xof().read(&mut sum);
    assert_eq!(
        hex::encode(sum),
        "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    );
}

/// One case of a CAVP response file.
struct Cavp<'a> {
    lines: Vec<(&'a str, &'a str)>,
    fails: bool,
}

impl Cavp<'_> {
    fn bytes(&self, name: &str) -> Vec<u8> {
        let (_, value) = self.lines.iter().find(|(key, _)| *key == name).unwrap();
        hex::decode(value).unwrap()
    }
}

fn cavp(file: &str) -> Vec<Cavp<'_>> {
    let blocks = file
        .split("\n\n")
        .filter(|block| block.trim_start().starts_with("Count"));
    blocks
        .map(|block| Cavp {
            lines: block
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.trim(), value.trim()))
                .collect(),
            fails: block.lines().any(|line| line.trim() == "FAIL"),
        })
        .collect()
}
