//! Which of the files that were found hold now, and the newer versions of those that do not: of answers, and of searches.

use std::collections::{BTreeSet, HashMap, HashSet};

use parking_lot::Mutex;

use super::query::QueryState;
use super::{Engine, EngineError, Workspace};
use crate::answer::versions::{self, Order, Standing};
use crate::answer::{Plan, PlanKind};
use crate::index::Snapshot;
use crate::search::{Hit, SearchRequest};
use crate::workspace::{Citation, ContentHash, RelPath, WorkspaceId};

/// Passages of a newer version that come to those that were found.
const NUM_OF_NEWER: usize = 4;
/// Other versions that are looked at.
const MAX_OTHERS: usize = 40;

/// Files of a search whose versions are looked for.
const MAX_LOOKED_AT: usize = 10;
/// More files than this in one folder are not looked through for versions of a found one.
const MAX_IN_FOLDER: usize = 1_000;
/// More files of one family than this are a series and no versions.
const MAX_VERSIONS: usize = 12;
/// What the newest of the found files has before the oldest, as a part of the best score, where the query asks for the newest.
const NEWEST_ADDS: f32 = 0.3;
/// So many passages are found for such a query, so that newer ones can move up among them.
pub(super) const NUM_FOR_CURRENT: usize = 30;
/// With one of these words a query asks for what holds now.
const ASK_FOR_CURRENT: [&str; 7] = ["current", "currently", "latest", "newest", "valid", "up-to-date", "today"];

/// Contents of which is kept what their beginnings say.
const MAX_KEPT: usize = 4_096;

/// What the beginnings of files say of their standing. Searches find the same files again and again, and reading a beginning costs as
/// much as reading a passage.
#[derive(Default)]
pub(super) struct Standings(Mutex<HashMap<(RelPath, ContentHash), Standing>>);

impl Standings {
    fn get(&self, citation: &Citation) -> Option<Standing> {
        self.0.lock().get(&(citation.path.clone(), citation.content_hash)).cloned()
    }

    fn keep(&self, content_hash: ContentHash, standing: &Standing) {
        let mut kept = self.0.lock();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert((standing.path.clone(), content_hash), standing.clone());
    }
}

/// What is known of the versions of found files.
#[derive(Default)]
pub(super) struct Versions {
    /// Files that another one has replaced.
    pub superseded: HashMap<RelPath, RelPath>,
    /// How new each file is, 0 for the oldest and 1 for the newest of them; empty where the question does not ask for the newest.
    pub newness: HashMap<RelPath, f32>,
}

impl Engine {
    /// How new each of the files is, by their dates and versions, else by when they were modified.
    fn newness(
        &self,
        id: &WorkspaceId,
        standings: &[Standing],
        hits: &[Hit],
    ) -> Result<HashMap<RelPath, f32>, EngineError> {
        let paths: HashSet<&RelPath> = hits.iter().map(|hit| &hit.citation.path).collect();
        let mut ordered: Vec<(&Order, i64, &RelPath)> = Vec::new();
        for standing in standings.iter().filter(|standing| paths.contains(&standing.path)) {
            let modified = self.data.store.file(id, &standing.path)?.map_or(0, |file| file.modified.as_second());
            ordered.push((&standing.order, modified, &standing.path));
        }
        Ok(places_of(ordered))
    }
}

