//! How a process gets to see a draft: through an overlay of the layers, or as a copy of the whole tree.
//!
//! An overlay costs nothing and is what is tried first. It cannot be mounted where the store lies on a file system
//! that overlayfs does not write to (an overlay itself, as in containers, or NFS), where the kernel has no overlays
//! for user namespaces (before Linux 5.11), and of more layers than the kernel takes. Then the step is started again
//! on a copy, and so are all that follow. Nothing is probed: the attempt is the probe.

use std::sync::atomic::{AtomicBool, Ordering};

use sandbox::{SandboxError, Stage};
use store::Store;

/// What the user chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotterChoice {
    /// Overlays, and copies where none can be mounted.
    #[default]
    Automatic,
    /// Overlays only.
    Overlay,
    /// Copies only.
    Copy,
}

/// How a process gets to see a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As an overlay of its layers.
    Overlay,
    /// As a copy of everything.
    Copy,
}

/// Overlays were chosen for a store whose layers the kernel does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store was made on a file system that no overlay can write to: its layers can only be copied")]
pub struct NoOverlays;

/// Which view steps get. Shared by all steps of a program.
#[derive(Debug)]
pub struct Snapshotter {
    choice: SnapshotterChoice,
    /// Whether an overlay failed.
    copies: AtomicBool,
}

impl Snapshotter {
    /// For the steps of one store.
    pub fn new(choice: SnapshotterChoice, store: &Store) -> Result<Self, NoOverlays> {
        match (choice, store.has_overlay_layers()) {
            (SnapshotterChoice::Overlay, false) => Err(NoOverlays),
            (SnapshotterChoice::Copy, _) | (SnapshotterChoice::Automatic, false) => {
                Ok(Self { choice, copies: AtomicBool::new(true) })
            }
            (SnapshotterChoice::Automatic | SnapshotterChoice::Overlay, true) => {
                Ok(Self { choice, copies: AtomicBool::new(false) })
            }
        }
    }

    /// The view for the next step.
    pub fn view(&self) -> View {
        if self.copies.load(Ordering::Relaxed) { View::Copy } else { View::Overlay }
    }

    /// Whether a step that could not be started with this view shall be started again with the
    /// [next](Self::view).
    pub fn falls_back(&self, view: View, error: &SandboxError) -> bool {
        let is_refused = matches!(error, SandboxError::Setup { stage: Stage::Root, .. });
        let falls_back = view == View::Overlay && is_refused && self.choice == SnapshotterChoice::Automatic;
        if falls_back {
            self.copies.store(true, Ordering::Relaxed);
        }
        falls_back
    }
}
