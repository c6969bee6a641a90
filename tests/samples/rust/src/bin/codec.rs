// SPDX-License-Identifier: MIT

//! The codec of section 13.5: level L0 without a connection. It reads requests from stdin, one a line, and
//! answers each with one JSON object.

use prosa::crypto::*;
use prosa::frame::{is_word, json, unhex, Content, Fault, Frame, Pair, MAX_FRAME_CEILING};
use std::io::BufRead;

/// What cannot be read as a request is unsupported (CON-13).
enum Stop {
    Unsupported,
    Fault(Fault),
}
impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}
type Answer<T = Vec<Pair<'static>>> = Result<T, Stop>;

fn need(good: bool) -> Answer<()> {
    good.then(|| ()).ok_or(Stop::Unsupported)
}
fn octets(word: &str) -> Answer<Vec<u8>> {
    need(!word.is_empty())?;
    unhex(if word == "-" { "" } else { word }).ok_or(Stop::Unsupported)
}
fn sized(word: &str, size: usize) -> Answer<Vec<u8>> {
    let octets = octets(word)?;
    need(octets.len() == size)?;
    Ok(octets)
}
fn number(word: &str) -> Answer<u64> {
    word.parse().map_err(|_| Stop::Unsupported)
}
fn frame(word: &str, names: &[&str]) -> Answer<Frame> {
    let frame = Frame::decode(&octets(word)?, MAX_FRAME_CEILING, "server", |_| Ok(()))?.ok_or(Stop::Unsupported)?;
    need(names.contains(&frame.name()))?;
    Ok(frame)
}
fn verdict(good: bool) -> Content {
    if good { "valid" } else { "invalid" }.into()
}

fn decode(from: &str, cap: &str, word: &str) -> Answer {
    need(from == "client" || from == "server")?;
    let frame = match Frame::decode(&octets(word)?, number(cap)? as usize, from, |_| Ok(()))? {
        None => return Ok(vec![("verdict", "partial".into())]),
        Some(frame) => frame,
    };
    let mut answer = vec![("consumed", Content::Int(frame.octets.len() as u64)), ("frame", frame.projection())];
    answer.push(("verdict", if frame.row.is_some() { "frame" } else { "ignored" }.into()));
    if frame.row.is_some() {
        answer.push(("encoded", Content::Octets(frame.encoded())));
    }
    if frame.name() == "DELIVER" {
        answer.push(("displayable", Content::Bool(frame.displayable)));
    }
    Ok(answer)
}

fn handshake(hello: &str, challenge: &str, auth: Option<&str>) -> Answer {
    let (hello, challenge) = (frame(hello, &["HELLO"])?, frame(challenge, &["CHALLENGE"])?);
    let mut answer = vec![
        ("th1", Content::Octets(th1(&hello.octets, &challenge.octets))),
        ("th2", Content::Octets(th2(&hello.octets, &challenge.octets))),
        ("server_auth", verdict(challenge_is_signed(&hello.octets, &challenge))),
    ];
    if let Some(word) = auth {
        let auth = frame(word, &["AUTH"])?;
        let good = auth_is_signed(hello.octets("client_key"), &hello.octets, &challenge.octets, &auth);
        answer.push(("client_auth", verdict(good)));
    }
    Ok(answer)
}

fn room(server_key: &str, epoch: &str, name: &str, client_key: Option<&str>) -> Answer {
    need(is_word("room", name) && (name == "@host") == client_key.is_some())?;
    let client_key = client_key.map_or(Ok(Vec::new()), |word| sized(word, 32))?;
    Ok(vec![("room_id", Content::Octets(room_id(&sized(server_key, 32)?, &sized(epoch, 16)?, name, &client_key)))])
}

fn answer(words: &[&str]) -> Answer {
    let one = |name, content| Ok(vec![(name, content)]);
    match *words {
        ["decode", from, cap, word] => decode(from, cap, word),
        ["key", key] => one("verdict", verdict(key_is_good(&octets(key)?))),
        ["verify", key, signature, message] => {
            one("verdict", verdict(verify(&octets(key)?, &octets(signature)?, &[&octets(message)?])))
        }
        ["sign", seed, message] => {
            let keys = Keys::from_seed(&octets(seed)?).ok_or(Stop::Unsupported)?;
            let signature = Content::Octets(keys.sign(&[&octets(message)?]));
            Ok(vec![("key", (&keys.public).into()), ("signature", signature)])
        }
        ["message", word] => {
            let frame = frame(word, &["PUBLISH", "DELIVER"])?;
            let id = Content::Octets(frame.id());
            Ok(vec![("verdict", verdict(frame.is_signed())), ("author_zone", frame.author_zone().into()), ("id", id)])
        }
        ["room-id", server_key, epoch, name] => room(server_key, epoch, name, None),
        ["room-id", server_key, epoch, name, client_key] => room(server_key, epoch, name, Some(client_key)),
        ["handshake", hello, challenge] => handshake(hello, challenge, None),
        ["handshake", hello, challenge, auth] => handshake(hello, challenge, Some(auth)),
        ["chain-start", room_id] => one("hash", Content::Octets(chain_start(&sized(room_id, 32)?))),
        ["chain", previous, seq, time, id] => {
            let next = chain(&sized(previous, 32)?, number(seq)?, number(time)?, &sized(id, 32)?);
            one("hash", Content::Octets(next))
        }
        ["checkpoint", key, word] => {
            one("verdict", verdict(checkpoint_is_signed(&sized(key, 32)?, &frame(word, &["CHECKPOINT"])?)))
        }
        _ => Err(Stop::Unsupported),
    }
}

fn main() {
    prosa::program::begin();
    for line in std::io::stdin().lock().split(b'\n').flatten() {
        let line = String::from_utf8_lossy(&line);
        let words: Vec<_> = line.trim_end_matches('\r').split(' ').collect();
        let answer = answer(&words).unwrap_or_else(|stop| match stop {
            Stop::Unsupported => vec![("verdict", "unsupported".into())],
            Stop::Fault(fault) => vec![("verdict", "error".into()), ("error", fault.code.into())],
        });
        println!("{}", json(&answer));
    }
}
