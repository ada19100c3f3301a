//! All integration tests in one binary, so that they link once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod fixtures;
mod house;
mod indexed;
mod ir_measures;
mod line;
mod mcp;
mod processes;
mod python;
mod serve;
mod sockets;
mod spaces;
mod watched;
mod writes;
