//! The store keeps what it was told, across reopening, and refuses what it cannot use.
