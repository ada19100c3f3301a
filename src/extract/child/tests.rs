//! Children that go wrong in every way, and one that tries what it may not.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use super::wire::{
    Body, read_answer, read_greeting, read_part, read_request, write_answer, write_greeting, write_part, write_request,
};
use super::*;
use crate::extract::drawn::PageQuestion;
use crate::extract::{Document, ExtractError, Extractor, Hints, Source, extract};
use crate::workspace::ContentHash;

const LIMITS: Limits = Limits {
    timeout: Duration::from_mins(1),
    memory_bytes: 200_000_000,
    text_bytes: 1_000_000,
    base_text_bytes: 1_000_000,
    structure_bytes: 1_000_000,
    most_structure_bytes: 1_000_000,
    max_children: 4,
    memory_of_all_bytes: 1_000_000_000,
    max_tries: 3,
};

/// Bytes of structure of which no test has as many.
const MANY: u64 = 1_000_000;

/// A child that is a shell script. The memory limit is its `$0`.
fn script(script: &str, limits: Limits) -> Children {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    Children::new(Program { path: PathBuf::from("/bin/sh"), arguments }, limits).unwrap()
}

#[track_caller]
fn failure(children: &Children) -> String {
    match children.extract(b"some words".to_vec(), "a.txt") {
        Err(ExtractError::Failed { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_that_hangs_is_ended_when_its_time_is_up() {
    let limits = Limits { timeout: Duration::from_millis(50), ..LIMITS };
    for hangs in ["exec sleep 1000", "exec tail -f /dev/null"] {
        assert_eq!(failure(&script(hangs, limits)), "reading it takes longer than 0 s");
    }
}

#[test]
fn a_child_that_takes_too_much_memory_is_ended() {
    // Keeps a line without an end.
    let children = script("exec tail -n 1 /dev/zero", LIMITS);
    assert_eq!(failure(&children), "reading it takes more than 200 MB of memory");
}

#[test]
fn a_child_that_dies_is_said_to_have_and_how() {
    assert!(failure(&script("kill -s SEGV $$", LIMITS)).contains("signal: 11"));
    assert!(failure(&script("exit 7", LIMITS)).contains("exit status: 7"));
    let reason = failure(&script("echo memory allocation of 99 bytes failed >&2; kill -s ABRT $$", LIMITS));
    assert_eq!(reason, "reading it takes more than 200 MB of memory");
}

#[test]
fn a_child_that_makes_no_sense_is_not_believed() {
    for babble in [
        r"printf '\000\000\000\000\000\000\000\000\003\000\000\000\000\000\000\000abc'; exec sleep 1000",
        r"printf '\000\000\000\000\000\000\000\000\377\377\377\377\377\377\377\177'; exec sleep 1000",
    ] {
        let reason = failure(&script(babble, LIMITS));
        assert!(reason.contains("went wrong") || reason.contains("too many paragraphs"), "{reason}");
    }
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_file() {
    let children = Children::new(Program { path: PathBuf::from("/no/such/program"), arguments: Vec::new() }, LIMITS);
    let refused = children.unwrap().extract(b"words".to_vec(), "a.txt");
    assert!(matches!(refused, Err(ExtractError::Unavailable { .. })), "{refused:?}");
}

#[test]
fn a_child_that_goes_wrong_over_a_page_is_ended_and_only_the_page_fails() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("a.pdf"), b"%PDF-1.4").unwrap();
    let files = crate::files::at(&fs_err::canonicalize(folder.path()).unwrap(), crate::files::RuleLimits::default());
    let failure = |children: &Children| {
        let mut file = files.open(&"a.pdf".parse().unwrap(), None).unwrap();
        let source = Source { file: &mut *file, size: 8, content_hash: ContentHash::of(b"%PDF-1.4") };
        let page = PageQuestion { number: 1, width: Some(10), mark: None };
        match children.draw_page(source, "a.pdf", &page) {
            Err(ExtractError::Failed { reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let limits = Limits { timeout: Duration::from_millis(50), ..LIMITS };
    assert_eq!(failure(&script("exec sleep 1000", limits)), "reading it takes longer than 0 s");
    assert_eq!(failure(&script("exec tail -n 1 /dev/zero", LIMITS)), "reading it takes more than 200 MB of memory");
    assert!(failure(&script("kill -s SEGV $$", LIMITS)).contains("signal: 11"));
    let endless = r"printf '\000\000\000\000\000\000\000\000\377\377\377\377\377\377\377\177'; exec sleep 1000";
    assert!(failure(&script(endless, LIMITS)).contains("went wrong"));
}

/// A script that answers one file as a reader does, and the document that it makes of it.
fn answering(folder: &std::path::Path) -> (String, Document) {
    let answer = folder.join("answer");
    let mut bytes = Vec::new();
    write_greeting(&mut bytes, None).unwrap();
    let document = extract(b"some words", Hints { file_name: "a.txt" }).unwrap();
    write_answer(&mut bytes, &Ok(document.clone())).unwrap();
    fs_err::write(&answer, bytes).unwrap();
    (format!("cat {}; exec cat > /dev/null", answer.display()), document)
}

#[cfg(unix)]
#[test]
fn a_file_whose_reader_is_ended_from_outside_is_tried_again_and_not_for_ever() {
    for signal in ["KILL", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let (answers, document) = answering(folder.path());
        let tries = folder.path().join("tries");
        let dies = |times: usize| {
            let tries = tries.display();
            format!("echo >> {tries}; [ $(wc -c < {tries}) -gt {times} ] || kill -s {signal} $$; {answers}")
        };
        assert_eq!(script(&dies(2), LIMITS).extract(b"some words".to_vec(), "a.txt").unwrap(), document);
        assert_eq!(fs_err::read(&tries).unwrap().len(), 3);
        fs_err::remove_file(&tries).unwrap();
        let given_up = script(&dies(9), LIMITS).extract(b"some words".to_vec(), "a.txt");
        let Err(ExtractError::Killed { reason }) = given_up else { panic!("{given_up:?}") };
        assert!(reason.contains("3 times") && reason.contains("limits.reader_tries"), "{reason}");
        assert_eq!(fs_err::read(&tries).unwrap().len(), 3);
    }
}

#[test]
fn a_structure_that_is_too_large_for_its_file_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, document) = answering(folder.path());
    let children = script(&answers, Limits { structure_bytes: 0, ..LIMITS });
    // A file of ten bytes may have some hundred of structure, and an empty one none.
    assert_eq!(children.extract(b"some words".to_vec(), "a.txt").unwrap(), document);
    let refused = script(&answers, Limits { structure_bytes: 0, ..LIMITS }).extract(Vec::new(), "a.txt");
    let Err(ExtractError::Failed { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("for its size") && reason.contains("limits.reader_structure_mb"), "{reason}");
    let refused = script(&answers, Limits { most_structure_bytes: 9, ..LIMITS }).extract(vec![b' '; 9_000], "a.txt");
    let Err(ExtractError::Failed { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("limits.reader_structure_most_mb"), "{reason}");
}

#[test]
fn a_text_that_is_too_long_for_its_file_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, document) = answering(folder.path());
    let limits = Limits { base_text_bytes: 9, ..LIMITS };
    // Ten bytes of text: nine may be of any file, and a file of one byte may have 32 more.
    assert_eq!(script(&answers, limits).extract(b"x".to_vec(), "a.txt").unwrap(), document);
    let refused = script(&answers, limits).extract(Vec::new(), "a.txt");
    let Err(ExtractError::Failed { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("too long for its size") && reason.contains("limits.reader_text_mb"), "{reason}");
    assert_eq!(limits.text_bytes_of(1_000), 32_009);
    assert_eq!(limits.text_bytes_of(u64::MAX), limits.text_bytes, "however large the file is");
}

#[test]
fn idle_children_count_among_all_and_go_first_where_all_take_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, document) = answering(folder.path());
    let read = |children: &Children| {
        assert_eq!(children.extract(b"some words".to_vec(), "a.txt").unwrap(), document);
        children.readers().unwrap()
    };
    let kept = read(&script(&answers, LIMITS));
    assert_eq!((kept.busy, kept.idle, kept.started), (0, 1, 1));
    // A shell has a megabyte, and all together may have less.
    let children = script(&answers, Limits { memory_of_all_bytes: 1_000, ..LIMITS });
    for started in 1..3 {
        let counts = read(&children);
        assert_eq!((counts.idle, counts.started), (0, started));
    }
}

#[test]
fn children_are_counted_with_what_became_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, _) = answering(folder.path());
    let tries = folder.path().join("tries");
    let dies_once = format!("echo >> {0}; [ $(wc -c < {0}) -gt 1 ] || kill -s KILL $$; {answers}", tries.display());
    let children = script(&dies_once, LIMITS);
    children.extract(b"some words".to_vec(), "a.txt").unwrap();
    let counts = children.readers().unwrap();
    assert_eq!((counts.started, counts.retries, counts.idle, counts.waiting), (2, 1, 1, 0));
    assert_eq!(counts.ended, [("time", 0), ("memory", 0), ("outside", 1), ("crash", 0)]);
    let children = script("exit 7", LIMITS);
    failure(&children);
    assert_eq!(children.readers().unwrap().ended[3], ("crash", 1));
}

#[cfg(target_os = "linux")]
#[test]
fn all_children_together_keep_to_their_memory_and_a_file_is_then_read_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (answers, document) = answering(folder.path());
    // Each takes some 60 MB. The first two answer when the other one is no more.
    let begun = folder.path().join("begun");
    let holds = format!(
        "echo $$ >> {0}; x=$(head -c 60000000 /dev/zero | tr '\\0' x)
         while [ $(wc -l < {0}) -lt 2 ]; do sleep 0.01; done
         [ $(wc -l < {0}) -ge 3 ] || for one in $(head -n 2 {0}); do [ $one = $$ ] || while kill -0 $one 2> /dev/null; do sleep 0.01; done; done
         {answers}",
        begun.display()
    );
    let children = script(&holds, Limits { memory_of_all_bytes: 80_000_000, ..LIMITS });
    std::thread::scope(|scope| {
        let read = || scope.spawn(|| children.extract(b"some words".to_vec(), "a.txt").unwrap());
        let [one, other] = [read(), read()];
        assert_eq!([one.join().unwrap(), other.join().unwrap()], [document.clone(), document]);
    });
    let begun = fs_err::read_to_string(&begun).unwrap();
    assert_eq!(begun.lines().count(), 3, "one of the two was ended and read again");
}

/// A child that answers once, as the last one did, and dies at its second file.
#[test]
fn a_warm_child_that_dies_is_replaced_and_the_file_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    let mut bytes = Vec::new();
    write_greeting(&mut bytes, None).unwrap();
    let document = extract(b"some words", Hints { file_name: "a.txt" }).unwrap();
    write_answer(&mut bytes, &Ok(document.clone())).unwrap();
    fs_err::write(&answer, bytes).unwrap();
    let num_bytes = 8 + "a.txt".len() + 8 + "some words".len();
    let once = format!("head -c {num_bytes} > /dev/null; cat {}; head -c 1 > /dev/null", answer.display());
    let children = script(&once, LIMITS);
    for _ in 0..3 {
        assert_eq!(children.extract(b"some words".to_vec(), "a.txt").unwrap(), document);
    }
}

