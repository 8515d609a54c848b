//! The readable form of a graph.
//!
//! ```text
//! %0 = image sha256:6f2a…
//! %1 = local context
//! %2 = copy /src/ input1:src input1:*.toml <- %0 %1:["src" "*.toml"]
//! %3 = exec cwd=/src ["/bin/sh", "-c", "make"] mounts=[cache:/root/.cache(/root/.cache)] <- %2
//! ```
//!
//! Vertices are numbered in the order in which they were added. An input by content is followed
//! by what it selects; `%0` alone is an input by definition. Digests are shortened to twelve
//! digits: the dump is for people and tests, never parsed.

use std::collections::HashMap;
use std::fmt::Write as _;

use image::Digest;

use crate::exec::{Mount, MountKind, NetworkMode, SecurityMode};
use crate::file::{Copy, CopySource, Unpack};
use crate::source::GitTimes;
use crate::{Dependence, Exec, FileOp, Graph, Op, Source, Vertex, VertexId};

/// The whole graph, one line a vertex.
pub fn graph(graph: &Graph) -> String {
    let numbers: HashMap<VertexId, usize> =
        graph.vertices().enumerate().map(|(number, (id, _))| (id, number)).collect();
    let mut text = String::new();
    for (number, (_, vertex)) in graph.vertices().enumerate() {
        let _ = writeln!(text, "%{number} = {}{}", operation(&vertex.op), inputs(vertex, &numbers));
    }
    text
}

fn inputs(vertex: &Vertex, numbers: &HashMap<VertexId, usize>) -> String {
    let mut text = String::new();
    for edge in &vertex.inputs {
        let _ = write!(text, " %{}", numbers[&edge.from]);
        if let Dependence::Content(patterns) = &edge.by {
            let patterns: Vec<String> =
                patterns.iter().map(|pattern| format!("{:?}", pattern.as_str())).collect();
            let _ = write!(text, ":[{}]", patterns.join(" "));
        }
    }
    if text.is_empty() { text } else { format!(" <-{text}") }
}

/// One operation, without its inputs.
fn operation(op: &Op) -> String {
    match op {
        Op::Source(source) => self::source(source),
        Op::Exec(exec) => self::exec(exec),
        Op::File(FileOp::Copy(copy)) => self::copy(copy),
        Op::File(FileOp::MakeDirectory(directory)) => {
            let owner = directory.owner.as_ref().map(|owner| format!(" owner={owner}")).unwrap_or_default();
            format!("mkdir {} mode={:04o}{owner}", directory.path, directory.mode)
        }
        Op::Merge => "merge".to_owned(),
    }
}

fn short(digest: Digest) -> String {
    format!("sha256:{}", digest.short())
}

fn source(source: &Source) -> String {
    match source {
        Source::Scratch => "scratch".to_owned(),
        Source::Image(image) => format!("image {}", short(image.chain.0)),
        Source::Local(name) => format!("local {name}"),
        Source::Http(file) => format!("http {} {}", file.file_name, short(file.content)),
        Source::Git(git) => {
            let mut text = format!("git {}", git.commit);
            if !git.subdirectory.is_empty() {
                let _ = write!(text, ":{}", git.subdirectory);
            }
            if git.keep_git_directory {
                text.push_str(" keep-git-dir");
            }
            if !git.submodules {
                text.push_str(" no-submodules");
            }
            if git.times == GitTimes::Commit {
                text.push_str(" mtime=commit");
            }
            text
        }
    }
}

fn exec(exec: &Exec) -> String {
    let mut text = format!("exec cwd={} {:?}", exec.cwd, exec.args);
    if let Some(user) = &exec.user {
        let _ = write!(text, " user={user}");
    }
    if !exec.env.is_empty() {
        let env: Vec<String> = exec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = write!(text, " env={env:?}");
    }
    match exec.network {
        NetworkMode::Default => {}
        NetworkMode::None => text.push_str(" network=none"),
        NetworkMode::Host => text.push_str(" network=host"),
    }
    if exec.security == SecurityMode::Insecure {
        text.push_str(" security=insecure");
    }
    for device in &exec.devices {
        let _ = write!(text, " device={}{}", device.name, if device.required { ",required" } else { "" });
    }
    if !exec.mounts.is_empty() {
        let mounts: Vec<String> = exec.mounts.iter().map(mount).collect();
        let _ = write!(text, " mounts=[{}]", mounts.join(" "));
    }
    text
}

fn mount(mount: &Mount) -> String {
    let target = &mount.target;
    match &mount.kind {
        MountKind::Bind { input, source, .. } => format!("bind:{target}<-input{}:{source}", input.0),
        MountKind::Cache(cache) => format!("cache:{target}({})", cache.id),
        MountKind::Tmpfs { .. } => format!("tmpfs:{target}"),
        MountKind::Secret { id, .. } => format!("secret:{target}({id})"),
        MountKind::Ssh { id, .. } => format!("ssh:{target}({id})"),
        MountKind::Script { .. } => format!("script:{target}"),
    }
}

fn copy(copy: &Copy) -> String {
    let mut text = format!("copy {}", copy.destination.path);
    if copy.destination.is_directory && copy.destination.path.as_str() != "/" {
        text.push('/');
    }
    for source in &copy.sources {
        match source {
            CopySource::Tree { input, pattern, unpack } => {
                let _ = write!(text, " input{}:{}", input.0, pattern.as_str());
                if *unpack == Unpack::Archives {
                    text.push_str("(unpack)");
                }
            }
            CopySource::Inline { name, content } => {
                let _ = write!(text, " inline:{name}({} bytes)", content.len());
            }
        }
    }
    if let Some(owner) = &copy.owner {
        let _ = write!(text, " owner={owner}");
    }
    if let Some(mode) = &copy.mode {
        let _ = write!(text, " mode={mode}");
    }
    if !copy.excludes.is_empty() {
        let excludes: Vec<&str> = copy.excludes.iter().map(image::PathPattern::as_str).collect();
        let _ = write!(text, " exclude={excludes:?}");
    }
    if copy.parents {
        text.push_str(" parents");
    }
    if !copy.destination.follows_links {
        text.push_str(" link");
    }
    text
}
