//! The cache of data directories. initdb gives each one that it makes an identifier of its own.

use std::os::unix::fs::{MetadataExt, chown};
use std::sync::Barrier;
use std::time::SystemTime;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_second_start_copies_what_the_first_one_has_kept() {
    let cache = tempfile::tempdir().unwrap();
    let first = identifier(&start_with(cache.path()));
    let entry = only_entry(cache.path());
    set_age(&entry, 3 * DAY);

    let second = start_with(cache.path());
    assert_eq!(identifier(&second), first);
    assert!(fs::metadata(&entry).unwrap().modified().unwrap().elapsed().unwrap() < DAY);

    // What one server writes, the others do not see.
    psql(second.socket_directory(), "create table only_here ()");
    let third = start_with(cache.path());
    assert_eq!(identifier(&third), first);
    assert_eq!(psql(third.socket_directory(), "select to_regclass('only_here') is null"), "t");
    assert_eq!(only_entry(cache.path()), entry);
    assert_ne!(identifier(&start()), first);
}

#[test]
fn a_copy_belongs_to_the_server_s_account_alone() {
    let cache = tempfile::tempdir().unwrap();
    drop(start_with(cache.path()));
    let server = start_with(cache.path());
    let account = Account::of_server().unwrap();
    let check = |path: &Path| {
        let file = fs::symlink_metadata(path).unwrap();
        assert_eq!((file.uid(), file.gid()), (account.uid, account.gid), "{}", path.display());
        assert_eq!(file.mode() & 0o077, 0, "{}", path.display());
    };
    let data = server.home.data();
    check(&data);
    for path in glob::glob(&format!("{}/**/*", data.display())).unwrap().flatten() {
        check(&path);
    }
}

#[test]
fn two_starts_at_once_both_work_and_leave_one_entry() {
    let cache = tempfile::tempdir().unwrap();
    let barrier = Barrier::new(2);
    let start = || {
        barrier.wait();
        identifier(&start_with(cache.path()))
    };
    let identifiers = std::thread::scope(|scope| {
        let both = [scope.spawn(start), scope.spawn(start)];
        both.map(|it| it.join().unwrap())
    });
    only_entry(cache.path());
    assert!(identifiers.contains(&identifier(&start_with(cache.path()))));
}

#[test]
fn a_damaged_entry_is_replaced() {
    let cache = tempfile::tempdir().unwrap();
    drop(start_with(cache.path()));
    let entry = only_entry(cache.path());
    let whole = fs::read(&entry).unwrap();
    let half = &whole[..whole.len() / 2 / 512 * 512];
    let zeros = [half, &vec![0; whole.len() - half.len()]].concat();
    // Whole, and no data directory.
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("PG_VERSION"), "15\n").unwrap();
    let tar = Command::new("tar").args(["-cf", "-", "-C"]).arg(other.path()).arg("PG_VERSION").output();
    for damaged in [b"", half, &half[..half.len() - 7], &zeros, b"no archive", &tar.unwrap().stdout] {
        fs::write(&entry, damaged).unwrap();
        let new = identifier(&start_with(cache.path()));
        assert_eq!(only_entry(cache.path()), entry);
        assert_eq!(identifier(&start_with(cache.path())), new);
    }
}

#[test]
fn a_cache_that_cannot_be_used_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let check = |cache: &Path| {
        let identifiers = [identifier(&start_with(cache)), identifier(&start_with(cache))];
        assert_ne!(identifiers[0], identifiers[1], "{}", cache.display());
    };
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    check(&file);
    check(&file.join("below"));
    check(Path::new(""));

    let of_others = directory.path().join("others");
    fs::create_dir(&of_others).unwrap();
    fs::set_permissions(&of_others, fs::Permissions::from_mode(0o770)).unwrap();
    check(&of_others);

    fs::set_permissions(&of_others, fs::Permissions::from_mode(0o500)).unwrap();
    if Account::of_server().unwrap().is_lent {
        // Root may write everywhere, and keeps out of what is not root's.
        chown(&of_others, Some(65_534), None).unwrap();
    }
    check(&of_others);
    check(&of_others.join("below"));
    assert_eq!(fs::read_dir(&of_others).unwrap().count(), 0);
}

