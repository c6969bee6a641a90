// SPDX-License-Identifier: MIT

//! What the server, the client and the codec of PROSA/1 have in common. Chapters of the text stand in
//! brackets, requirements by their ids.

pub mod crypto;
pub mod frame;
pub mod link;
pub mod program;
pub mod registry;
pub mod system;
