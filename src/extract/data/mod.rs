//! Records and keys: JSON, YAML, TOML, XML, delimited tables, notebooks.

pub(super) mod delimited;
pub(super) mod json;
pub(super) mod json_mend;
pub(super) mod notebook;
pub(super) mod outline;
pub(super) mod toml;
pub(super) mod xml;
pub(super) mod yaml;
