//! One round: what both sides have of some paths or of all, what is to be done, and in which order.
//!
//! # Invariants
//! - A file that is missing counts as deleted only where a look at its place says so: here by the file system, there by the server's log.
//! - Content travels before names go. A deletion that a file of a folder's name waits for goes first, and then its content is known to both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use parking_lot::Mutex;

use super::decide::{Step, decide};
use super::error::SyncError;
use super::here::{Here, LocalFile, Sight, name_of};
use super::outcome::{Kind, Tally};
use super::server::{Listing, Server};
use super::state::{Base, Place, State};
use super::steps::refused;
use super::stop::Stop;
use crate::files::Entry;
use crate::workspace::{ContentHash, RelPath, Revision, composed};

/// Files that are sent and received at once.
const NUM_THREADS: usize = 4;
/// More paths than this are looked at on the server by listing all.
const MAX_LOOKS: usize = 200;

/// Everything that a round works with.
pub(super) struct Desk {
    pub here: Here,
    pub state: State,
    pub server: Server,
    pub tally: Tally,
    pub stop: Stop,
    /// Who writes here, for names of conflicts.
    pub agent: String,
    /// Whether all files may be deleted on one side where all are gone on the other.
    pub delete_all: bool,
}

/// Which way files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Both,
    /// Nothing comes from the server but what is in conflict.
    ToServer,
}

/// Which paths a round is about.
pub(super) enum Scope<'s> {
    All,
    /// Paths by their names, which are looked at on both sides.
    These(&'s BTreeMap<String, RelPath>),
    /// What is here: all, or what is at these places and below. The server is taken to have what was agreed on: where it has not, it refuses.
    Here(Option<&'s BTreeSet<RelPath>>),
}

/// A path, what both sides have of it, and what is to be done.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub name: String,
    /// As this folder spells it.
    pub path: RelPath,
    /// As the server spells it.
    pub path_there: RelPath,
    pub base: Option<Base>,
    pub here: Option<LocalFile>,
    pub there: Option<ContentHash>,
    pub step: Step,
}

/// What became of a case.
pub(super) enum Ended {
    Done,
    /// Somebody else was faster: it is to be looked at again.
    Again,
    Left(String),
    PassedOver(String),
}

/// What a side has of the paths of a round.
#[derive(Default)]
struct Sides {
    here: BTreeMap<String, Entry>,
    there: BTreeMap<String, (RelPath, Option<ContentHash>)>,
    names: BTreeSet<String>,
    /// Whether `there` has all that the server has of `names`.
    knows_there: bool,
    revision: Revision,
}

impl Desk {
    /// Does a round. Returns the paths that are to be looked at again.
    ///
    /// # Errors
    /// [`SyncError`] where no file can be kept in step any more. What was done until then is noted.
    pub(super) fn round(
        &self,
        scope: &Scope<'_>,
        direction: Direction,
        entering: &dyn Fn(&str),
    ) -> Result<BTreeMap<String, RelPath>, SyncError> {
        let sides = self.look(scope, entering)?;
        let mut cases = Vec::new();
        for name in &sides.names {
            cases.extend(self.case(name, &sides)?);
        }
        let is_whole = matches!(scope, Scope::All | Scope::Here(None));
        self.check_emptied(&cases, &sides, is_whole)?;
        if direction == Direction::ToServer {
            cases.retain(|case| !matches!(case.step, Step::Download | Step::DeleteHere));
        }
        let again = self.carry_out_all(cases, sides.revision)?;
        if is_whole {
            self.state.settle(|path| sides.here.contains_key(&name_of(path)))?;
        }
        Ok(again)
    }

