//! A main context that comes from elsewhere: what is done to have it as a tree.
//!
//! The Dockerfile may be in it, so it is fetched before there is a plan, by a graph of its own. As all
//! its sources are pinned, the cache knows it in the next build.

use graph::file::{Copy, CopySource, Destination, Unpack};
use graph::name::redacted;
use graph::source::{GitSource, HttpSource};
use graph::vertex::InputIndex;
use graph::{Edge, FileOp, Graph, Op, Source, VertexId};
use image::{ImagePath, PathPattern, Platform};

use crate::external::step_outside_of_stages;
use crate::steps::Steps;

/// A main context that comes from elsewhere, pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteTree {
    /// A checkout of a repository.
    Git {
        /// Where it is, for its label.
        address: String,
        /// What is checked out.
        source: GitSource,
    },
    /// What is in an archive.
    Archive(HttpSource),
    /// A single file, as it is when a URL gives a Dockerfile.
    File(HttpSource),
}

/// How a tree is made.
#[derive(Clone, Debug)]
pub struct TreePlan {
    /// All steps.
    pub graph: Graph,
    /// The vertex whose result is the tree.
    pub root: VertexId,
    /// What users see of the vertices.
    pub steps: Steps,
}

impl RemoteTree {
    /// The plan of the tree.
    pub fn plan(&self, build_platform: &Platform) -> TreePlan {
        let mut graph = Graph::default();
        let (source, label) = match self {
            Self::Git { address, source } => {
                (Source::Git(source.clone()), format!("[internal] load git source {}", redacted(address)))
            }
            Self::Archive(file) | Self::File(file) => {
                (Source::Http(file.clone()), "[internal] load remote build context".to_owned())
            }
        };
        let mut steps = Steps::default();
        let mut show = |vertex, label| steps.insert(vertex, step_outside_of_stages(label, build_platform));
        let mut root = graph.add(Op::Source(source), Vec::new());
        show(root, label);
        if let Self::Archive(file) = self {
            let scratch = graph.add(Op::Source(Source::Scratch), Vec::new());
            let inputs = vec![Edge::definition(scratch), Edge::definition(root)];
            root = graph.add(Op::File(FileOp::Copy(unpacked(file))), inputs);
            show(root, "[internal] unpack remote build context".to_owned());
        }
        TreePlan { graph, root, steps }
    }
}

/// The archive that input 1 is, unpacked.
fn unpacked(file: &HttpSource) -> Copy {
    let pattern = PathPattern::new(file.file_name.as_str());
    Copy {
        sources: vec![CopySource::Tree { input: InputIndex(1), pattern, unpack: Unpack::Archives }],
        destination: Destination { path: ImagePath::root(), is_directory: true, follows_links: true },
        owner: None,
        mode: None,
        excludes: Vec::new(),
        parents: false,
    }
}

#[cfg(test)]
mod tests {
    use graph::source::GitTimes;
    use image::Digest;

    use super::*;

    fn dump(tree: &RemoteTree) -> String {
        let plan = tree.plan(&Platform::host());
        let labels: Vec<_> = plan.steps.iter().flat_map(|(_, steps)| steps).map(|step| &step.label).collect();
        format!("{}{labels:?}", graph::dump::graph(&plan.graph))
    }

    #[test]
    fn an_archive_is_unpacked_and_a_file_is_not() {
        let content = Digest::of(b"x");
        let file = HttpSource { content, file_name: "context".to_owned(), last_modified: None };
        assert_eq!(
            dump(&RemoteTree::File(file.clone())),
            format!(
                "%0 = http context sha256:{}\n[\"[internal] load remote build context\"]",
                content.short()
            )
        );
        let unpacked = dump(&RemoteTree::Archive(file));
        assert!(unpacked.contains("unpack"), "{unpacked}");
    }

    #[test]
    fn a_repository_is_shown_without_its_password() {
        let source = GitSource {
            commit: "c".repeat(40),
            subdirectory: String::new(),
            keep_git_directory: true,
            submodules: true,
            times: GitTimes::Commit,
        };
        let address = "https://user:secret@host/r.git".to_owned();
        let dump = dump(&RemoteTree::Git { address, source });
        assert!(dump.contains("keep-git-dir mtime=commit") && !dump.contains("secret"), "{dump}");
    }
}
