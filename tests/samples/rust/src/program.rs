// SPDX-License-Identifier: MIT

//! What every program does [13].

use crate::crypto::check_library;
use crate::frame::visible;
use std::fmt::Display;

/// A variable of the environment (CON-01).
pub fn setting(name: &str, otherwise: &str) -> String {
    let content = std::env::var(format!("PROSA_{}", name)).unwrap_or_default();
    if content.is_empty() {
        otherwise.to_string()
    } else {
        content
    }
}

/// Begins a program: the level that it has to behave as. One that it does not have is its end (CON-03).
pub fn begin() -> usize {
    let level = ["L0", "L1", "L2", "L3"].iter().position(|level| *level == setting("LEVEL", "L3"));
    check_library();
    level.unwrap_or_else(|| std::process::exit(89))
}

/// PROSA_HOST without the brackets of an IPv6 address, and PROSA_PORT.
pub fn address() -> (String, u16) {
    let port = setting("PORT", "65432");
    let number = port.parse().unwrap_or_else(|_| exit(2, &format!("PROSA_PORT is no port: {}", port)));
    (setting("HOST", "127.0.0.1").trim_matches(&['[', ']'][..]).to_string(), number)
}

/// A word for people, and the last one.
pub fn note(text: &str) {
    eprintln!("{}", visible(text));
}
pub fn exit(code: i32, why: &str) -> ! {
    note(why);
    std::process::exit(code)
}

/// What must not fail, and does, is the end.
pub fn check<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| exit(1, &error.to_string()))
}

/// Can this line be the text of a message? If not, people are told.
pub fn is_text(line: &str) -> bool {
    let good = (1..=4096).contains(&line.len()) && !line.contains('\0');
    if !good {
        note("not sent: a message has 1 to 4096 octets, without U+0000");
    }
    good
}
