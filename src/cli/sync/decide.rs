//! What is to be done with a path, by three hashes: what both sides had when they last agreed, and what each has now.

use crate::workspace::ContentHash;

/// What is to be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: both sides have what they last agreed on.
    Nothing,
    /// Both sides have the same, which is from now on what they agreed on last.
    Agree,
    /// Neither side has the file any more.
    Forget,
    /// The file here goes there, where it replaces exactly what is there now.
    Upload,
    /// The file there comes here, where it replaces exactly what is here now.
    Download,
    /// The file is deleted there, because it was deleted here and nobody changed it there.
    DeleteThere,
    /// The file is deleted here, because it was deleted there and nobody changed it here.
    DeleteHere,
    /// Both sides changed it: what is here gets another name, and what is there takes its place.
    KeepBoth,
}

/// Decides. `None` is a side without the file, or a path of which nothing was agreed on.
///
/// # Invariants
/// - A side loses its content only where that is the content which both agreed on, or the other side has the same.
/// - Without an agreement nothing is deleted.
pub(super) fn decide(base: Option<ContentHash>, here: Option<ContentHash>, there: Option<ContentHash>) -> Step {
    match (here, there) {
        _ if here == there && base == here => Step::Nothing,
        (Some(_), Some(_)) if here == there => Step::Agree,
        (None, None) => Step::Forget,
        // Changed there alone.
        (Some(_), Some(_)) if here == base => Step::Download,
        (Some(_), None) if here == base => Step::DeleteHere,
        // Changed here alone.
        (Some(_), Some(_)) if there == base => Step::Upload,
        (None, Some(_)) if there == base => Step::DeleteThere,
        // Changed on both sides: a change goes before a deletion.
        (Some(_), Some(_)) => Step::KeepBoth,
        (Some(_), None) => Step::Upload,
        (None, Some(_)) => Step::Download,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of few contents, or none, so that they are often equal.
    fn content() -> impl Strategy<Value = Option<ContentHash>> {
        proptest::option::of((0u8..4).prop_map(|byte| ContentHash([byte; 32])))
    }

    /// What both sides have when the step was done: here, there, and in a copy beside.
    fn done(step: Step, here: Option<ContentHash>, there: Option<ContentHash>) -> [Option<ContentHash>; 3] {
        match step {
            Step::Nothing | Step::Agree | Step::Forget => [here, there, None],
            Step::Upload => [here, here, None],
            Step::Download => [there, there, None],
            Step::DeleteThere | Step::DeleteHere => [None, None, None],
            Step::KeepBoth => [there, there, here],
        }
    }

    proptest! {
        #[test]
        fn both_sides_have_the_same_afterwards(base in content(), here in content(), there in content()) {
            let [after_here, after_there, _] = done(decide(base, here, there), here, there);
            prop_assert_eq!(after_here, after_there);
        }

        #[test]
        fn no_content_goes_that_was_not_agreed_on(base in content(), here in content(), there in content()) {
            let after = done(decide(base, here, there), here, there);
            for before in [here, there].into_iter().flatten() {
                prop_assert!(after.contains(&Some(before)) || base == Some(before), "{before} is lost");
            }
        }

        #[test]
        fn nothing_is_deleted_without_an_agreement(here in content(), there in content()) {
            prop_assert!(!matches!(decide(None, here, there), Step::DeleteHere | Step::DeleteThere));
        }

        #[test]
        fn the_sides_are_treated_alike(base in content(), here in content(), there in content()) {
            let mirrored = match decide(base, there, here) {
                Step::Upload => Step::Download,
                Step::Download => Step::Upload,
                Step::DeleteHere => Step::DeleteThere,
                Step::DeleteThere => Step::DeleteHere,
                same => same,
            };
            prop_assert_eq!(decide(base, here, there), mirrored);
        }

        #[test]
        fn a_step_that_was_done_and_not_noted_is_recognised(base in content(), here in content(), there in content()) {
            let [here, there, _] = done(decide(base, here, there), here, there);
            prop_assert!(matches!(decide(base, here, there), Step::Nothing | Step::Agree | Step::Forget));
        }
    }
}
