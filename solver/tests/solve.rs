//! The solver with toy operations: what runs, how often, and what is found instead.
//!
//! An operation is an `Exec` whose one argument says what it gives: `text` gives `text` and its
//! inputs' results; `constant`, `changing`, `fail` and others do what [`Toy::run`] says. A `Merge`
//! stands for all operations that are no process.

#![expect(clippy::unwrap_used, reason = "a test that meets an error ends there")]

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cache::content::FileEntry;
use cache::{Cache, ContentKey, Miss, Position, Record};
use graph::exec::{NetworkMode, SecurityMode};
use graph::source::{ContextName, ImageSource};
use graph::vertex::InputIndex;
use graph::{Edge, Exec, Graph, Op, Source, VertexId};
use image::{ChainId, Digest, ImagePath, PathPattern, Platform};
use solver::{Bypass, Event, Events, Job, SolveError, StepLog, Worker, solve};
use store::SnapshotId;
use tokio::sync::Barrier;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ToyError(String);

/// Results are texts; the toy store knows them by snapshot id.
#[derive(Default)]
struct Toy {
    ran: Mutex<Vec<String>>,
    results: Mutex<HashMap<SnapshotId, String>>,
    context: Mutex<String>,
    next: AtomicUsize,
    barrier: Mutex<Option<Arc<Barrier>>>,
    dropped: Arc<AtomicUsize>,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

struct CountsDrops(Arc<AtomicUsize>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Toy {
    fn ran(&self) -> Vec<String> {
        let mut ran = std::mem::take(&mut *self.ran.lock().unwrap());
        ran.sort();
        ran
    }

    fn remember(&self, text: &str) -> SnapshotId {
        let number = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        let id: SnapshotId = format!("{number:032x}").parse().unwrap();
        self.results.lock().unwrap().insert(id, text.to_owned());
        id
    }
}

type Output = (Option<SnapshotId>, String);

impl Worker for Toy {
    type Output = Output;
    type Error = ToyError;

    async fn run(&self, _: VertexId, op: &Op, inputs: Vec<Output>, log: StepLog) -> Result<Output, ToyError> {
        let below: Vec<&str> = inputs.iter().map(|(_, text)| text.as_str()).collect();
        if let Op::Merge = op {
            self.ran.lock().unwrap().push("merge".to_owned());
            let text = format!("merge({})", below.join(" "));
            return Ok((Some(self.remember(&text)), text));
        }
        let Op::Exec(exec) = op else {
            self.ran.lock().unwrap().push("source".to_owned());
            let text =
                if op.is_volatile() { self.context.lock().unwrap().clone() } else { "base".to_owned() };
            return Ok((None, text));
        };
        let command = exec.args[0].clone();
        self.ran.lock().unwrap().push(command.clone());
        log.output(solver::Stream::Stdout, command.clone().into_bytes());
        let text = match command.split_once(' ').unwrap_or((&command, "")) {
            ("fail", _) => return Err(ToyError("it failed".to_owned())),
            ("hang", _) => {
                let _counted = CountsDrops(Arc::clone(&self.dropped));
                std::future::pending::<()>().await;
                String::new()
            }
            ("meet", _) => {
                let barrier = self.barrier.lock().unwrap().clone().expect("a barrier");
                barrier.wait().await;
                command
            }
            ("busy", _) => {
                let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_running.fetch_max(running, Ordering::SeqCst);
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                self.running.fetch_sub(1, Ordering::SeqCst);
                command
            }
            // The result is another one each time.
            ("changing", _) => format!("changing{}", self.next.load(Ordering::SeqCst)),
            // The result is a tree that no snapshot holds.
            ("unrecorded", _) => return Ok((None, "unrecorded".to_owned())),
            // The name differs, the result does not.
            ("constant", _) => "constant".to_owned(),
            _ => format!("{command}({})", below.join(" ")),
        };
        Ok((Some(self.remember(&text)), text))
    }

    async fn load(&self, record: &Record) -> Result<Option<Output>, ToyError> {
        let results = self.results.lock().unwrap();
        Ok(results.get(&record.result).map(|text| (Some(record.result), text.clone())))
    }

    async fn content(
        &self,
        _: &Op,
        _: InputIndex,
        (_, text): &Output,
        _: &[PathPattern],
    ) -> Result<ContentKey, ToyError> {
        if text == "meet" {
            let barrier = self.barrier.lock().unwrap().clone().expect("a barrier");
            barrier.wait().await;
        }
        if text == "unreadable" {
            return Err(ToyError("it cannot be read".to_owned()));
        }
        Ok(ContentKey::new(Digest::of(text.as_bytes()), Vec::<FileEntry>::new()))
    }

    fn snapshot(&self, (snapshot, _): &Output) -> Option<SnapshotId> {
        *snapshot
    }

    async fn layer_digest(&self, snapshot: SnapshotId) -> Result<Option<Digest>, ToyError> {
        Ok(self.results.lock().unwrap().get(&snapshot).map(|text| Digest::of(text.as_bytes())))
    }
}

struct Bench {
    toy: Arc<Toy>,
    cache: Arc<Cache>,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::open(&directory.path().join("cache.db")).unwrap());
        Self { toy: Arc::default(), cache, _directory: directory }
    }

