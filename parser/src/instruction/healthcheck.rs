//! `HEALTHCHECK [flags] CMD COMMAND` and `HEALTHCHECK NONE`

use std::time::Duration;

use super::CommandLine;

/// HEALTHCHECK
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `NONE`: switches off the check of the base image.
    None,
    /// `CMD`: how to check.
    Probe(Probe),
}

/// The check of `HEALTHCHECK CMD`; zero always means "as inherited".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The command.
    pub command: CommandLine,
    /// `--interval=`
    pub interval: Duration,
    /// `--timeout=`
    pub timeout: Duration,
    /// `--start-period=`
    pub start_period: Duration,
    /// `--start-interval=`
    pub start_interval: Duration,
    /// `--retries=`
    pub retries: u32,
}