    /// Looks at both sides.
    fn look(&self, scope: &Scope<'_>, entering: &dyn Fn(&str)) -> Result<Sides, SyncError> {
        let mut sides = Sides::default();
        let bases = self.state.bases();
        if matches!(scope, Scope::All | Scope::Here(None)) {
            self.tally.clear_of_listings();
        }
        match scope {
            Scope::All => {
                // Before the folder: what is written there meanwhile is found by the next round.
                self.list_there(&mut sides)?;
                let found = self.here.list(None, entering)?;
                for problem in found.problems {
                    self.tally.of_listing(Kind::PassedOver, &problem, "what is there is not looked at".to_owned());
                }
                self.note_here(&mut sides, found.files);
                sides.names.extend(bases.into_keys());
                sides.names.extend(sides.here.keys().cloned());
                sides.names.extend(sides.there.keys().cloned());
            }
            Scope::Here(places) => {
                let found = self.here.list(*places, entering)?;
                self.note_here(&mut sides, found.files);
                let places: Option<Vec<String>> = places.map(|places| places.iter().map(name_of).collect());
                let is_below = |name: &String| {
                    let below = |place: &String| name.strip_prefix(place.as_str());
                    let is_at = |place| below(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                    places.as_ref().is_none_or(|places| places.iter().any(is_at))
                };
                sides.names.extend(bases.into_keys().filter(is_below));
                sides.names.extend(sides.here.keys().cloned());
            }
            Scope::These(paths) => {
                if paths.len() > MAX_LOOKS {
                    self.list_there(&mut sides)?;
                } else {
                    sides.revision = self.server.newest()?;
                    let asked = paths.iter().map(|(name, path)| (name.clone(), (path.clone(), None)));
                    sides.there.extend(asked);
                    sides.knows_there = true;
                }
                sides.names.extend(paths.keys().cloned());
            }
        }
        Ok(sides)
    }

    fn list_there(&self, sides: &mut Sides) -> Result<(), SyncError> {
        let listing = self.server.list()?;
        self.check_place(&listing)?;
        let Listing { revision, files, unusable, .. } = listing;
        sides.revision = revision;
        sides.knows_there = true;
        for path in unusable {
            let reason = "the server's name is no path of a workspace".to_owned();
            self.tally.of_listing(Kind::PassedOver, &path, reason);
        }
        for (path, hash) in files {
            let name = name_of(&path);
            if let Some((other, _)) = sides.there.get(&name) {
                let reason = format!("the server has the same name in another spelling: {other}");
                self.tally.of_listing(Kind::PassedOver, path.as_str(), reason);
            } else {
                sides.there.insert(name, (path, hash));
            }
        }
        Ok(())
    }

    /// Takes down what is here and was never acknowledged by the server, for who cannot ask it any more.
    ///
    /// # Errors
    /// [`SyncError`] where the folder cannot be listed.
    pub(super) fn note_unsent(&self) -> Result<(), SyncError> {
        let mut sides = Sides::default();
        let found = self.here.list(None, &|_| {})?;
        self.note_here(&mut sides, found.files);
        for (name, entry) in &sides.here {
            let Sight::File(file) = self.here.read(&self.state, entry)? else { continue };
            if self.state.base(name).is_none_or(|base| base.hash != file.hash) {
                self.tally.left(name, entry.path.as_str(), "it is not on the server".to_owned());
            }
        }
        for name in self.state.bases().into_keys().filter(|name| !sides.here.contains_key(name)) {
            self.tally.left(&name, &name, "it was deleted here, and the server has not heard of it".to_owned());
        }
        Ok(())
    }

    fn note_here(&self, sides: &mut Sides, files: Vec<Entry>) {
        for entry in files {
            let name = name_of(&entry.path);
            let Some(other) = sides.here.get(&name) else {
                drop(sides.here.insert(name, entry));
                continue;
            };
            // As the server spells it, where there is one; and the same one each time.
            let rank = |path: &RelPath| (composed(path.as_str()) != path.as_str(), path.clone());
            let is_first = rank(&entry.path) < rank(&other.path);
            let (first, second) = if is_first { (&entry, other) } else { (other, &entry) };
            let reason = format!("the same name in another spelling is here: {}", first.path);
            self.tally.of_listing(Kind::Left, second.path.as_str(), reason);
            if is_first {
                sides.here.insert(name, entry);
            }
        }
    }

    /// Refuses to bring a folder in step with something else than before.
    fn check_place(&self, listing: &Listing) -> Result<(), SyncError> {
        let (workspace, server) = (self.server.workspace().to_owned(), self.server.shown().to_owned());
        let now = Place { workspace, log: listing.log.clone(), server };
        let shown = |place: &Place| format!("the workspace `{}` of {}", place.workspace, place.server);
        match self.state.place()? {
            Some(before) if before == now => Ok(()),
            Some(before) if before.workspace != now.workspace || before.log != now.log => {
                let is_named_alike = before.workspace == now.workspace && before.server == now.server;
                let log = if is_named_alike { ", which has another log by now (a backup, or made anew)" } else { "" };
                Err(SyncError::OtherPlace {
                    folder: self.here.root().to_owned(),
                    before: shown(&before),
                    now: format!("{}{log}", shown(&now)),
                })
            }
            // The server has moved, or this is the first time.
            _ => self.state.note_place(&now),
        }
    }

    /// Decides on a path; `None` where nothing can be done with it now, which is taken down.
    fn case(&self, name: &str, sides: &Sides) -> Result<Option<Case>, SyncError> {
        let base = self.state.base(name);
        let known_there = sides.there.get(name);
        // Names in the state were those of paths.
        let Ok(as_named) = name.parse::<RelPath>() else { return Ok(None) };
        let path_there = known_there.map_or_else(|| as_named.clone(), |(path, _)| path.clone());
        let (path, sight) = if let Some(entry) = sides.here.get(name) {
            (entry.path.clone(), self.here.read(&self.state, entry)?)
        } else {
            let path = self.here.spelled(&path_there);
            let sight = self.here.look(&self.state, &path)?;
            (path, sight)
        };
        let here = match sight {
            Sight::File(file) => Some(file),
            Sight::Absent => None,
            Sight::Unknown(reason) => {
                self.tally.left(name, path.as_str(), reason);
                return Ok(None);
            }
            Sight::PassedOver(reason) => {
                if known_there.is_some() || base.is_some() {
                    self.tally.passed_over(name, path.as_str(), reason);
                }
                return Ok(None);
            }
        };
        let there = match known_there {
            Some((_, Some(hash))) => Some(*hash),
            // The server has not read it yet, or was not asked.
            Some((path, None)) => match self.server.look(path).map_err(refused) {
                Ok(hash) => hash,
                Err(refused) => {
                    if let Ended::Left(reason) = refused? {
                        let is_of_server = here.is_none() && base.is_none();
                        let take_down = if is_of_server { Tally::passed_over } else { Tally::left };
                        take_down(&self.tally, name, path.as_str(), reason);
                    }
                    return Ok(None);
                }
            },
            None if sides.knows_there => None,
            None => base.map(|base| base.hash),
        };
        let step = decide(base.map(|base| base.hash), here.as_ref().map(|file| file.hash), there);
        let path_there = if known_there.is_none() && here.is_some() { path.clone() } else { path_there };
        Ok(Some(Case { name: name.to_owned(), path, path_there, base, here, there, step }))
    }

    /// Refuses to delete everything on one side because everything is gone on the other: a disk that was wiped looks like that.
    fn check_emptied(&self, cases: &[Case], sides: &Sides, is_whole: bool) -> Result<(), SyncError> {
        if self.delete_all {
            return Ok(());
        }
        let num_files = self.state.bases().len();
        let num_deleted = |step| cases.iter().filter(|case| case.step == step).count();
        // A single file that got another name is no folder that was emptied.
        let is_emptied = |num_deleted: usize, is_empty: bool| {
            num_deleted > 0 && num_deleted == num_files && (num_files > 1 || is_empty)
        };
        let has_none_here = is_whole && sides.here.is_empty() || !is_whole && num_files == 1;
        if is_emptied(num_deleted(Step::DeleteThere), has_none_here) {
            return Err(SyncError::Emptied { num_files, side: "here", other_side: "on the server" });
        }
        if is_emptied(num_deleted(Step::DeleteHere), sides.there.is_empty()) {
            return Err(SyncError::Emptied { num_files, side: "on the server", other_side: "here" });
        }
        Ok(())
    }

    /// Does what was decided, in an order in which nothing is in the way of anything else.
    fn carry_out_all(&self, cases: Vec<Case>, revision: Revision) -> Result<BTreeMap<String, RelPath>, SyncError> {
        let (mut transfers, mut uploads) = (Vec::new(), Vec::new());
        let (mut deletions, mut come_here, mut made_there) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for case in cases {
            self.tally.clear(&case.name);
            match case.step {
                Step::Nothing => {}
                Step::Agree => {
                    if let Some(hash) = case.there {
                        self.state.agree(&case.name, Base { hash, revision })?;
                    }
                }
                Step::Forget => self.state.forget(&case.name)?,
                Step::DeleteHere | Step::DeleteThere => deletions.push(case),
                Step::Download => {
                    come_here.insert(case.path.clone());
                    transfers.push(case);
                }
                Step::Upload => {
                    uploads.extend(case.here.as_ref().map(|file| (case.name.clone(), file.hash)));
                    made_there.insert(case.path_there.clone());
                    transfers.push(case);
                }
                Step::KeepBoth => transfers.push(case),
            }
        }
        let is_in_the_way = |case: &Case| match case.step {
            Step::DeleteHere => touches(&come_here, &case.path),
            _ => touches(&made_there, &case.path_there),
        };
        let (first, last): (Vec<_>, Vec<_>) = deletions.into_iter().partition(is_in_the_way);
        let again = Mutex::new(BTreeMap::new());
        // Those deepest in a folder before it.
        for mut part in [first, transfers] {
            part.sort_by(|one, other| other.path.cmp(&one.path));
            self.carry_out_each(part, revision, &again)?;
        }
        // A file that has another name here now, under which the server has not taken it, stays there.
        let unsent: BTreeSet<ContentHash> = self.unsent(&uploads);
        let is_moved =
            |case: &Case| case.step == Step::DeleteThere && case.base.is_some_and(|base| unsent.contains(&base.hash));
        let (kept, last): (Vec<_>, Vec<_>) = last.into_iter().partition(is_moved);
        for case in kept {
            let reason = "it has another name here, under which the server has not taken it yet".to_owned();
            self.tally.left(&case.name, case.path.as_str(), reason);
        }
        self.carry_out_each(last, revision, &again)?;
        Ok(again.into_inner())
    }

    /// The contents of uploads that were not acknowledged.
    fn unsent(&self, uploads: &[(String, ContentHash)]) -> BTreeSet<ContentHash> {
        let is_unsent = |name: &str, hash| self.state.base(name).is_none_or(|base| base.hash != hash);
        uploads.iter().filter(|(name, hash)| is_unsent(name, *hash)).map(|(_, hash)| *hash).collect()
    }

    fn carry_out_each(
        &self,
        cases: Vec<Case>,
        revision: Revision,
        again: &Mutex<BTreeMap<String, RelPath>>,
    ) -> Result<(), SyncError> {
        let num_threads = NUM_THREADS.min(cases.len());
        for case in &cases {
            self.tally.begin(&case.name, case.path.as_str());
        }
        let queue = Mutex::new(VecDeque::from(cases));
        let failure = Mutex::new(None);
        let work = || {
            loop {
                let Some(case) = queue.lock().pop_back() else { return };
                if self.stop.is_over() || failure.lock().is_some() {
                    self.tally.left(&case.name, case.path.as_str(), "it was not reached in time".to_owned());
                    continue;
                }
                match self.carry_out(&case, revision) {
                    Ok(Ended::Done) => self.tally.clear(&case.name),
                    Ok(Ended::Again) => drop(again.lock().insert(case.name.clone(), case.path.clone())),
                    Ok(Ended::Left(reason)) => self.tally.left(&case.name, case.path.as_str(), reason),
                    Ok(Ended::PassedOver(reason)) => self.tally.passed_over(&case.name, case.path.as_str(), reason),
                    Err(error) => {
                        self.tally.left(&case.name, case.path.as_str(), error.to_string());
                        failure.lock().get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..num_threads {
                scope.spawn(work);
            }
            work();
        });
        failure.into_inner().map_or(Ok(()), Err)
    }
}

/// Whether a path is one of the others, above one or below one.
fn touches(others: &BTreeSet<RelPath>, path: &RelPath) -> bool {
    let path = path.as_str();
    let below = format!("{path}/");
    path.match_indices('/').any(|(at, _)| others.contains(&path[..at]))
        || others
            .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
            .next()
            .is_some_and(|other| other.as_str().starts_with(&below))
}
