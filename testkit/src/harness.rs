//! As much of the interface of a test program as `cargo test` and nextest use, for programs that are also something
//! else, such as their own helper, and so have a `main` of their own (`harness = false`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a test harness")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A test with its name.
pub type Test = (&'static str, fn());

/// Lists the tests or runs those that the words of the command line choose. They need root and a static busybox:
/// without these, the tests of this subject say that they are skipped.
pub fn run(subject: &str, tests: &[Test], words: &[String]) {
    let has = |flag: &str| words.iter().any(|word| word == flag);
    if has("--list") {
        if !has("--ignored") {
            for (name, _) in tests {
                println!("{name}: test");
            }
        }
        return;
    }
    if let Some(missing) = missing() {
        eprintln!("SKIPPED: {subject} tests: {missing}");
        return;
    }
    let is_exact = has("--exact");
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_chosen = |name: &str| {
        let fits = |filter: &&String| {
            if is_exact { filter.as_str() == name } else { name.contains(filter.as_str()) }
        };
        filters.is_empty() || filters.iter().any(fits)
    };
    let mut passed = 0;
    for (name, test) in tests.iter().filter(|(name, _)| is_chosen(name)) {
        test();
        println!("test {name} ... ok");
        passed += 1;
    }
    println!("\ntest result: ok. {passed} passed; 0 failed");
}

/// What the tests need of the machine and it does not have.
fn missing() -> Option<&'static str> {
    if !Path::new("/bin/busybox").exists() {
        return Some("/bin/busybox is missing (package busybox-static)");
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    (!is_root).then_some("these tests run as root")
}
