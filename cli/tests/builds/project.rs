//! A build context, and `builder` with a store of its own.
//!
//! ```text
//! [DIRECTORY]/context/Dockerfile
//! [DIRECTORY]/context/busybox      the static busybox of the machine
//! [DIRECTORY]/store/
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use testkit::command::{CommandLine, Ran};
use testkit::images;

/// The program under test.
pub(crate) const BUILDER: &str = env!("CARGO_BIN_EXE_builder");

/// `builder`, and a context for it.
pub(crate) struct Project(CommandLine);

impl Deref for Project {
    type Target = CommandLine;

    fn deref(&self) -> &CommandLine {
        &self.0
    }
}

impl Project {
    /// A context with this Dockerfile and busybox. None, said on stderr, where no container can run.
    pub(crate) fn new(dockerfile: &str) -> Option<Self> {
        Self::of_program(Path::new(BUILDER), dockerfile)
    }

    /// The same with another copy of the program.
    pub(crate) fn of_program(program: &Path, dockerfile: &str) -> Option<Self> {
        images::busybox_root()?;
        if !has_namespaces() {
            eprintln!("SKIPPED: this process may not make namespaces");
            return None;
        }
        let project = Self(CommandLine::new(program).expect("a temporary directory"));
        project.dockerfile(dockerfile);
        fs::copy("/bin/busybox", project.directory().join("context/busybox")).expect("it was read before");
        Some(project)
    }

    /// A context with this Dockerfile, and the image `busybox` in the store.
    pub(crate) fn with_busybox(dockerfile: &str) -> Option<Self> {
        let project = Self::new(dockerfile)?;
        let root = images::busybox_root()?;
        let imported = project.run_with_input(&["import", "-", "busybox"], root);
        let _ = imported.expect("the program can be started").success();
        Some(project)
    }

    /// Writes the Dockerfile.
    pub(crate) fn dockerfile(&self, text: &str) {
        self.file("Dockerfile", text);
    }

    /// Writes a file of the context.
    pub(crate) fn file(&self, path: &str, content: &str) {
        self.write(&format!("context/{path}"), content).expect("the directory is ours");
    }

    /// Runs `builder` with these arguments.
    pub(crate) fn builder(&self, arguments: &[&str]) -> Ran {
        self.run(arguments).expect("the program can be started")
    }

    /// `builder build [OPTIONS] context`.
    pub(crate) fn build(&self, options: &[&str]) -> Ran {
        self.builder(&[&["build"], options, &["context"]].concat())
    }

    /// What a file under the directory has.
    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.directory().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Another program in the directory: what it prints. None, said on stderr, where it is not installed.
    pub(crate) fn tool(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory()).env("HOME", self.directory());
        match command.output() {
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{program} {arguments:?}: {errors}");
                Some(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Err(error) => {
                eprintln!("SKIPPED: {program}: {error}");
                None
            }
        }
    }
}

/// Whether this user may do what containers need.
fn has_namespaces() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let user: &[&str] = if is_root { &[] } else { &["--user", "--map-root-user"] };
    let mut command = Command::new("unshare");
    command.args(user).args(["--mount", "--pid", "--fork", "true"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Every step of a build was in the cache, and there were so many.
pub(crate) fn assert_all_cached(built: &Ran, count: usize) {
    let steps = steps(&built.stderr);
    assert!(steps.lines().all(|step| step.ends_with(": CACHED")), "{built}");
    assert_eq!(steps.lines().count(), count, "{built}");
}

/// The steps of plain progress and how each ended, without numbers and times, sorted by name:
/// `[stage-0 1/1] RUN true: DONE`. Steps that are no instruction are left out.
pub(crate) fn steps(progress: &str) -> String {
    let mut labels = BTreeMap::new();
    let mut steps = Vec::new();
    for line in progress.lines() {
        let Some((number, rest)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else {
            continue;
        };
        if rest.starts_with('[') {
            labels.entry(number).or_insert(rest);
        } else if let (Some(label), "CACHED" | "DONE" | "ERROR:" | "CANCELED") =
            (labels.get(number), rest.split(' ').next().unwrap_or_default())
            && !label.starts_with("[internal]")
        {
            steps.push(format!("{label}: {}\n", rest.split([' ', ':']).next().unwrap_or_default()));
        }
    }
    steps.sort();
    steps.concat()
}