#[test]
fn an_entry_that_others_may_write_is_not_used() {
    let cache = tempfile::tempdir().unwrap();
    let first = identifier(&start_with(cache.path()));
    let entry = only_entry(cache.path());
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).unwrap();
    let second = identifier(&start_with(cache.path()));
    assert_ne!(second, first);
    assert_eq!(identifier(&start_with(cache.path())), second);
}

#[test]
fn an_entry_of_a_killed_run_does_not_count_and_is_swept() {
    let cache = tempfile::tempdir().unwrap();
    let mut runner = Runner::start_with(Some(cache.path()));
    within(Duration::from_secs(60), "the entry is begun", || {
        files(cache.path()).iter().any(|it| is_unfinished(it))
    });
    send("KILL", &runner.0.id().to_string());
    let guard = runner.guard();
    runner.0.wait().unwrap();
    if let Some(Guarded { directory, .. }) = guard {
        has_been_ended(&directory);
    }
    let before = files(cache.path());
    let server = identifier(&start_with(cache.path()));
    let entry = only_entry(cache.path());
    // The kill may have come when it was finished, at the earliest.
    assert!(before.contains(&entry) || before.iter().all(|it| is_unfinished(it)), "{before:?}");
    assert_eq!(identifier(&start_with(cache.path())), server);

    // One that is being written stays.
    let written = entry.with_file_name(".written");
    let file = File::create(&written).unwrap();
    file.lock().unwrap();
    drop(start_with(cache.path()));
    assert!(written.exists());
    drop(file);
    drop(start_with(cache.path()));
    assert!(!written.exists());
}

#[test]
fn a_runner_that_dies_while_it_copies_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let first = identifier(&start_with(cache.path()));
    for milliseconds in [20, 40, 60, 80, 100, 150] {
        let mut runner = Runner::start_with(Some(cache.path()));
        sleep(Duration::from_millis(milliseconds));
        let guard = runner.guard();
        send("KILL", &runner.0.id().to_string());
        runner.0.wait().unwrap();
        if let Some(Guarded { directory, .. }) = guard {
            has_been_ended(&directory);
        }
    }
    assert_eq!(identifier(&start_with(cache.path())), first);
}

#[test]
fn what_nobody_has_used_for_a_month_is_removed() {
    let cache = tempfile::tempdir().unwrap();
    drop(start_with(cache.path()));
    let entry = only_entry(cache.path());
    let [old, younger] = ["14-0123456789abcdef.tar", "13-0123456789abcdef.tar"].map(|name| {
        let path = entry.with_file_name(name);
        fs::write(&path, "").unwrap();
        path
    });
    set_age(&old, 31 * DAY);
    set_age(&younger, 29 * DAY);
    drop(start_with(cache.path()));
    let mut left = [entry, younger];
    left.sort();
    assert_eq!(files(cache.path()), left);
}

#[test]
fn whatever_decides_the_content_is_in_the_name() {
    let cache = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    for name in ["initdb", "postgres"] {
        fs::write(programs.path().join(name), "").unwrap();
    }
    let account = Account::of_server().unwrap();
    let name = |said: &str| {
        let version = Binaries::find(named().as_deref()).unwrap().version;
        let binaries = Binaries { directory: programs.path().to_owned(), version, said: said.to_owned() };
        Entry::find(cache.path(), &binaries, &account).unwrap().path().to_owned()
    };
    let first = name("postgres (PostgreSQL) 15.13");
    assert_eq!(name("postgres (PostgreSQL) 15.13"), first);
    assert_ne!(name("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"), first);
    fs::write(programs.path().join("postgres"), "built anew").unwrap();
    assert_ne!(name("postgres (PostgreSQL) 15.13"), first);
}

fn start_with(cache: &Path) -> Throwaway {
    Throwaway::start(named().as_deref(), Some(cache)).unwrap()
}

fn identifier(server: &Throwaway) -> String {
    psql(server.socket_directory(), "select system_identifier from pg_control_system()")
}

fn only_entry(cache: &Path) -> PathBuf {
    let files = files(cache);
    let [entry] = &files[..] else { panic!("{files:?}") };
    entry.clone()
}

fn files(cache: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(cache.join("servers")).into_iter().flatten().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().unwrap().as_encoded_bytes().starts_with(b".")
}

fn set_age(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
