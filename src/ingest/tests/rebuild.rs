//! An index that is built beside the one that serves, while files go on to change.

use proptest::prelude::*;

use super::failpoints::Whole;
use super::*;
use crate::index::Batch;

impl Place {
    pub(super) fn begin_rebuild(&self) {
        self.store.begin_rebuild(&self.workspace).unwrap().unwrap();
    }

    /// Brings files into the index that is being built, where one is, until `most` are done; opens it anew, as after a crash.
    /// Returns whether nothing is left to do.
    pub(super) fn rebuild_some(&self, most: usize) -> bool {
        let row = self.store.workspace(&self.workspace).unwrap();
        let Some(generation) = row.next_generation else { return false };
        let index = open_index(&self.data, &self.store, generation);
        let (files, mut walk) = (self.there(), Rebuild::default());
        let line = self.line(&*files, &index);
        let limits = BatchLimits { max_files: 1, ..BatchLimits::WHOLE };
        for _ in 0..most {
            if walk.some(&line, limits).unwrap() == 0 {
                index.adopt_vectors(&self.index).unwrap();
                return true;
            }
        }
        false
    }

    /// Lets the index that is being built take over, where one is and it holds everything. Returns whether it does.
    fn swap(&mut self) -> bool {
        let row = self.store.workspace(&self.workspace).unwrap();
        let Some(generation) = row.next_generation else { return false };
        let index = open_index(&self.data, &self.store, generation);
        let revision = self.index.snapshot().unwrap().revision();
        index.apply(&Batch { revision, ..Batch::default() }).unwrap();
        let is_swapped = self.store.swap(&self.workspace, row.epoch).unwrap();
        if is_swapped {
            self.index = index;
        }
        is_swapped
    }

    pub(super) fn finish_rebuild(&mut self) {
        if self.store.workspace(&self.workspace).unwrap().next_generation.is_some() {
            assert!(self.rebuild_some(10_000) && self.swap(), "nothing is left to do, and still it does not take over");
        }
    }
}

fn assert_is_as_the_oracle_has_it(place: &Place, what: &str) {
    let whole = Whole::of(&place.store, &place.workspace, &place.index);
    assert_eq!(whole, Whole::by_the_oracle(place), "{what}");
}

#[test]
fn an_index_that_was_built_again_holds_what_the_old_one_held_and_nothing_is_embedded() {
    let mut place = Place::new();
    place.write("a.md", paragraph("plainash"));
    place.write("b.bin", [0_u8, 159, 146, 150, 0, 1, 2, 3]);
    place.write("c.txt", "");
    place.run();
    let states = ["a.md", "b.bin", "c.txt"].map(|path| place.state(path));
    place.begin_rebuild();
    assert!(!place.swap(), "nothing is built yet");
    place.finish_rebuild();
    assert_eq!(["a.md", "b.bin", "c.txt"].map(|path| place.state(path)), states);
    assert_eq!(place.run().embedded.len(), 0);
    assert_is_as_the_oracle_has_it(&place, "");
    let row = place.store.workspace(&place.workspace).unwrap();
    assert_eq!((row.generation, row.next_generation), (1, None));
}

#[test]
fn a_file_that_has_changed_without_a_word_in_the_log_is_found_by_the_walk() {
    let mut place = Place::new();
    place.write("a.md", paragraph("plainash"));
    place.write("b.md", paragraph("plainelm"));
    place.run();
    place.begin_rebuild();
    place.write("a.md", paragraph("plainfir"));
    fs_err::remove_file(place.files.path().join("b.md")).unwrap();
    place.finish_rebuild();
    let files = place.there();
    index_pending(&place.line(&*files, &place.index)).unwrap();
    assert_eq!((place.with_words("plainfir"), place.with_words("plainash plainelm")), (set(&["a.md"]), set(&[])));
    assert_eq!(place.state("b.md"), None);
}

#[test]
fn what_changes_behind_the_walk_is_built_again_before_the_new_index_takes_over() {
    let mut place = Place::new();
    for (path, word) in [("a.md", "plainash"), ("b.md", "plainelm"), ("c.md", "plainfir")] {
        place.write(path, paragraph(word));
    }
    place.run();
    place.begin_rebuild();
    assert!(place.rebuild_some(10));
    place.write("a.md", paragraph("plainoak"));
    fs_err::remove_file(place.files.path().join("b.md")).unwrap();
    place.run();
    assert!(!place.swap(), "two files have changed since they were built");
    place.finish_rebuild();
    assert_eq!(place.with_words("plainash plainelm"), set(&[]));
    place.run();
    assert_is_as_the_oracle_has_it(&place, "");
}

#[test]
fn a_file_whose_change_is_pending_when_the_new_index_takes_over_is_hidden_and_then_read_anew() {
    let mut place = Place::new();
    place.write("a.md", paragraph("plainash"));
    place.write("b.md", paragraph("plainelm"));
    place.run();
    place.begin_rebuild();
    assert!(place.rebuild_some(10));
    place.write("a.md", paragraph("plainfir"));
    place.run();
    // Touched, and not yet brought in: the file table knows this text, and the new index holds the one before.
    place.write("a.md", paragraph("plainfir"));
    fs_err::remove_file(place.files.path().join("b.md")).unwrap();
    place.scan();
    assert!(place.swap());
    assert_eq!(place.store.view(&place.workspace).unwrap().superseded.len(), 2, "both are hidden");
    place.run();
    assert_eq!((place.with_words("plainfir"), place.with_words("plainash plainelm")), (set(&["a.md"]), set(&[])));
    assert_is_as_the_oracle_has_it(&place, "");
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, u8),
    Remove(u8),
    Scan,
    /// One batch of what is pending, of one file.
    Index,
    Begin,
    Build(usize),
    Swap,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8).prop_map(|(file, word)| Step::Write(file, word)),
        1 => (0..3_u8).prop_map(Step::Remove),
        3 => Just(Step::Scan),
        3 => Just(Step::Index),
        2 => Just(Step::Begin),
        3 => (1..4_usize).prop_map(Step::Build),
        2 => Just(Step::Swap),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_while_an_index_is_built_again_the_outcome_is_that_of_the_log(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let words = ["plainash", "plainelm", "plainfir"];
        let mut place = Place::new();
        for step in &steps {
            match *step {
                Step::Write(file, word) => place.write(&format!("{file}.md"), paragraph(words[usize::from(word)])),
                Step::Remove(file) => drop(fs_err::remove_file(place.files.path().join(format!("{file}.md")))),
                Step::Scan => drop(place.scan()),
                Step::Index => {
                    let files = place.there();
                    let line = place.line(&*files, &place.index);
                    distrust_unacknowledged(&line).unwrap();
                    let limits = BatchLimits { max_files: 1, ..BatchLimits::WHOLE };
                    index_backfill(&line, limits, &mut LineReport::default()).unwrap();
                }
                Step::Begin => place.begin_rebuild(),
                Step::Build(most) => drop(place.rebuild_some(most)),
                Step::Swap => drop(place.swap()),
                Step::Restart => place = place.reopened(),
            }
        }
        place.run();
        place.finish_rebuild();
        place.run();
        assert_is_as_the_oracle_has_it(&place, &format!("{steps:?}"));
    }
}
