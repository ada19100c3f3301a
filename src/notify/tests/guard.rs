//! No webhook reaches a place that it may not reach: not by its address, by a name, by a name that changes, or by a redirect.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use super::receivers::{Answer, Receiver};
use super::{Desk, SHORT, rules};
use crate::config::Webhooks;
use crate::notify::connect::{Doorman, Names};
use crate::workspace::{DeliveryState, InvalidWebhook};

/// Answers look-ups one after the other; the last one stays.
#[derive(Debug)]
struct Scripted {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    num_asked: Mutex<usize>,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        let mut answers: Vec<Vec<IpAddr>> = answers.iter().map(parsed).collect();
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), num_asked: Mutex::default() })
    }
}

impl Names for Scripted {
    fn look_up(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        *self.num_asked.lock() += 1;
        let mut answers = self.answers.lock();
        let answer = if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() };
        Ok(answer.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

fn closed(names: Arc<Scripted>) -> Doorman {
    Doorman::asking(Webhooks::default(), names, SHORT)
}

#[test]
fn addresses_that_are_not_public_are_refused_however_they_are_written() {
    let doorman = Doorman::new(Webhooks::default());
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:1::1]",
        "[fe80::1]",
        "[fd00::1]",
    ] {
        let refused = doorman.check(&format!("http://{host}:9/hook")).unwrap_err();
        assert!(matches!(refused, InvalidWebhook::Address | InvalidWebhook::Unresolved), "{host}: {refused:?}");
    }
    assert!(matches!(doorman.check("http://user@1.1.1.1/"), Err(InvalidWebhook::Url { .. })));
    assert_eq!(doorman.check("http://1.1.1.1/"), Ok(()));
    assert_eq!(doorman.check("https://[2606:4700::1111]:8443/x"), Ok(()));
    let opened = Doorman::new(rules());
    assert_eq!(opened.check("http://127.0.0.1:9/"), Ok(()));
    assert_eq!(opened.check("http://[::1]:9/"), Err(InvalidWebhook::Address));
}

#[test]
fn one_address_that_is_not_allowed_refuses_a_name_with_all_its_addresses() {
    for answers in [&["8.8.8.8", "10.0.0.1"][..], &["10.0.0.1", "8.8.8.8"], &["8.8.8.8", "2606:4700::1111", "::1"]] {
        assert_eq!(closed(Scripted::new(&[answers])).check("https://a.example/"), Err(InvalidWebhook::Address));
    }
    let many: Vec<String> = (0..40).map(|number| format!("8.8.8.{number}")).chain(["10.0.0.1".to_owned()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        closed(Scripted::new(&[&many])).check("https://a.example/"),
        Err(InvalidWebhook::Address),
        "also beyond as many as are tried"
    );
    assert_eq!(closed(Scripted::new(&[&["8.8.8.8"]])).check("https://a.example/"), Ok(()));
    assert_eq!(closed(Scripted::new(&[&[]])).check("https://a.example/"), Err(InvalidWebhook::Unresolved));
}

#[test]
fn a_name_that_changes_after_the_check_brings_no_connection() {
    let receiver = Receiver::that(Answer::with(200, ""));
    let doorman = closed(Scripted::new(&[&["8.8.8.8"], &["127.0.0.1"]]));
    let url = format!("http://rebinding.example:{}/", receiver.port());
    assert_eq!(doorman.check(&url), Ok(()));
    let mut desk = Desk::with(&doorman);
    let webhook = desk.hook(&url);
    desk.change("a.md");
    desk.settle();
    desk.settle_at_next();
    let delivery = desk.deliveries(&webhook).remove(0);
    assert_eq!((delivery.state, delivery.tries, delivery.status), (DeliveryState::Pending, 2, None));
    assert!(delivery.error.unwrap().contains("not a public one"));
    assert_eq!(receiver.num_connections(), 0);
}

#[test]
fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    // Loopback has many addresses; the receiver listens at one of them.
    let receiver = Receiver::that(Answer::with(200, ""));
    let opened = Webhooks { allow_networks: vec!["127.0.0.1".parse().unwrap()] };
    // A second look-up in the same try would give an address that is not allowed.
    let names = Scripted::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let mut desk = Desk::with(&Doorman::asking(opened, names.clone(), SHORT));
    let webhook = desk.hook(&format!("http://moving.example:{}/", receiver.port()));
    desk.change("a.md");
    desk.settle();
    assert_eq!((*names.num_asked.lock(), receiver.got().len()), (1, 1));
    assert_eq!(receiver.got()[0].header("host"), format!("moving.example:{}", receiver.port()));
    // And the next connection is checked anew.
    desk.change("b.md");
    desk.settle();
    let deliveries = desk.deliveries(&webhook);
    assert_eq!((*names.num_asked.lock(), receiver.num_connections()), (2, 1));
    assert!(deliveries[1].error.as_ref().unwrap().contains("not a public one"));
}

#[test]
fn a_redirect_leads_nowhere() {
    let inside = Receiver::that(Answer::with(200, "secret"));
    for status in [301, 302, 303, 307, 308] {
        let outside = Receiver::that(Answer::Redirect(inside.url("/metadata"), status));
        let mut desk = Desk::new();
        let webhook = desk.hook(&outside.url("/"));
        desk.change("a.md");
        desk.settle();
        assert_eq!(desk.deliveries(&webhook)[0].status, Some(status));
    }
    assert_eq!(inside.num_connections(), 0);
}

/// Hangs in a look-up until it is told to go on.
#[derive(Debug)]
struct Stuck(Mutex<std::sync::mpsc::Receiver<()>>);

impl Names for Stuck {
    fn look_up(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let _ = self.0.lock().recv();
        Err(io::ErrorKind::NotFound.into())
    }
}

#[test]
fn a_name_that_is_never_found_holds_up_one_try_alone() {
    let (go_on, stuck) = std::sync::mpsc::channel();
    let mut desk = Desk::with(&Doorman::asking(rules(), Arc::new(Stuck(Mutex::new(stuck))), SHORT));
    let webhook = desk.hook("http://stuck.example/");
    desk.change("a.md");
    desk.settle();
    let error = desk.deliveries(&webhook).remove(0).error.unwrap();
    assert!(error.contains("could not be looked up in time"), "{error}");
    drop(go_on);
}
