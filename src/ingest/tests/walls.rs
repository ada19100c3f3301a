//! Files with rules that would take memory or time, or that nobody ends; and paths that are too deep.

use super::*;
use crate::files::NotAdmitted;

fn problems(place: &Place) -> Vec<String> {
    place.scan().problems
}

/// What a scan finds, under limits.
fn scanned(place: &Place, limits: &RuleLimits) -> ScanReport {
    super::super::scan(&place.store, &place.workspace, &*at(&place.root(), *limits), &none_writes, &Silent).unwrap()
}

#[test]
fn a_line_of_nested_braces_does_not_count_and_the_others_do() {
    let place = Place::new();
    place.write(".gitignore", format!("*.log\n{}a{}\n*.tmp\n", "{".repeat(16_000), "}".repeat(16_000)));
    place.write("deep/.ignore", format!("{}\n", "{".repeat(3_000)));
    for path in ["a.log", "b.tmp", "c.txt", "deep/d.txt"] {
        place.write(path, "alpha");
    }
    let run = place.run();
    assert_eq!(place.with_words("alpha"), set(&["c.txt", "deep/d.txt"]));
    let told = run.scan.problems.join("\n");
    assert!(told.contains("`.gitignore`: line 2 does not count: the pattern has 32001 bytes"), "{told}");
    assert!(
        told.contains("`deep/.ignore`: line 1 does not count: the braces of the pattern are nested 3000 deep"),
        "{told}"
    );
    assert!(told.contains("`limits.pattern_nesting`") && told.contains("`limits.pattern_bytes`"), "{told}");
}