impl Workspace<'_> {
    /// Tells which of the files that were found hold now. Passages of a newer version that was not found come before the others.
    pub(super) fn versions_of(
        &self,
        search: &SearchRequest,
        state: &mut QueryState,
        plan: &Plan,
        hits: &mut Vec<Hit>,
    ) -> Result<Versions, EngineError> {
        let id = &self.id;
        let Some(snapshot) = state.snapshot.as_deref() else { return Ok(Versions::default()) };
        let found: HashSet<RelPath> = hits.iter().map(|hit| hit.citation.path.clone()).collect();
        let mut standings = self.standings_of(snapshot, hits, usize::MAX)?;
        let is_current = plan.kind == PlanKind::Current;
        let may_have_newer = |path: &RelPath| {
            let name = path.file_name().to_lowercase();
            is_current || name.contains(|c: char| c.is_ascii_digit()) || name.contains("draft") || name.contains("old")
        };
        let families: HashSet<String> =
            found.iter().filter(|path| may_have_newer(path)).map(versions::family).collect();
        let outdated = standings.iter().filter(|standing| standing.is_outdated);
        let folders: HashSet<String> = outdated.map(|standing| folder_of(&standing.path).to_owned()).collect();
        if !families.is_empty() || !folders.is_empty() {
            let mut others: Vec<RelPath> = Vec::new();
            for file in self.all_files_while(&|| !state.budget.is_over())?.iter() {
                let is_other =
                    folders.contains(folder_of(&file.path)) || families.contains(&versions::family(&file.path));
                if is_other && file.num_chunks > 0 && state.filter.admits_path(file.path.as_str()) {
                    others.push(file.path.clone());
                }
            }
            // The newest by name are the last.
            for path in others.iter().rev().take(MAX_OTHERS) {
                self.look_at(snapshot, path, &mut standings)?;
            }
        }
        let superseded = versions::superseded(&standings);
        let mut newer: HashSet<RelPath> = found
            .iter()
            .filter_map(|path| superseded.get(path))
            .filter(|newer| !found.contains(*newer))
            .cloned()
            .collect();
        if is_current {
            newer.extend(newest_of_families(&standings, &found));
        }
        if !newer.is_empty() {
            let of_newer = self.search_only_in(newer, search, state)?;
            hits.splice(0..0, of_newer.into_iter().take(NUM_OF_NEWER));
            hits.truncate(search.k);
        }
        let newness = if is_current { self.engine.newness(id, &standings, hits)? } else { HashMap::new() };
        Ok(Versions { superseded, newness })
    }

    /// What the beginnings of found files say of them, of so many files at the most.
    fn standings_of(&self, snapshot: &dyn Snapshot, hits: &[Hit], most: usize) -> Result<Vec<Standing>, EngineError> {
        let mut standings: Vec<Standing> = Vec::new();
        for Hit { citation, .. } in hits {
            if standings.len() == most {
                break;
            }
            if standings.iter().any(|known| known.path == citation.path) {
                continue;
            }
            standings.extend(match self.engine.standings.get(citation) {
                None => self.standing_of(snapshot, &citation.path)?,
                known => known,
            });
        }
        Ok(standings)
    }

    /// What the beginning of a file says of it; `None` where nothing of it is found.
    fn standing_of(&self, snapshot: &dyn Snapshot, path: &RelPath) -> Result<Option<Standing>, EngineError> {
        let Some(chunk) = snapshot.extract_of(path, 1)?.into_iter().next() else { return Ok(None) };
        let standing = Standing::of(path, chunk.file.title.as_deref(), &chunk.words);
        self.engine.standings.keep(chunk.file.content_hash, &standing);
        Ok(Some(standing))
    }

    /// Adds what the beginning of a file says of it.
    fn look_at(
        &self,
        snapshot: &dyn Snapshot,
        path: &RelPath,
        standings: &mut Vec<Standing>,
    ) -> Result<(), EngineError> {
        if standings.iter().all(|known| known.path != *path) {
            standings.extend(self.standing_of(snapshot, path)?);
        }
        Ok(())
    }

    /// Notes at each passage which file in the same folder has replaced its own. Where the query asks for what holds now, newer files
    /// move up, and what has been replaced stands behind what has replaced it.
    pub(super) fn mark_superseded(
        &self,
        query: &str,
        state: &QueryState,
        hits: &mut Vec<Hit>,
    ) -> Result<(), EngineError> {
        let id = &self.id;
        let Some(snapshot) = state.snapshot.as_deref() else { return Ok(()) };
        let most = if asks_for_current(query) { NUM_FOR_CURRENT } else { MAX_LOOKED_AT };
        let mut standings = self.standings_of(snapshot, hits, most)?;
        let mut beside: BTreeSet<RelPath> = BTreeSet::new();
        let mut by_folder: HashMap<&str, Vec<&Standing>> = HashMap::new();
        for standing in &standings {
            by_folder.entry(folder_of(&standing.path)).or_default().push(standing);
        }
        for (folder, found) in by_folder {
            let all = self.engine.data.files_in(&self.id, &state.view, folder, MAX_IN_FOLDER)?;
            let versions = found.iter().filter_map(|standing| all.families.get(&versions::family(&standing.path)));
            let few = versions.filter(|versions| versions.len() <= MAX_VERSIONS);
            beside.extend(few.flatten().map(|&number| all.files[number].clone()));
            if found.iter().any(|standing| standing.is_outdated) {
                beside.extend(all.files.iter().take(MAX_OTHERS).cloned());
            }
        }
        for path in beside.iter().filter(|path| state.filter.admits_path(path.as_str())).take(MAX_OTHERS) {
            self.look_at(snapshot, path, &mut standings)?;
        }
        let superseded = versions::superseded(&standings);
        for hit in hits.iter_mut() {
            hit.superseded_by = superseded.get(&hit.citation.path).cloned();
        }
        if asks_for_current(query) {
            let newness = self.engine.newness(id, &standings, hits)?;
            newer_first(hits, &newness);
        }
        Ok(())
    }
}