    async fn solve(&self, plan: &Plan, root: VertexId) -> Result<String, SolveError<ToyError>> {
        self.solve_with(plan, root, Bypass::None).await.0
    }

    async fn solve_with(
        &self,
        plan: &Plan,
        root: VertexId,
        bypass: Bypass,
    ) -> (Result<String, SolveError<ToyError>>, Vec<Event>) {
        let (events, mut receiver) = Events::channel();
        let job = Job {
            graph: Arc::new(plan.graph.clone()),
            roots: vec![root],
            positions: plan.positions.clone(),
            bypass,
            processes: 64,
        };
        let result = solve(job, Arc::clone(&self.cache), Arc::clone(&self.toy), events).await;
        let mut seen = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            seen.push(event);
        }
        (result.map(|outputs| outputs[&root].1.clone()), seen)
    }
}

#[derive(Default)]
struct Plan {
    graph: Graph,
    positions: HashMap<VertexId, Position>,
}

impl Plan {
    fn base(&mut self) -> VertexId {
        let chain = ChainId(Digest::of(b"base"));
        self.graph.add(Op::Source(Source::Image(ImageSource { chain })), vec![])
    }

    fn context(&mut self) -> VertexId {
        self.graph.add(Op::Source(Source::Local(ContextName::main())), vec![])
    }

    fn step(&mut self, command: &str, inputs: Vec<Edge>) -> VertexId {
        let exec = Exec {
            args: vec![command.to_owned()],
            env: vec![],
            cwd: ImagePath::root(),
            user: None,
            platform: Platform::new("linux", "amd64", None),
            hostname: "toy".to_owned(),
            network: NetworkMode::None,
            security: SecurityMode::Sandbox,
            mounts: vec![],
            secret_env: vec![],
            extra_hosts: vec![],
            ulimits: vec![],
            cgroup_parent: None,
            devices: Vec::new(),
        };
        let id = self.graph.add(Op::Exec(Box::new(exec)), inputs);
        let ordinal = u32::try_from(self.positions.len()).unwrap();
        let position = Position { dockerfile: "d".to_owned(), stage: "s".to_owned(), ordinal };
        self.positions.insert(id, position);
        id
    }

    fn on(&mut self, command: &str, below: VertexId) -> VertexId {
        self.step(command, vec![Edge::definition(below)])
    }

    fn reading(&mut self, command: &str, below: VertexId, source: VertexId) -> VertexId {
        self.step(command, vec![Edge::definition(below), Edge::content(source, vec![PathPattern::new("/")])])
    }
}

#[tokio::test]
async fn a_second_time_nothing_is_run_and_no_source_is_fetched() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let one = plan.on("one", base);
    let two = plan.on("two", one);
    assert_eq!(bench.solve(&plan, two).await.unwrap(), "two(one(base))");
    assert_eq!(bench.toy.ran(), ["one", "source", "two"]);
    assert_eq!(bench.solve(&plan, two).await.unwrap(), "two(one(base))");
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
}

#[tokio::test]
async fn equal_vertices_and_shared_inputs_run_once() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let shared = plan.on("shared", base);
    let again = plan.on("shared", base);
    assert_eq!(shared, again);
    let (left, right) = (plan.on("left", shared), plan.on("right", shared));
    let both = plan.step("both", vec![Edge::definition(left), Edge::definition(right)]);
    assert_eq!(bench.solve(&plan, both).await.unwrap(), "both(left(shared(base)) right(shared(base)))");
    assert_eq!(bench.toy.ran(), ["both", "left", "right", "shared", "source"]);
}

#[tokio::test]
async fn independent_vertices_run_at_the_same_time() {
    let bench = Bench::new();
    *bench.toy.barrier.lock().unwrap() = Some(Arc::new(Barrier::new(8)));
    let mut plan = Plan::default();
    let base = plan.base();
    let edges = (0..8).map(|number| Edge::definition(plan.on(&format!("meet {number}"), base))).collect();
    let all = plan.step("all", edges);
    // It ends only if all eight wait at the barrier at once.
    bench.solve(&plan, all).await.unwrap();
}

