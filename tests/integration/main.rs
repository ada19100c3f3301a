//! All integration tests in one binary, so that they link once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answerers;
mod campaign;
mod cli;
mod crash;
mod damage;
mod extraction;
mod fixtures;
mod house;
mod indexed;
mod inside;
mod ir_measures;
mod isolation;
mod keys;
mod languages;
mod large;
mod limits;
mod line;
mod many;
mod mcp;
mod page;
mod pictures;
mod plain_questions;
mod plans;
mod processes;
mod provenance;
mod python;
mod reading;
mod refused;
mod reindex;
mod request_walls;
mod reranking;
mod serve;
mod signed_in;
mod sockets;
mod sources;
mod spaces;
mod stand_in;
mod verdicts;
mod walls;
mod watched;
mod writes;