/// The part of all ages that each file is younger than, 0 to 1: files of one age are equally new, and where all are, none is new.
fn places_of(mut files: Vec<(&Order, i64, &RelPath)>) -> HashMap<RelPath, f32> {
    files.sort();
    let num_ages = files.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)).count();
    let last = num_ages.saturating_sub(1).max(1) as f32;
    let by_age = files.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)).enumerate();
    by_age
        .flat_map(|(place, files)| files.iter().map(move |(_, _, path)| ((*path).clone(), place as f32 / last)))
        .collect()
}

/// Whether a query asks for what holds now, or for the newest.
pub(super) fn asks_for_current(query: &str) -> bool {
    let words = query.split(|c: char| !c.is_alphanumeric() && c != '-');
    words.into_iter().any(|word| ASK_FOR_CURRENT.iter().any(|other| word.eq_ignore_ascii_case(other)))
}

/// Puts passages in order by their scores, to which being new adds up to [`NEWEST_ADDS`] of the best; then the first passage of each newer
/// file right before the first one of the file that it has replaced.
fn newer_first(hits: &mut Vec<Hit>, newness: &HashMap<RelPath, f32>) {
    let best = hits.iter().map(|hit| hit.score).fold(0.0, f32::max);
    let score = |hit: &Hit| hit.score + NEWEST_ADDS * best * newness.get(&hit.citation.path).copied().unwrap_or(0.0);
    // A reranker's order is not that of the scores.
    if hits.is_sorted_by(|one, other| one.score >= other.score) {
        hits.sort_by(|one, other| score(other).total_cmp(&score(one)));
    }
    let mut at = 0;
    while at < hits.len() {
        let newer = hits[at].superseded_by.clone();
        let place = newer.and_then(|newer| hits[at + 1..].iter().position(|hit| hit.citation.path == newer));
        if let Some(place) = place {
            let hit = hits.remove(at + 1 + place);
            hits.insert(at, hit);
        }
        at += 1;
    }
    for (rank, hit) in (1..).zip(hits) {
        hit.rank = rank;
    }
}

fn folder_of(path: &RelPath) -> &str {
    path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The newest file of each family that a found file is of, where that one was not found.
fn newest_of_families(standings: &[Standing], found: &HashSet<RelPath>) -> Vec<RelPath> {
    let mut newest: HashMap<String, &Standing> = HashMap::new();
    for standing in standings {
        let family = versions::family(&standing.path);
        let known = newest.entry(family).or_insert(standing);
        if standing.order > known.order {
            *known = standing;
        }
    }
    newest.into_values().map(|standing| standing.path.clone()).filter(|path| !found.contains(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_age_are_equally_new() {
        let (order, paths) = (Order::default(), ["a", "b", "c", "d"].map(|path| path.parse::<RelPath>().unwrap()));
        let newness = |ages: [i64; 4]| {
            let places = places_of(ages.into_iter().zip(&paths).map(|(age, path)| (&order, age, path)).collect());
            paths.each_ref().map(|path| places[path])
        };
        let told = |ages| format!("{:?}", newness(ages));
        assert_eq!(told([7, 7, 7, 7]), "[0.0, 0.0, 0.0, 0.0]");
        assert_eq!(told([1, 9, 5, 9]), "[0.0, 1.0, 0.5, 1.0]");
    }
}
