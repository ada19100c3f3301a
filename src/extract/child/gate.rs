//! The turns of those who want a child: a request waits for one file, the line for many.
//!
//! # Invariants
//! - At most so many are inside as there are places, and one of more than one place is never taken by the line.
//! - Within a kind, who came first goes first. Where both kinds wait, they take turns, so neither waits for all of the other.
//! - Pages are drawn for those who wait, in at most half of the places, so that they keep nobody from reading a file.
//! - A job that must run alone goes in when nobody is inside, and nobody else goes in meanwhile.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Who wants a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody who waits for one file.
    Request,
    /// Somebody who looks at a page.
    Picture,
    /// The line, which reads all that have changed.
    Line,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    number: u64,
    kind: Kind,
    is_alone: bool,
}

#[derive(Debug, Default)]
struct State {
    next_number: u64,
    waiting: VecDeque<Ticket>,
    num_inside: usize,
    num_of_line: usize,
    num_of_pictures: usize,
    has_loner: bool,
    /// The kind that went in last.
    last: Option<Kind>,
}

/// So many places.
#[derive(Debug)]
pub(super) struct Gate {
    places: usize,
    state: Mutex<State>,
    changed: Condvar,
}

/// A place. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    ticket: Ticket,
}

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self { places: places.max(1), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits for a place.
    pub(super) fn enter(&self, kind: Kind, is_alone: bool) -> Pass<'_> {
        let mut state = self.state();
        let ticket = Ticket { number: state.next_number, kind, is_alone };
        state.next_number += 1;
        state.waiting.push_back(ticket);
        self.changed.wait_while(&mut state, |state| self.next(state) != Some(ticket));
        state.waiting.retain(|waiting| waiting.number != ticket.number);
        state.num_inside += 1;
        state.num_of_line += usize::from(kind == Kind::Line);
        state.num_of_pictures += usize::from(kind == Kind::Picture);
        state.has_loner |= is_alone;
        state.last = Some(kind);
        drop(state);
        // There may be a place for another one.
        self.changed.notify_all();
        Pass { gate: self, ticket }
    }

    /// How many wait for a place.
    pub(super) fn num_waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Who goes in now, if anybody does.
    fn next(&self, state: &State) -> Option<Ticket> {
        if state.has_loner || state.num_inside >= self.places {
            return None;
        }
        let may_draw = state.num_of_pictures < (self.places / 2).max(1);
        let first = |is_one: &dyn Fn(Kind) -> bool| state.waiting.iter().find(|ticket| is_one(ticket.kind)).copied();
        let of_request = first(&|kind| kind == Kind::Request || (kind == Kind::Picture && may_draw));
        let of_line =
            first(&|kind| kind == Kind::Line).filter(|_| state.num_of_line < self.places.saturating_sub(1).max(1));
        let next = match (of_request, of_line) {
            (Some(request), Some(of_line)) => {
                if state.last.is_some_and(|last| last != Kind::Line) {
                    of_line
                } else {
                    request
                }
            }
            (one, other) => one.or(other)?,
        };
        // Who comes after a loner waits for it, or it would never be alone.
        (!next.is_alone || state.num_inside == 0).then_some(next)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.num_inside -= 1;
        state.num_of_line -= usize::from(self.ticket.kind == Kind::Line);
        state.num_of_pictures -= usize::from(self.ticket.kind == Kind::Picture);
        if self.ticket.is_alone {
            state.has_loner = false;
        }
        drop(state);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(num_inside: usize, num_of_line: usize, last: Option<Kind>, waiting: &[(Kind, bool)]) -> State {
        let ticket = |(number, &(kind, is_alone))| Ticket { number, kind, is_alone };
        let waiting = (0..).zip(waiting).map(ticket).collect();
        State { waiting, num_inside, num_of_line, last, ..State::default() }
    }

    fn next(gate: &Gate, state: &State) -> Option<u64> {
        gate.next(state).map(|ticket| ticket.number)
    }

    #[test]
    fn one_place_is_never_taken_by_the_line() {
        let (gate, line) = (Gate::new(3), (Kind::Line, false));
        assert_eq!(next(&gate, &state(1, 1, None, &[line])), Some(0));
        assert_eq!(next(&gate, &state(2, 2, None, &[line])), None);
        assert_eq!(next(&gate, &state(2, 2, None, &[line, (Kind::Request, false)])), Some(1));
        assert_eq!(next(&gate, &state(3, 2, None, &[(Kind::Request, false)])), None);
        assert_eq!(next(&Gate::new(1), &state(0, 0, None, &[line])), Some(0), "of a single place it may have that");
    }

    #[test]
    fn where_both_kinds_wait_they_take_turns() {
        let (gate, both) = (Gate::new(2), [(Kind::Line, false), (Kind::Request, false), (Kind::Request, false)]);
        assert_eq!(next(&gate, &state(0, 0, Some(Kind::Line), &both)), Some(1));
        assert_eq!(next(&gate, &state(0, 0, Some(Kind::Request), &both)), Some(0));
    }

    #[test]
    fn pages_are_drawn_in_half_of_the_places_and_in_the_turns_of_requests() {
        let (gate, picture, request) = (Gate::new(4), (Kind::Picture, false), (Kind::Request, false));
        let drawing =
            |num_of_pictures, waiting: &[(Kind, bool)]| State { num_of_pictures, ..state(2, 0, None, waiting) };
        assert_eq!(next(&gate, &drawing(1, &[picture, request])), Some(0));
        assert_eq!(next(&gate, &drawing(2, &[picture])), None);
        assert_eq!(next(&gate, &drawing(2, &[picture, request])), Some(1), "a reader goes past those who may not");
        assert_eq!(next(&Gate::new(1), &state(0, 0, None, &[picture])), Some(0));
        assert_eq!(next(&gate, &state(0, 0, Some(Kind::Picture), &[picture, (Kind::Line, false)])), Some(1));
    }

    #[test]
    fn a_loner_waits_for_all_inside_and_those_behind_wait_for_it() {
        let gate = Gate::new(4);
        let waiting = [(Kind::Line, true), (Kind::Line, false)];
        assert_eq!(next(&gate, &state(1, 1, None, &waiting)), None);
        assert_eq!(next(&gate, &state(0, 0, None, &waiting)), Some(0));
        let inside = State { has_loner: true, ..state(1, 1, None, &waiting) };
        assert_eq!(next(&gate, &inside), None);
    }

    #[test]
    fn no_more_are_inside_than_there_are_places() {
        let (gate, most, inside) = (Gate::new(3), Mutex::new(0), Mutex::new(0));
        std::thread::scope(|scope| {
            for number in 0..24 {
                let (gate, most, inside) = (&gate, &most, &inside);
                scope.spawn(move || {
                    let kind = [Kind::Line, Kind::Request, Kind::Picture][number % 3];
                    let _pass = gate.enter(kind, number % 8 == 0);
                    let now = {
                        let mut inside = inside.lock();
                        *inside += 1;
                        *inside
                    };
                    {
                        let mut most = most.lock();
                        *most = now.max(*most);
                    }
                    std::thread::yield_now();
                    *inside.lock() -= 1;
                });
            }
        });
        assert!(*most.lock() <= 3);
        let state = gate.state();
        assert_eq!((state.num_inside, state.num_of_line, state.num_of_pictures), (0, 0, 0));
    }
}