#[tokio::test]
async fn a_rebuilt_but_equal_input_is_found_by_its_content() {
    let bench = Bench::new();
    let build = |version: &str| {
        let mut plan = Plan::default();
        let base = plan.base();
        let made = plan.on(&format!("constant {version}"), base);
        let copy = plan.reading("copy", base, made);
        let last = plan.on("last", copy);
        (plan, last)
    };
    let (plan, root) = build("1");
    bench.solve(&plan, root).await.unwrap();
    bench.toy.ran();
    let (plan, root) = build("2");
    bench.solve(&plan, root).await.unwrap();
    assert_eq!(bench.toy.ran(), ["constant 2", "source"]);
    let (_, events) = bench.solve_with(&plan, root, Bypass::None).await;
    assert_eq!(bench.toy.ran(), Vec::<String>::new(), "the definition keys are aliased: {events:?}");
}

#[tokio::test]
async fn an_equal_layer_of_a_process_cuts_off_what_follows() {
    let bench = Bench::new();
    let build = |version: &str| {
        let mut plan = Plan::default();
        let base = plan.base();
        let made = plan.on(&format!("constant {version}"), base);
        let next = plan.on("next", made);
        (plan, next)
    };
    let (plan, root) = build("1");
    bench.solve(&plan, root).await.unwrap();
    bench.toy.ran();
    let (plan, root) = build("2");
    bench.solve(&plan, root).await.unwrap();
    assert_eq!(bench.toy.ran(), ["constant 2", "source"], "what follows an equal layer is found");
}

#[tokio::test]
async fn a_context_counts_by_content() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let (base, context) = (plan.base(), plan.context());
    let copy = plan.reading("copy", base, context);
    let root = plan.on("make", copy);
    let set = |text: &str| text.clone_into(&mut bench.toy.context.lock().unwrap());
    set("one");
    bench.solve(&plan, root).await.unwrap();
    assert_eq!(bench.toy.ran(), ["copy", "make", "source", "source"]);
    bench.solve(&plan, root).await.unwrap();
    assert_eq!(bench.toy.ran(), ["source"], "only the context is looked at");
    set("two");
    let (result, events) = bench.solve_with(&plan, root, Bypass::None).await;
    assert_eq!(result.unwrap(), "make(copy(base two))");
    assert!(bench.toy.ran().contains(&"make".to_owned()));
    let missed = events.iter().any(
        |event| matches!(event, Event::Started { vertex, miss: Some(Miss::Changed(_)) } if *vertex == copy),
    );
    assert!(missed, "the miss is explained: {events:?}");
    set("one");
    bench.solve(&plan, root).await.unwrap();
    assert_eq!(bench.toy.ran(), ["source"], "the first result is still known");
}

#[tokio::test]
async fn a_bypassed_vertex_runs_and_its_new_result_counts() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let one = plan.on("one", base);
    let two = plan.on("two", one);
    bench.solve(&plan, two).await.unwrap();
    bench.toy.ran();
    let (_, events) = bench.solve_with(&plan, two, Bypass::All).await;
    assert_eq!(bench.toy.ran(), ["one", "source", "two"]);
    assert!(events.contains(&Event::Started { vertex: one, miss: Some(Miss::Bypassed) }));
    bench.solve_with(&plan, two, Bypass::Only(HashSet::from([two]))).await.0.unwrap();
    assert_eq!(bench.toy.ran(), ["two"]);
    bench.solve(&plan, two).await.unwrap();
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
}

