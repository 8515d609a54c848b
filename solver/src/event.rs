//! What the solver tells while it works.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
        /// What it wrote.
        data: Data,
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

/// How many bytes of output are on their way to whoever shows them, at the most.
const MOST_ON_THE_WAY: usize = 8 << 20;

/// Output on its way. Those who write wait while there is too much of it ([`StepLog::output`]), so that what a
/// step prints faster than it is shown does not fill the memory; dropping it makes room.
#[derive(Clone)]
pub struct Data(Arc<Parcel>);

/// Some bytes, and the room that they take.
struct Parcel {
    bytes: Vec<u8>,
    way: Option<Arc<Way>>,
}

/// How many bytes are on their way.
#[derive(Debug, Default)]
struct Way {
    bytes: Mutex<usize>,
    less: Condvar,
}

impl Way {
    /// Waits until there is room. A parcel that is larger than all the room goes alone.
    fn enter(self: &Arc<Self>, bytes: Vec<u8>) -> Data {
        let on_the_way = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |on_the_way: &mut usize| *on_the_way > 0 && *on_the_way + bytes.len() > MOST_ON_THE_WAY;
        let mut on_the_way =
            self.less.wait_while(on_the_way, is_full).unwrap_or_else(PoisonError::into_inner);
        *on_the_way += bytes.len();
        Data(Arc::new(Parcel { bytes, way: Some(Arc::clone(self)) }))
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(way) = &self.way {
            *way.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes.len();
            way.less.notify_all();
        }
    }
}

impl std::ops::Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// Output that takes no room.
impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Parcel { bytes, way: None }))
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({:?})", String::from_utf8_lossy(self))
    }
}

/// Where events go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    sender: mpsc::UnboundedSender<Event>,
    way: Arc<Way>,
}

impl Events {
    /// A new channel.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, way: Arc::default() }, receiver)
    }

    /// Sends an event; nobody listening any more is no error.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
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

    /// The process wrote something. Blocks while very much of what was written before is not shown yet, so it may
    /// not be called by those who show.
    pub fn output(&self, stream: Stream, data: Vec<u8>) {
        let data = self.events.way.enter(data);
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn who_writes_waits_for_those_who_show() {
        let way = Arc::new(Way::default());
        let large = way.enter(vec![0; 2 * MOST_ON_THE_WAY]);
        thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let way = &way;
            scope.spawn(move || sender.send(way.enter(vec![1])).unwrap());
            assert!(receiver.try_recv().is_err(), "there is no room yet");
            drop(large.clone());
            assert!(receiver.try_recv().is_err(), "a copy is still on its way");
            drop(large);
            assert_eq!(*receiver.recv().unwrap(), [1]);
        });
        assert_eq!(*way.bytes.lock().unwrap(), 0);
    }
}
