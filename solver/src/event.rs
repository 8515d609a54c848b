//! What the solver tells while it works.

use std::time::Duration;

use cache::Miss;
use graph::VertexId;
use tokio::sync::mpsc;

/// Which stream of a process something was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something that happened to a vertex.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is worked on.
    Started {
        /// The vertex.
        vertex: VertexId,
        /// Why its result was not known; none for sources, which are no steps to remember.
        miss: Option<Miss>,
    },
    /// Its result is known.
    Cached {
        /// The vertex.
        vertex: VertexId,
    },
    /// Its process wrote something.
    Output {
        /// The vertex.
        vertex: VertexId,
        /// Where to.
        stream: Stream,
        /// What it wrote, as it is.
        data: Vec<u8>,
    },
    /// A transfer of it went on.
    Transfer {
        /// The vertex.
        vertex: VertexId,
        /// What is transferred.
        name: String,
        /// Bytes so far.
        current: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// There is something that the user should know.
    Warning {
        /// The vertex.
        vertex: VertexId,
        /// The text.
        message: String,
    },
    /// It is done.
    Completed {
        /// The vertex.
        vertex: VertexId,
        /// How long it was worked on.
        duration: Duration,
    },
    /// It failed.
    Failed {
        /// The vertex.
        vertex: VertexId,
        /// Why, in one line.
        error: String,
        /// How long it was worked on.
        duration: Duration,
    },
    /// It was stopped, because another one failed or the build was dropped.
    Canceled {
        /// The vertex.
        vertex: VertexId,
        /// How long it was worked on.
        duration: Duration,
    },
}

/// Where events go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    /// A new channel.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event; nobody listening any more is no error.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}

/// What a worker writes about the vertex that it works on.
#[derive(Clone, Debug)]
pub struct StepLog {
    vertex: VertexId,
    events: Events,
}

impl StepLog {
    pub(crate) fn new(vertex: VertexId, events: Events) -> Self {
        Self { vertex, events }
    }

    /// The process wrote something.
    pub fn output(&self, stream: Stream, data: Vec<u8>) {
        self.events.send(Event::Output { vertex: self.vertex, stream, data });
    }

    /// A transfer went on.
    pub fn transfer(&self, name: impl Into<String>, current: u64, total: Option<u64>) {
        self.events.send(Event::Transfer { vertex: self.vertex, name: name.into(), current, total });
    }

    /// There is something that the user should know.
    pub fn warn(&self, message: impl Into<String>) {
        self.events.send(Event::Warning { vertex: self.vertex, message: message.into() });
    }
}