#[tokio::test]
async fn a_result_that_is_gone_is_made_again_only_when_it_is_wanted() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let one = plan.on("one", base);
    let two = plan.on("two", one);
    bench.solve(&plan, two).await.unwrap();
    bench.toy.ran();
    bench.toy.results.lock().unwrap().retain(|_, text| text.starts_with("two"));
    bench.solve(&plan, two).await.unwrap();
    assert_eq!(bench.toy.ran(), Vec::<String>::new(), "nobody wants the first one");
    bench.toy.results.lock().unwrap().clear();
    assert_eq!(bench.solve(&plan, two).await.unwrap(), "two(one(base))");
    assert_eq!(bench.toy.ran(), ["one", "source", "two"]);
    bench.solve(&plan, two).await.unwrap();
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_cancels_what_runs_and_keeps_what_is_done() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let done = plan.on("done", base);
    let fail = plan.on("fail", done);
    let hang = plan.on("hang", base);
    let root = plan.step("root", vec![Edge::definition(fail), Edge::definition(hang)]);
    let (result, events) = bench.solve_with(&plan, root, Bypass::None).await;
    match result {
        Err(SolveError::Vertex { vertex, source }) => {
            assert_eq!((vertex, source.to_string()), (fail, "it failed".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    let hung = events.iter().any(|event| matches!(event, Event::Started { vertex, .. } if *vertex == hang));
    assert_eq!(bench.toy.dropped.load(Ordering::SeqCst), usize::from(hung));
    assert_eq!(
        events.iter().any(|event| matches!(event, Event::Canceled { vertex, .. } if *vertex == hang)),
        hung
    );
    assert!(!bench.toy.ran().contains(&"root".to_owned()));
    bench.solve(&plan, done).await.unwrap();
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
    // A failure is not remembered.
    assert!(bench.solve(&plan, fail).await.is_err());
    assert_eq!(bench.toy.ran(), ["fail"]);
}

#[tokio::test]
async fn dropping_the_future_drops_the_workers() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let hang = plan.on("hang", base);
    let (events, mut receiver) = Events::channel();
    let job = Job {
        graph: Arc::new(plan.graph.clone()),
        roots: vec![hang],
        positions: HashMap::new(),
        bypass: Bypass::None,
        processes: 1,
    };
    let solving = tokio::spawn(solve(job, Arc::clone(&bench.cache), Arc::clone(&bench.toy), events));
    while !matches!(receiver.recv().await, Some(Event::Output { .. })) {}
    solving.abort();
    assert!(solving.await.is_err());
    while !matches!(receiver.recv().await, Some(Event::Canceled { .. })) {}
    assert_eq!(bench.toy.dropped.load(Ordering::SeqCst), 1);
}

/// Two versions of a step that give the same; a third one finds what was built on the first.
#[tokio::test]
async fn equal_layers_lead_to_one_record_however_many_there_are() {
    let bench = Bench::new();
    for version in 0..3 {
        let mut plan = Plan::default();
        let base = plan.base();
        let made = plan.on(&format!("constant {version}"), base);
        let next = plan.on("next", made);
        bench.solve(&plan, next).await.unwrap();
        assert_eq!(bench.toy.ran().contains(&"next".to_owned()), version == 0, "version {version}");
    }
}

#[tokio::test]
async fn what_was_built_on_an_old_result_is_not_found_for_a_new_one() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let changing = plan.on("changing", base);
    let next = plan.on("next", changing);
    let first = bench.solve(&plan, next).await.unwrap();
    bench.toy.ran();
    let again = bench.solve_with(&plan, next, Bypass::Only(HashSet::from([changing]))).await.0.unwrap();
    assert_eq!(bench.toy.ran(), ["changing", "next", "source"]);
    assert_ne!(again, first);
    assert_eq!(bench.solve(&plan, next).await.unwrap(), again, "the newest result counts");
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
}

#[tokio::test]
async fn what_follows_a_bypassed_step_with_an_equal_result_is_found() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let one = plan.on("one", base);
    let merge = plan.graph.add(Op::Merge, vec![Edge::definition(one), Edge::definition(base)]);
    let last = plan.on("last", merge);
    bench.solve(&plan, last).await.unwrap();
    bench.toy.ran();
    // A process is compared by its layer; anything else depends on nothing but its inputs.
    bench.solve_with(&plan, last, Bypass::Only(HashSet::from([one]))).await.0.unwrap();
    assert_eq!(bench.toy.ran(), ["one", "source"]);
    bench.solve_with(&plan, last, Bypass::Only(HashSet::from([merge]))).await.0.unwrap();
    assert_eq!(bench.toy.ran(), ["merge", "source"]);
}

/// Their definitions differ, what they read does not.
#[tokio::test]
async fn two_vertices_with_one_content_key_run_once() {
    for bypass in [Bypass::None, Bypass::All] {
        let bench = Bench::new();
        let mut plan = Plan::default();
        let (base, other) = (plan.base(), plan.context());
        "context".clone_into(&mut bench.toy.context.lock().unwrap());
        let (left, right) = (plan.on("constant 1", base), plan.on("constant 2", other));
        let copies = [plan.reading("copy", base, left), plan.reading("copy", base, right)];
        assert_ne!(copies[0], copies[1]);
        let root = plan.step("root", copies.map(Edge::definition).to_vec());
        let text = bench.solve_with(&plan, root, bypass).await.0.unwrap();
        assert_eq!(text, "root(copy(base constant) copy(base constant))");
        assert_eq!(bench.toy.ran().iter().filter(|command| *command == "copy").count(), 1);
    }
}

