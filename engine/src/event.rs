//! What a build tells while it runs: a closed list of events about numbered steps.
//!
//! The step is the unit that people see: a line of the Dockerfile, or something that the engine
//! does around it (loading, resolving, exporting). For every step there is one
//! [`Event::Begun`] first and one [`Event::Ended`] last; a step that was found in the cache has
//! just those two.

use std::time::Duration;

pub use solver::{Data, Stream};

/// The number of a step, counted from one in the order in which steps first appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepNumber(pub usize);

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A step began, or was found in the cache.
    Begun {
        /// The step.
        step: StepNumber,
        /// Its name, such as `[build 2/4] RUN make`.
        label: String,
        /// Why the cache did not have it, in one line; none where that says nothing.
        miss: Option<String>,
    },
    /// The process of a step wrote whole lines, or the last part of its output.
    Output {
        /// The step.
        step: StepNumber,
        /// Where it wrote to.
        stream: Stream,
        /// What it wrote. Dropping it lets the step write more, see [`Data`].
        data: Data,
    },
    /// A transfer of a step went on.
    Transfer {
        /// The step.
        step: StepNumber,
        /// What is transferred, such as a short digest.
        name: String,
        /// Bytes so far.
        current: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// A step is over.
    Ended {
        /// The step.
        step: StepNumber,
        /// How.
        result: StepResult,
        /// How long it took.
        duration: Duration,
    },
    /// Something that the user should know, of a step or of the whole build.
    Warning {
        /// The step, if it is about one.
        step: Option<StepNumber>,
        /// The text.
        message: String,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It was done.
    Done,
    /// The cache had its result.
    Cached,
    /// It failed, with this reason.
    Failed(String),
    /// It was stopped because another one failed, or by the user.
    Canceled,
}

/// Where events go: any number of senders, one receiver.
#[derive(Clone, Debug)]
pub struct Events(tokio::sync::mpsc::UnboundedSender<Event>);

/// The receiving side of [`Events`].
pub type EventReceiver = tokio::sync::mpsc::UnboundedReceiver<Event>;

impl Events {
    /// A new channel.
    pub fn channel() -> (Self, EventReceiver) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event; nobody listening any more is no error.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}
