//! `builder build`, in real sandboxes, from nothing but a static busybox.
//!
//! - [`stages`]: what is built, what is cached, what runs at the same time
//! - [`steps`]: build arguments, users, ignored files, and secrets, which leave no trace
//! - [`bases`]: images that come from archives, and what is built on them
//! - [`contexts`]: contexts and Dockerfiles from standard input, servers and repositories
//! - [`exports`]: other programs accept what is exported
//! - [`escapes`], [`hostile_images`]: files, links and archives that try to leave the image; [`outside`]: their aim
//! - [`failures`]: what is printed, and what is left, when a build fails
//! - [`kept`]: failed steps, and stepping into them; [`terminal`]: a pseudo terminal for that
//! - [`reports`]: what is printed about each mistake in a Dockerfile
//! - [`devices`]: devices of the machine for steps
//! - [`limits`]: steps that need more memory, or more processes, than they may have
//! - [`interruptions`]: what is left when a build is interrupted or killed
//! - [`network`]: the networks of steps and containers
//! - [`leftovers`]: what is left of processes, mounts, networks and groups, however a build ends
//! - [`output`]: what steps write, without secrets; [`programs`]: those that do not run
//! - [`platforms`]: several platforms at once, and foreign ones
//! - [`rootless`]: builds of ordinary users
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

mod bases;
mod contexts;
mod corpus;
mod devices;
mod doctor;
mod escapes;
mod exports;
mod failures;
mod hostile_images;
mod interruptions;
mod kept;
mod leftovers;
mod limits;
mod network;
mod output;
mod outside;
mod platforms;
mod programs;
mod project;
mod reports;
mod rootless;
mod snapshotters;
mod stages;
mod steps;
mod terminal;