#[tokio::test]
async fn a_context_is_read_while_other_inputs_are_worked_on() {
    let bench = Bench::new();
    *bench.toy.barrier.lock().unwrap() = Some(Arc::new(Barrier::new(2)));
    "meet".clone_into(&mut bench.toy.context.lock().unwrap());
    let mut plan = Plan::default();
    let (base, context) = (plan.base(), plan.context());
    let below = plan.on("meet", base);
    let copy = plan.reading("copy", below, context);
    // It ends only if the step below and the reading of the context wait for each other.
    bench.solve(&plan, copy).await.unwrap();
}

#[tokio::test]
async fn content_that_cannot_be_read_fails_its_reader() {
    let bench = Bench::new();
    "unreadable".clone_into(&mut bench.toy.context.lock().unwrap());
    let mut plan = Plan::default();
    let (base, context) = (plan.base(), plan.context());
    let copy = plan.reading("copy", base, context);
    let root = plan.on("root", copy);
    match bench.solve(&plan, root).await {
        Err(SolveError::Vertex { vertex, .. }) => assert_eq!(vertex, copy),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.toy.ran(), ["source"], "only the context was looked at");
}

#[tokio::test]
async fn no_more_processes_run_at_once_than_allowed() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let edges = (0..16).map(|number| Edge::definition(plan.on(&format!("busy {number}"), base))).collect();
    let all = plan.step("all", edges);
    let (events, _receiver) = Events::channel();
    let job = Job {
        graph: Arc::new(plan.graph),
        roots: vec![all],
        positions: HashMap::new(),
        bypass: Bypass::None,
        processes: 3,
    };
    solve(job, Arc::clone(&bench.cache), Arc::clone(&bench.toy), events).await.unwrap();
    assert_eq!(bench.toy.most_running.load(Ordering::SeqCst), 3);
}

/// A removed result costs nothing as long as what was built on it is known.
#[tokio::test]
async fn an_evicted_step_in_the_middle_is_not_run() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let one = plan.on("one", base);
    let two = plan.on("two", one);
    bench.solve(&plan, two).await.unwrap();
    bench.toy.ran();
    let gone = {
        let mut results = bench.toy.results.lock().unwrap();
        let gone = *results.iter().find(|(_, text)| text.starts_with("one")).unwrap().0;
        results.remove(&gone);
        gone
    };
    bench.cache.evict(gone).unwrap();
    bench.solve(&plan, two).await.unwrap();
    assert_eq!(bench.toy.ran(), Vec::<String>::new());
    // On its own it has to be made, and the reason is known.
    let (result, events) = bench.solve_with(&plan, one, Bypass::None).await;
    result.unwrap();
    let evicted = |event: &Event| matches!(event, Event::Started { vertex, miss: Some(Miss::Evicted { .. }) } if *vertex == one);
    assert!(events.iter().any(evicted), "{events:?}");
    assert_eq!(bench.toy.ran(), ["one", "source"]);
}

/// Of each vertex, in order: begun or found, then ended; inputs end before what depends on them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_of_a_vertex_are_in_order() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let base = plan.base();
    let middle: Vec<VertexId> = (0..50).map(|number| plan.on(&format!("m{number}"), base)).collect();
    let root = plan.step("root", middle.iter().copied().map(Edge::definition).collect());
    let (_, events) = bench.solve_with(&plan, root, Bypass::None).await;
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let began = |id| position(&|event| matches!(event, Event::Started { vertex, .. } if *vertex == id));
    let ended = |id| position(&|event| matches!(event, Event::Completed { vertex, .. } if *vertex == id));
    for id in middle {
        assert!(ended(base) < began(id) && began(id) < ended(id) && ended(id) < began(root));
    }
    assert!(matches!(events.last(), Some(Event::Completed { vertex, .. }) if *vertex == root));
}

#[tokio::test]
async fn a_deep_chain_needs_no_deep_stack() {
    let bench = Bench::new();
    let mut plan = Plan::default();
    let mut top = plan.base();
    // Records would only make the test slow.
    for number in 0..30_000 {
        top = plan.on(&format!("unrecorded {number}"), top);
    }
    plan.positions.clear();
    assert_eq!(bench.solve(&plan, top).await.unwrap(), "unrecorded");
    assert_eq!(bench.toy.ran().len(), 30_001);
}
