//! The input is an instruction, and flags, a JSON array or a command behind a keyword.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::soundness::check_instruction(text));