proptest! {
    #[test]
    fn what_is_said_is_what_is_heard(text in "(# [a-z]{1,8}\n\n|[a-z ]{0,40}\n|\\| a \\| b \\|\n){0,12}", name in "[a-z]{1,8}\\.(md|txt|csv)") {
        let mut pipe = Vec::new();
        let question = Question::File { file_name: name.clone(), max_text_bytes: 9 };
        write_request(&mut pipe, &question, &mut Body::Bytes(text.as_bytes())).unwrap();
        let request = read_request(&mut &pipe[..]).unwrap().unwrap();
        prop_assert_eq!((request.0, &request.1[..]), (question, text.as_bytes()));
        let document = extract(text.as_bytes(), Hints { file_name: &name }).unwrap();
        let mut pipe = Vec::new();
        write_answer(&mut pipe, &Ok(document.clone())).unwrap();
        prop_assert_eq!(read_answer(&mut &pipe[..], text.len(), MANY).unwrap().unwrap(), document);
        // A pipe that breaks off is an error, wherever it does.
        for end in 0..pipe.len() {
            prop_assert!(read_answer(&mut &pipe[..end], text.len(), MANY).is_err());
        }
        let part = InProcess.extract_part(text.as_bytes(), false, &name, None);
        let mut pipe = Vec::new();
        write_part(&mut pipe, &part).unwrap();
        prop_assert_eq!(read_part(&mut &pipe[..], text.len(), text.len(), MANY).unwrap(), part.clone());
        for end in 0..pipe.len() {
            prop_assert!(read_part(&mut &pipe[..end], text.len(), text.len(), MANY).is_err());
        }
        if let Ok(Some(part)) = part && part.num_used > 0 {
            prop_assert!(read_part(&mut &pipe[..], part.num_used - 1, text.len(), MANY).is_err(), "more than was given");
        }
    }

    #[test]
    fn whatever_a_child_says_gives_no_document_whose_spans_are_not_in_its_text(at in 0..400_usize, byte: u8) {
        let text = "# Über\n\nWörter stehen hier.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
        let document = extract(text.as_bytes(), Hints { file_name: "a.md" }).unwrap();
        let mut pipe = Vec::new();
        write_answer(&mut pipe, &Ok(document.clone())).unwrap();
        let at = at % pipe.len();
        pipe[at] = byte;
        if let Ok(Ok(document)) = read_answer(&mut &pipe[..], 10_000, MANY) {
            assert_is_sound(&document);
        }
    }
}

