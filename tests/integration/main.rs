//! All integration tests in one binary, so that they link once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixtures;
mod house;
mod ir_measures;
mod python;
