//! pincite: a self-hosted Intelligence Mode for workspaces that agents and people share.
//!
//! Files become documents, documents chunks, chunks a hybrid index; questions are answered with citations that can be
//! checked against the file as it is now. `ARCHITECTURE.md` describes the rooms and draws the two lines through them; `docs/` has the
//! reasons behind each part.

pub mod access;
pub mod answer;
pub mod audit;
pub mod budget;
pub mod chunk;
pub mod cli;
pub mod config;
mod data_folder;
mod edit;
pub mod embed;
pub mod engine;
pub mod error;
pub mod eval;
pub mod extract;
mod failpoint;
pub mod files;
mod gate;
pub mod index;
pub mod ingest;
mod leftovers;
pub mod mcp;
mod network;
mod notify;
mod priority;
mod private;
mod scheduler;
pub mod search;
pub mod serve;
pub mod store;
mod strict;
pub mod vectors;
pub mod workspace;
