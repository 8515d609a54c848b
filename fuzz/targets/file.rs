//! The input is a Dockerfile.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::soundness::check_file(text));
