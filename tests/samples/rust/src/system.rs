// SPDX-License-Identifier: MIT

//! What the standard library has no words for: locking a file, the signal that asks a program to end, and
//! ending a connection with a reset. The numbers are those of Linux.

use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

extern "C" {
    fn flock(file: i32, operation: i32) -> i32;
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn setsockopt(socket: i32, level: i32, option: i32, value: *const [i32; 2], size: u32) -> i32;
}
const LOCK_EX: i32 = 2;
const LOCK_NB: i32 = 4;
const SIGTERM: i32 = 15;
const SOL_SOCKET: i32 = 1;
const SO_LINGER: i32 = 13;

static TERMINATED: AtomicBool = AtomicBool::new(false);

extern "C" fn terminate(_: i32) {
    TERMINATED.store(true, Ordering::Relaxed);
}

pub fn await_sigterm() {
    // SAFETY: the handler does nothing but set an atomic flag.
    unsafe { signal(SIGTERM, terminate) };
}
pub fn is_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// The lock ends with the process, or with the file.
pub fn lock(file: &std::fs::File) -> bool {
    // SAFETY: the file is open, and nothing is written to memory.
    unsafe { flock(file.as_raw_fd(), LOCK_EX | LOCK_NB) == 0 }
}

/// From here on the close of this socket is a reset.
pub fn reset_at_close(socket: &std::net::TcpStream) {
    let no_time = [1, 0]; // struct linger: on, for 0 seconds
                          // SAFETY: the socket is open, and the value lives while the call reads its 8 octets.
    unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_LINGER, &no_time, 8) };
}
