//! What can go wrong with a `RUN`.

use std::io;
use std::path::PathBuf;

use graph::vertex::InputIndex;
use image::{ImagePath, Platform};
use sandbox::network::Unavailable;
use sandbox::{SandboxError, UnknownResource};
use store::StoreError;

use crate::exec::devices::error::DeviceError;
use crate::exec::ending::Ending;
use crate::exec::fault::Fault;
use crate::session::SecretError;
use crate::ssh::keys::KeyAgentError;

use runtime::user::UserLookupError;

/// Why a `RUN` failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The process ended with another exit code than 0, or by a signal (128 and the signal's number).
    ///
    /// The text is BuildKit's, which scripts look for.
    #[error("process {command:?} did not complete successfully: {ending}")]
    Exited {
        /// The command and its arguments, joined by blanks.
        command: String,
        /// How it ended.
        ending: Ending,
        /// What is wrong with a program that its shell could not run, if that is known.
        fault: Option<Box<Fault>>,
    },
    /// The image is for another kind of machine, and nothing here emulates it.
    #[error(
        "process {command:?} could not be run: exec format error: the image is for {image}, this machine is {}",
        Platform::host()
    )]
    Foreign {
        /// The command and its arguments, joined by blanks.
        command: String,
        /// What the image is for.
        image: Box<Platform>,
    },
    /// The process could not be started or lost.
    #[error("process {command:?} could not be run: {source}")]
    Sandbox {
        /// The command and its arguments, joined by blanks.
        command: String,
        /// What failed: the command that is missing, a mount, a namespace.
        #[source]
        source: SandboxError,
    },
    /// The user of the process is not known to the image.
    #[error("cannot run as user {user:?}: {source}")]
    User {
        /// The text of `USER`.
        user: String,
        /// Why not.
        #[source]
        source: UserLookupError,
    },
    /// The source of a bind mount, or the initial content of a cache mount, is not there.
    #[error("mount source \"{path}\": not found")]
    MountSourceNotFound {
        /// The path inside the source.
        path: ImagePath,
        /// Which input it was looked for in.
        input: InputIndex,
    },
    /// Somebody else has a cache that the process needs to itself, or has it to themselves. The step waits.
    #[error("cache mount {id} is in use")]
    CacheInUse {
        /// Its name.
        id: String,
    },
    /// A required secret was not given to the build.
    #[error("secret {id}: not found")]
    SecretNotFound {
        /// Its name.
        id: String,
    },
    /// The file of a secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A required ssh agent was not given to the build.
    #[error("ssh agent {id}: not found")]
    SshAgentNotFound {
        /// Its name.
        id: String,
    },
    /// The keys for an ssh agent cannot be served.
    #[error(transparent)]
    KeyAgent(#[from] KeyAgentError),
    /// The connection to an ssh agent could not be offered to the process.
    #[error("cannot {attempt} the socket of ssh agent {id}")]
    SshAgent {
        /// The verb.
        attempt: &'static str,
        /// The agent's name.
        id: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A resource limit with a name that the system does not know.
    #[error("cannot set a limit")]
    Limit(#[from] UnknownResource),
    /// The directory on the host could not be read.
    #[error("cannot read {}", path.display())]
    Context {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The process was to have a network of its own, or none.
    #[error("cannot make an isolated network: {0}")]
    Network(#[source] Unavailable),
    /// The process cannot have the devices that it asks for.
    #[error(transparent)]
    Devices(#[from] DeviceError),
    /// The pipes for the output of the process could not be made.
    #[error("cannot make a pipe for the output of the process")]
    Pipe(#[source] io::Error),
    /// The vertex has fewer inputs than its operation names.
    #[error("the step has no input {0:?}")]
    NoInput(InputIndex),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
