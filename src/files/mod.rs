//! Where the files of a workspace are, and everything that is done with them there.
//!
//! # Not here
//! What a file says (`extract`), and what of it is known (`store`).

pub mod folder;
