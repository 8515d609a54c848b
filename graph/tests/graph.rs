//! Graphs built by hand: identity, order and the readable form.

use graph::exec::{BindAccess, CacheMount, Mount, MountKind, MountOwner, NetworkMode, SecurityMode, Sharing};
use graph::file::{Copy, CopySource, Destination, MakeDirectory, Owner, Unpack};
use graph::source::{ContextName, ImageSource};
use graph::vertex::InputIndex;
use graph::{Edge, Exec, FileOp, Graph, Op, Source, VertexId, dump};
use image::{ChainId, Digest, ImagePath, PathPattern, Platform};

fn path(text: &str) -> ImagePath {
    ImagePath::root().join(text)
}

fn pattern(text: &str) -> PathPattern {
    PathPattern::new(text)
}

fn base(graph: &mut Graph, seed: &str) -> VertexId {
    let chain = ChainId(Digest::of(seed.as_bytes()));
    graph.add(Op::Source(Source::Image(ImageSource { chain })), vec![])
}

fn run(command: &str) -> Exec {
    Exec {
        args: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
        env: vec![("PATH".to_owned(), "/bin".to_owned())],
        cwd: ImagePath::root(),
        user: None,
        platform: Platform::new("linux", "amd64", None),
        hostname: "buildkitsandbox".to_owned(),
        network: NetworkMode::Default,
        security: SecurityMode::Sandbox,
        mounts: vec![],
        secret_env: vec![],
        extra_hosts: vec![],
        ulimits: vec![],
        cgroup_parent: None,
        devices: Vec::new(),
    }
}

fn copy(source: &str, destination: &str) -> Copy {
    Copy {
        sources: vec![CopySource::Tree {
            input: InputIndex(1),
            pattern: pattern(source),
            unpack: Unpack::Never,
        }],
        destination: Destination { path: path(destination), is_directory: true, follows_links: true },
        owner: None,
        mode: None,
        excludes: vec![],
        parents: false,
    }
}

#[test]
fn equal_definitions_are_one_vertex() {
    let mut graph = Graph::default();
    let (one, two) = (base(&mut graph, "a"), base(&mut graph, "a"));
    assert_eq!(one, two);
    let step =
        |graph: &mut Graph, from| graph.add(Op::Exec(Box::new(run("make"))), vec![Edge::definition(from)]);
    assert_eq!(step(&mut graph, one), step(&mut graph, two));
    assert_eq!(graph.vertices().count(), 2);
    let other = base(&mut graph, "b");
    assert_ne!(step(&mut graph, one), step(&mut graph, other));
}

#[test]
fn how_an_input_counts_is_part_of_the_identity() {
    let mut graph = Graph::default();
    let from = base(&mut graph, "a");
    let by_definition = graph.add(Op::Merge, vec![Edge::definition(from), Edge::definition(from)]);
    let by_content =
        graph.add(Op::Merge, vec![Edge::definition(from), Edge::content(from, vec![pattern("/a")])]);
    assert_ne!(by_definition, by_content);
}

#[test]
fn vertices_come_after_their_inputs_and_only_the_needed_are_needed() {
    let mut graph = Graph::default();
    let one = base(&mut graph, "a");
    let two = graph.add(Op::Exec(Box::new(run("two"))), vec![Edge::definition(one)]);
    let unused = graph.add(Op::Exec(Box::new(run("unused"))), vec![Edge::definition(one)]);
    let three = graph.add(Op::Merge, vec![Edge::definition(two), Edge::definition(one)]);
    let order: Vec<VertexId> = graph.vertices().map(|(id, _)| id).collect();
    assert_eq!(order, [one, two, unused, three]);
    let needed = graph.needed_by([three]);
    assert_eq!(needed.len(), 3);
    assert!(!needed.contains(&unused));
}

#[test]
fn only_the_local_context_is_volatile() {
    assert!(Op::Source(Source::Local(ContextName::main())).is_volatile());
    assert!(!Op::Source(Source::Scratch).is_volatile());
    assert!(!Op::Merge.is_volatile());
}

/// The encoding is stored and hashed: if this fails, records of earlier builds are lost. Raise
/// `op::ENCODING` when the meaning changes without the text.
#[test]
fn the_encoding_is_stable() {
    let text = String::from_utf8(Op::File(FileOp::Copy(copy("src", "/to"))).encode()).unwrap();
    insta::assert_snapshot!(text, @r#"[2,{"file":{"copy":{"sources":[{"tree":{"input":1,"pattern":"src","unpack":"never"}}],"destination":{"path":"/to","is_directory":true,"follows_links":true},"owner":null,"mode":null,"excludes":[],"parents":false}}}]"#);
    let decoded: (u32, Op) = serde_json::from_str(&text).unwrap();
    assert_eq!(decoded.1, Op::File(FileOp::Copy(copy("src", "/to"))));
}

#[test]
fn a_graph_is_readable() {
    let mut graph = Graph::default();
    let from = base(&mut graph, "a");
    let context = graph.add(Op::Source(Source::Local(ContextName::main())), vec![]);
    let directory = MakeDirectory { path: path("/src"), mode: 0o755, owner: Some(Owner("app".to_owned())) };
    let made = graph.add(Op::File(FileOp::MakeDirectory(directory)), vec![Edge::definition(from)]);
    let copied = graph.add(
        Op::File(FileOp::Copy(copy("*.c", "/src"))),
        vec![Edge::definition(made), Edge::content(context, vec![pattern("*.c")])],
    );
    let mut make = run("make");
    make.mounts = vec![
        Mount {
            target: path("/cache"),
            kind: MountKind::Cache(CacheMount {
                id: "/cache".to_owned(),
                sharing: Sharing::Locked,
                read_only: false,
                initial: None,
                owner: MountOwner { uid: 0, gid: 0, mode: 0o755 },
            }),
        },
        Mount {
            target: path("/in"),
            kind: MountKind::Bind {
                input: InputIndex(1),
                source: path("/lib"),
                access: BindAccess::ReadOnly,
            },
        },
    ];
    graph.add(
        Op::Exec(Box::new(make)),
        vec![Edge::definition(copied), Edge::content(context, vec![pattern("lib")])],
    );
    insta::assert_snapshot!(dump::graph(&graph), @r#"
    %0 = image sha256:ca978112ca1b
    %1 = local context
    %2 = mkdir /src mode=0755 owner=app <- %0
    %3 = copy /src/ input1:*.c <- %2 %1:["*.c"]
    %4 = exec cwd=/ ["/bin/sh", "-c", "make"] env=["PATH=/bin"] mounts=[cache:/cache(/cache) bind:/in<-input1:/lib] <- %3 %1:["lib"]
    "#);
}