#[test]
fn of_lines_that_are_too_much_together_the_first_count() {
    let place = Place::new();
    let lines =
        (0..9_000).map(|number| format!("*foo{number}{{a,b{{c,d}}}}*bar[0-9]{number}\n")).collect::<Vec<_>>().concat();
    place.write(".gitignore", format!("*.log\n{lines}*.last\n"));
    for path in ["a.log", "b.last", "c.txt"] {
        place.write(path, "alpha");
    }
    let run = place.run();
    assert_eq!(place.with_words("alpha"), set(&["b.last", "c.txt"]));
    assert!(
        run.scan.problems[0].starts_with("`.gitignore`: its lines together are too much"),
        "{:?}",
        run.scan.problems
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_rules_that_is_a_pipe_a_device_or_a_link_holds_up_nothing() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    let at = |name: &str| place.files.path().join(name);
    for folder in ["pipe", "zero", "link", "own"] {
        place.write(&format!("{folder}/a.txt"), "alpha");
    }
    assert!(std::process::Command::new("mkfifo").arg(at("pipe/.gitignore")).status().unwrap().success());
    symlink("/dev/zero", at("zero/.ignore")).unwrap();
    place.write("rules", "*.txt\n");
    symlink(at("rules"), at("link/.pinciteignore")).unwrap();
    place.write("own/.pinciteignore", "*.txt\n");
    let run = place.run();
    assert_eq!(place.with_words("alpha"), set(&["link/a.txt", "pipe/a.txt", "zero/a.txt"]));
    let mut told = run.scan.problems;
    told.sort();
    assert_eq!(
        told,
        [
            "`link/.pinciteignore`: a symbolic link is no file with rules",
            "`pipe/.gitignore`: only a regular file has rules",
            "`zero/.ignore`: a symbolic link is no file with rules",
        ]
    );
    // Writes follow the same rule.
    let is_admitted = |path: &str| place.there().admits(&path.parse().unwrap());
    assert!(is_admitted("pipe/b.txt") && is_admitted("zero/b.txt") && !is_admitted("own/b.txt"));
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_listed_file_is_no_file_any_more() {
    let place = Place::new();
    place.write("a.txt", "alpha");
    place.write("b.txt", "alpha");
    place.run();
    let path = place.files.path().join("a.txt");
    fs_err::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    // The log may have it before a scan sees what it is.
    let changed = Observation::new(
        "a.txt".parse().unwrap(),
        ChangeKind::Modified,
        Fingerprint { size: 9, modified_ns: 9, ..Fingerprint::NONE },
        true,
    );
    place.store.log(&place.workspace, &[changed], Priority::Interactive).unwrap();
    place.run();
    assert_eq!((place.state("a.txt"), place.with_words("alpha")), (None, set(&["b.txt"])));
}

#[test]
fn a_file_with_rules_counts_up_to_its_limits_and_says_so() {
    let place = Place::new();
    place.write("a.first", "alpha");
    place.write("a.last", "alpha");
    let limits = RuleLimits { file_bytes: 1_000, lines: 10, ..RuleLimits::default() };
    place.write(".gitignore", format!("*.first\n{}*.last\n", "# none\n".repeat(8)));
    let report = scanned(&place, &limits);
    assert_eq!((report.num_files, report.problems.len()), (0, 0), "{:?}", report.problems);
    place.write(".gitignore", format!("*.first\n{}*.last\n", "# none\n".repeat(9)));
    let report = scanned(&place, &limits);
    assert_eq!(report.num_files, 1);
    assert!(
        report.problems[0].contains("more lines apply here than the 10 of `limits.rule_lines`"),
        "{:?}",
        report.problems
    );
    place.write(".gitignore", format!("*.first\n#{}\n*.last\n", "x".repeat(1_000)));
    let report = scanned(&place, &limits);
    assert_eq!(report.num_files, 1);
    assert!(report.problems[0].contains("more than the 1000 of `limits.rule_file_bytes`"), "{:?}", report.problems);
    // Those of the folders above count with it.
    place.write(".gitignore", "*.first\n".repeat(6));
    place.write("sub/.gitignore", "*.first\n".repeat(6));
    let report = scanned(&place, &limits);
    assert!(report.problems[0].starts_with("`sub/.gitignore`: with it"), "{:?}", report.problems);
}

#[test]
fn a_path_of_too_many_folders_is_passed_over_by_scans_and_writes() {
    let place = Place::new();
    let limits = RuleLimits { path_parts: 8, ..RuleLimits::default() };
    place.write("1/2/3/4/5/6/7/inside.txt", "alpha");
    place.write("1/2/3/4/5/6/7/8/outside.txt", "alpha");
    let report = scanned(&place, &limits);
    assert_eq!((report.num_files, report.problems.len()), (1, 1), "{:?}", report.problems);
    assert!(report.problems[0].contains("`1/2/3/4/5/6/7/8` lies deeper than the 8 names of `limits.path_parts`"));
    let check = |path: &str| at(&place.root(), limits).check(&path.parse().unwrap());
    assert_eq!(check("1/2/3/4/5/6/7/new.txt"), Ok(()));
    assert_eq!(check("1/2/3/4/5/6/7/8/new.txt"), Err(NotAdmitted::TooDeep { num_parts: 9, max: 8 }));
}

#[test]
fn a_thousand_folders_are_written_and_what_is_given_up_goes() {
    let place = Place::new();
    let (root, files) = (place.root(), place.there());
    let path: RelPath = format!("{}a.txt", "d/".repeat(1_000)).parse().unwrap();
    let mut given_up = NewFile::begin(&*files, &path).unwrap();
    given_up.write(b"never").unwrap();
    given_up.prepare().unwrap();
    assert!(root.join("d/d/d").is_dir());
    drop(given_up);
    assert!(!root.join("d").exists());
    write_file(&*files, &path, b"alpha", &Condition::Any).unwrap();
    assert_eq!(read_file(&*files, &path, 100).unwrap().bytes, b"alpha");
    assert_eq!(files.spelled(&path), path);
    assert!(delete_file(&*files, &path).unwrap());
}

#[test]
fn hidden_files_come_back_by_a_rule_that_names_them_for_scans_and_writes_alike() {
    let place = Place::new();
    place.write(".gitignore", "*.log\n!*/\n!.github\n!/docs/.notes.md\n!.git\n!.gitignore\n!.a.txt.swp\n");
    let files = [
        ".github/workflows/ci.yml",
        ".github/.hidden.yml",
        ".github/out.log",
        "docs/.notes.md",
        ".notes.md",
        ".venv/lib.py",
        ".git/config",
        ".a.txt.swp",
        ".pincite-abcdef123456.part",
        "a.txt",
    ];
    for path in files {
        place.write(path, "alpha");
    }
    let expected = [".github/workflows/ci.yml", "a.txt", "docs/.notes.md"];
    place.run();
    assert_eq!(place.with_words("alpha"), set(&expected));
    for path in files.into_iter().chain([".gitignore"]) {
        let is_admitted = place.there().admits(&path.parse().unwrap());
        assert_eq!(is_admitted, expected.contains(&path), "{path}");
    }
    // As the watch names it.
    place.write(".github/new.yml", "alpha");
    let seen = BTreeSet::from([".github".parse().unwrap(), ".venv".parse().unwrap()]);
    let report = scan_places(&place.store, &place.workspace, &*place.there(), &seen, (&none_writes, &Silent)).unwrap();
    assert_eq!((report.num_created, report.num_deleted), (1, 0));
    assert!(problems(&place).is_empty());
}