fn assert_is_sound(document: &Document) {
    let mut end = 0;
    for block in &document.blocks {
        assert!(block.span.start >= end && block.span.of(&document.text).is_some_and(|words| !words.is_empty()));
        end = block.span.end;
    }
}

#[test]
fn a_child_that_cannot_be_confined_reads_and_says_so() {
    let mut greeting = Vec::new();
    write_greeting(&mut greeting, Some("no filter")).unwrap();
    assert_eq!(read_greeting(&mut &greeting[..]).unwrap().as_deref(), Some("no filter"));
    let document = extract(b"some words", Hints { file_name: "a.txt" }).unwrap();
    write_answer(&mut greeting, &Ok(document.clone())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("said"), greeting).unwrap();
    let children = script(&format!("cat {}; exec cat > /dev/null", folder.path().join("said").display()), LIMITS);
    assert_eq!(children.weakness(), None);
    assert_eq!(children.extract(b"some words".to_vec(), "a.txt").unwrap(), document);
    assert!(children.weakness().unwrap().ends_with(": no filter"));
}

#[test]
fn a_text_that_is_too_long_is_not_taken() {
    let document = extract(b"twelve bytes", Hints { file_name: "a.txt" }).unwrap();
    let mut pipe = Vec::new();
    write_answer(&mut pipe, &Ok(document.clone())).unwrap();
    assert!(read_answer(&mut &pipe[..], 12, MANY).is_ok());
    assert_eq!(read_answer(&mut &pipe[..], 11, MANY).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

/// Set in the process that tries what it may not.
const CONFINED: &str = "PINCITE_TEST_CONFINED";

#[test]
#[ignore = "confines its process for good: started by the test below"]
fn a_confined_life() {
    if std::env::var_os(CONFINED).is_none() {
        return;
    }
    let file = std::env::temp_dir().join("pincite-confined");
    let parent = rustix::process::getppid().unwrap();
    let (_, mut output) = confine::channels().unwrap();
    confine::confine(100_000_000).unwrap();
    // The harness has not ended its line.
    writeln!(output).unwrap();
    let mut say = |what: &str, is_refused: bool| writeln!(output, "{what}: {is_refused}").unwrap();
    say("read a file", std::fs::File::open("/etc/hostname").is_err() && std::fs::read_dir("/").is_err());
    say("write a file", std::fs::write(&file, "x").is_err() && std::fs::create_dir(&file).is_err());
    say("connect", std::net::TcpStream::connect("127.0.0.1:9").unwrap_err().raw_os_error() == Some(libc::EPERM));
    say("listen", std::net::TcpListener::bind("127.0.0.1:0").is_err());
    say("start a process", Command::new("/bin/true").spawn().is_err());
    say("start a thread", std::thread::Builder::new().spawn(|| ()).is_err());
    say("end another", rustix::process::kill_process(parent, rustix::process::Signal::CONT).is_err());
    say("allocate", vec![1_u8; 50_000_000].len() == 50_000_000);
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_can_reach_nothing_of_the_system() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "extract::child::tests::a_confined_life", "--ignored", "--test-threads=1", "--nocapture"]);
    let output = command.env(CONFINED, "1").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let said: Vec<&str> = said.lines().filter(|line| line.ends_with(": true") || line.ends_with(": false")).collect();
    let tried =
        ["read a file", "write a file", "connect", "listen", "start a process", "start a thread", "end another"];
    let expected: Vec<String> = tried.iter().chain(&["allocate"]).map(|what| format!("{what}: true")).collect();
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
