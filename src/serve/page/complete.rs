//! What an operator of the search box may be followed by.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::extract::Format;
use crate::serve::app::{Reply, Shared};
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::Facet;

/// Completions that are offered at once.
const MAX_OFFERED: usize = 12;
/// The operators of the query language that have values.
const OPERATORS: [&str; 7] = ["path:", "type:", "agent:", "run:", "tag:", "before:", "after:"];

/// The word that is being written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Written {
    word: String,
}

/// Words that the written one may become, the likeliest first.
#[derive(Debug, Serialize)]
pub(in crate::serve) struct Offered {
    words: Vec<String>,
}

/// Offers operators, and behind one the values that files of the workspace have.
pub(in crate::serve) async fn offer(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(Written { word }): Parameters<Written>,
) -> Reply<Offered> {
    let Some((operator, begun)) = word.split_once(':') else {
        let fits = |operator: &&str| !word.is_empty() && operator.starts_with(word.as_str());
        return Ok(Json(Offered { words: OPERATORS.into_iter().filter(fits).map(str::to_owned).collect() }));
    };
    let (operator, begun) = (operator.to_owned(), begun.trim_start_matches('"').to_lowercase());
    app.call(move |engine| {
        let workspace = workspace.open(engine)?;
        let values: Vec<String> = match operator.as_str() {
            "type" => Format::ALL.into_iter().map(|format| format.name().to_owned()).collect(),
            "path" => folders(&workspace.files(None)?),
            "agent" | "run" | "tag" => {
                let facets = workspace.status()?.facets;
                let of = match operator.as_str() {
                    "agent" => facets.agent,
                    "run" => facets.run,
                    _ => facets.tags,
                };
                of.into_iter().map(|Facet { value, .. }| value).collect()
            }
            _ => Vec::new(),
        };
        let fits = |value: &String| value.to_lowercase().starts_with(&begun);
        let words = values.into_iter().filter(fits).take(MAX_OFFERED).map(|value| written(&operator, &value));
        Ok(Offered { words: words.collect() })
    })
    .await
}

/// The operator with a value, in quotes where that has spaces.
fn written(operator: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("{operator}:\"{value}\"") } else { format!("{operator}:{value}") }
}

/// All folders that hold files, the outer ones first.
fn folders(files: &[crate::workspace::FileEntry]) -> Vec<String> {
    let all = files.iter().flat_map(|file| {
        let path = file.path.as_str();
        path.match_indices('/').map(move |(at, _)| &path[..=at])
    });
    let mut folders: Vec<&str> = all.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    folders.sort_by_key(|folder| folder.matches('/').count());
    folders.into_iter().map(str::to_owned).collect()
}
