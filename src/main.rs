//! The `pincite` program: see `pincite --help`.

fn main() {}
