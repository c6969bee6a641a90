// SPDX-License-Identifier: MIT

//! Keys and signatures [4.5], and what is hashed and signed [14.2].

use crate::frame::{encode_fields, hex, unhex, Content, Frame, Pair};
use crate::program::{check, exit};
use crate::registry::field;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair, UnparsedPublicKey, ED25519};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// The y of the low-order points. With either sign bit they are ten of the 14 encodings; the other four are
/// p and p + 1, which KEY-03 refuses.
const LOW_ORDER: [&str; 5] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];
const FIELD_PRIME: &str = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
const GROUP_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// Compares two numbers of 32 octets, the least first.
fn is_below(number: &[u8], bound: &str) -> bool {
    let bound = unhex(bound).expect("hexadecimal");
    number.iter().rev().lt(bound.iter().rev())
}

/// Judges a key A, or the R of a signature, by KEY-01 to KEY-03.
pub fn key_is_good(point: &[u8]) -> bool {
    let mut y = point.to_vec();
    if let Some(last) = y.last_mut() {
        *last &= 0x7F;
    }
    y.len() == 32 && !LOW_ORDER.contains(&hex(&y).as_str()) && is_below(&y, FIELD_PRIME)
}

/// Adds KEY-04; the library computes the cofactorless equation (KEY-05).
pub fn verify(key: &[u8], signature: &[u8], parts: &[&[u8]]) -> bool {
    signature.len() == 64
        && key_is_good(key)
        && key_is_good(&signature[..32])
        && is_below(&signature[32..], GROUP_ORDER)
        && UnparsedPublicKey::new(&ED25519, key).verify(&parts.concat(), signature).is_ok()
}

/// The vector key-mixed-order: no program runs on a library that accepts it (KEY-07).
pub fn check_library() {
    let [key, signature] = [
        "1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da",
        "077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57\
         8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407",
    ]
    .map(|digits| unhex(digits).expect("hexadecimal"));
    if verify(&key, &signature, &[b"cofactored or cofactorless?"]) {
        exit(1, "this Ed25519 library is unsuitable: it computes the cofactored equation");
    }
}

/// A pair of keys.
pub struct Keys {
    pub public: Vec<u8>,
    pair: Ed25519KeyPair,
}

impl Keys {
    pub fn from_seed(seed: &[u8]) -> Option<Keys> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Keys { public: pair.public_key().as_ref().to_vec(), pair })
    }
    /// Reads the file of the private key, or makes it at the first start (ID-01).
    pub fn load(path: &str) -> Keys {
        if !std::path::Path::new(path).exists() {
            let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            check(check(file).write_all(hex(&random(32)).as_bytes()));
        }
        let seed = unhex(check(std::fs::read_to_string(path)).trim()).unwrap_or_default();
        Keys::from_seed(&seed).unwrap_or_else(|| exit(2, &format!("{} is no private key of 64 digits", path)))
    }
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        self.pair.sign(&parts.concat()).as_ref().to_vec()
    }
    /// Makes the fields of a signed message (MSG-01).
    pub fn compose(&self, mut pairs: Vec<Pair>) -> Vec<u8> {
        pairs.push(("author_key", (&self.public).into()));
        let signature = self.sign(&[&label("message"), &encode_fields(&pairs)]);
        pairs.push(("author_sig", Content::Octets(signature)));
        encode_fields(&pairs)
    }
}

/// Random octets come from the operating system (SEC-01).
pub fn random(size: usize) -> Vec<u8> {
    let mut octets = vec![0; size];
    SystemRandom::new().fill(&mut octets).unwrap_or_else(|_| exit(1, "the system has no random octets"));
    octets
}

/// A key for people [4.4], and what stands beside a nick (ID-10).
pub fn fingerprint(key: &[u8]) -> String {
    let groups: Vec<_> = hash(&[key])[..16].chunks(2).map(hex).collect();
    groups.join(" ")
}
pub fn suffix(key: &[u8]) -> String {
    hex(&hash(&[key])[14..16])
}

pub fn label(text: &str) -> Vec<u8> {
    format!("PROSA/1 {}\0", text).into_bytes()
}
pub fn hash(parts: &[&[u8]]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, &parts.concat()).as_ref().to_vec()
}

/// Both cover the handshake (AUTH-12, AUTH-15). The signature of a CHALLENGE is its last field, of 68 octets;
/// the header says the final length before it is signed.
pub fn th1(hello: &[u8], challenge: &[u8]) -> Vec<u8> {
    hash(&[hello, &challenge[..challenge.len() - 68]])
}
pub fn th2(hello: &[u8], challenge: &[u8]) -> Vec<u8> {
    hash(&[hello, challenge])
}
pub fn challenge_is_signed(hello: &[u8], challenge: &Frame) -> bool {
    let signed = [label("server-auth"), th1(hello, &challenge.octets)].concat();
    verify(challenge.octets("server_key"), challenge.octets("handshake_sig"), &[&signed])
}
pub fn auth_is_signed(key: &[u8], hello: &[u8], challenge: &[u8], auth: &Frame) -> bool {
    let signed = [&label("client-auth"), &th2(hello, challenge), auth.signed_by_handshake()].concat();
    verify(key, auth.octets("handshake_sig"), &[&signed])
}

impl Frame {
    /// The id of a message (MSG-02), and whether its author has signed it (MSG-01).
    pub fn id(&self) -> Vec<u8> {
        hash(&[&label("message-id"), self.author_zone()])
    }
    pub fn is_signed(&self) -> bool {
        verify(self.octets("author_key"), self.octets("author_sig"), &[&label("message"), self.author_zone()])
    }
}

/// The client's key belongs to the private room (MSG-22).
pub fn room_id(server_key: &[u8], epoch: &[u8], name: &str, client_key: &[u8]) -> Vec<u8> {
    let client_key = if name == "@host" { client_key } else { &[] };
    hash(&[&label("room"), server_key, epoch, &[name.len() as u8], name.as_bytes(), client_key])
}

/// The chain of a room and its checkpoints (AUD-01, AUD-03).
pub fn chain_start(room_id: &[u8]) -> Vec<u8> {
    hash(&[&label("chain-start"), room_id])
}
pub fn chain(previous: &[u8], seq: u64, time: u64, id: &[u8]) -> Vec<u8> {
    hash(&[&label("chain"), previous, &seq.to_be_bytes(), &time.to_be_bytes(), id])
}
pub fn checkpoint_is_signed(key: &[u8], frame: &Frame) -> bool {
    let signed = frame.before(field("server_sig").map_or(0, |field| field.tag));
    verify(key, frame.octets("server_sig"), &[&label("checkpoint"), signed])
}
